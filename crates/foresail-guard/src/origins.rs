//! What the groups beyond their usual share are called: the country or the autonomous system that most of their requests are
//! from, for groups are hashes and several share one.

use crate::account::TELLING;
use crate::geo::{Location, Origin};
use crate::mix::{Dimension, Places};
use crate::model::Model;

/// Where the groups of places and networks begin, and how many there are; they lie side by side.
const BEGIN: usize = Dimension::Place.offset();
const COUNT: usize = Dimension::Place.size() + Dimension::Network.size();

/// For each group a name and by how many requests it leads (the majority vote of Boyer and Moore 1981). Takes no room until
/// there is an excess, and a database to name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Vec<Option<(Origin, u32)>>);

impl Origins {
    /// Counts a request to the names of its groups, if there is too much of them.
    #[inline]
    pub(crate) fn note(&mut self, model: &Model, places: &Places, location: Location) {
        if location == Location::default() || model.prior == f32::NEG_INFINITY {
            return;
        }
        for (place, dimension) in [(places[1], Dimension::Place), (places[2], Dimension::Network)] {
            let group = usize::from(place);
            if model.ratios[group] > TELLING
                && let Some(origin) = location.origin(dimension)
            {
                self.vote(group, origin, 1);
            }
        }
    }

    fn vote(&mut self, group: usize, origin: Origin, votes: u32) {
        self.0.resize(COUNT, None);
        let Some(held) = self.0.get_mut(group.wrapping_sub(BEGIN)) else { return };
        *held = match *held {
            Some((leader, lead)) if leader == origin => Some((leader, lead.saturating_add(votes))),
            Some((leader, lead)) if lead >= votes => Some((leader, lead - votes)),
            Some((_, lead)) => Some((origin, votes - lead)),
            None => Some((origin, votes)),
        };
    }

    /// Takes in what another worker has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (group, held) in other.0.iter().enumerate() {
            if let Some((origin, lead)) = *held {
                self.vote(BEGIN + group, origin, lead);
            }
        }
    }

    /// Takes the names that are newer.
    pub(crate) fn renew(&mut self, newer: &Self) {
        if !newer.0.is_empty() {
            self.0.resize(COUNT, None);
            self.0.iter_mut().zip(&newer.0).for_each(|(known, new)| *known = new.or(*known));
        }
    }

    /// What a group is called, if anything.
    pub(crate) fn of(&self, group: usize) -> Option<Origin> {
        self.0.get(group.checked_sub(BEGIN)?).copied().flatten().map(|(origin, _)| origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_name_the_group() {
        let (mut origins, other) = (Origins::default(), Origin::System(7));
        for n in 0..100_u32 {
            origins.vote(BEGIN + 3, if n % 3 == 0 { other } else { Origin::System(64_500) }, 1);
        }
        assert_eq!(origins.of(BEGIN + 3), Some(Origin::System(64_500)));
        let mut joined = Origins::default();
        joined.vote(BEGIN + 3, other, 10);
        joined.merge(&origins);
        assert_eq!(joined.of(BEGIN + 3), Some(Origin::System(64_500)));
        let mut kept = Origins::default();
        kept.renew(&joined);
        kept.renew(&Origins::default());
        assert_eq!(kept.of(BEGIN + 3), Some(Origin::System(64_500)));
        assert_eq!((kept.of(BEGIN), kept.of(0), kept.of(BEGIN + COUNT)), (None, None, None));
    }
}
