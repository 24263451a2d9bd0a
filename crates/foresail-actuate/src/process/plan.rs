//! Which copies to start and stop, as a pure function of what there is.

use std::cmp::Reverse;

use crate::CopyState;

/// What the plan needs to know of a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// Its id; a higher one is newer.
    pub(super) id: u64,
    /// What it is doing.
    pub(super) state: CopyState,
    /// Whether it is to be replaced by one of the present size.
    pub(super) outdated: bool,
}

/// What to do now. Doing it and planning again comes to rest, with as many copies as are wanted and none outdated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many new copies to start.
    pub(super) start: u32,
    /// Which to stop.
    pub(super) stop: Vec<u64>,
}

/// The next step from `copies` to `desired` copies. Outdated ones are replaced one at a time: a new one first, and when
/// as many are ready as are wanted without it, the oldest outdated one goes.
pub(super) fn plan(copies: &[Planned], desired: u32) -> Plan {
    let mut live: Vec<&Planned> = copies.iter().filter(|copy| copy.state != CopyState::Stopping).collect();
    let desired = desired as usize;
    let surge = usize::from(desired > 0 && live.iter().any(|copy| copy.outdated));
    let wanted = desired + surge;
    if live.len() < wanted {
        return Plan { start: (wanted - live.len()) as u32, stop: Vec::new() };
    }
    live.sort_by_key(|copy| (rank(copy.state), Reverse(copy.outdated), Reverse(copy.id)));
    let mut stop: Vec<u64> = live.iter().take(live.len() - wanted).map(|copy| copy.id).collect();
    let ready = live.iter().skip(stop.len()).filter(|copy| copy.state == CopyState::Ready).count();
    if surge == 1 && ready > desired {
        let staying = live.iter().skip(stop.len());
        stop.extend(staying.filter(|copy| copy.outdated).map(|copy| copy.id).min());
    }
    Plan { start: 0, stop }
}

/// Which are stopped first: those whose stop costs nothing that serves.
fn rank(state: CopyState) -> u8 {
    match state {
        CopyState::Starting | CopyState::Unready | CopyState::Stopping => 0,
        CopyState::BackingOff | CopyState::Failed => 1,
        CopyState::Ready => 2,
    }
}

#[cfg(test)]
mod tests {
    use CopyState::{BackingOff, Failed, Ready, Starting, Stopping, Unready};
    use proptest::prelude::*;

    use super::*;

    fn check(copies: &[(u64, CopyState, bool)], desired: u32, start: u32, stop: &[u64]) {
        let copies: Vec<Planned> =
            copies.iter().map(|&(id, state, outdated)| Planned { id, state, outdated }).collect();
        assert_eq!(plan(&copies, desired), Plan { start, stop: stop.to_vec() }, "{copies:?} to {desired}");
    }

    #[test]
    fn starts_what_is_missing_and_stops_the_least_useful_first() {
        check(&[], 3, 3, &[]);
        check(&[(1, Ready, false), (2, Stopping, false)], 2, 1, &[]);
        check(&[(1, Ready, false), (2, Starting, false)], 2, 0, &[]);
        let mixed =
            [(1, Starting, false), (2, Ready, false), (3, BackingOff, false), (4, Unready, false), (5, Ready, false)];
        check(&mixed, 4, 0, &[4]);
        check(&mixed, 2, 0, &[4, 1, 3]);
        check(&mixed, 1, 0, &[4, 1, 3, 5]);
        check(&mixed, 0, 0, &[4, 1, 3, 5, 2]);
    }

    #[test]
    fn replaces_outdated_copies_one_at_a_time() {
        check(&[(1, Ready, true), (2, Ready, true)], 2, 1, &[]);
        check(&[(1, Ready, true), (2, Ready, true), (3, Starting, false)], 2, 0, &[]);
        check(&[(1, Ready, true), (2, Ready, true), (3, Ready, false)], 2, 0, &[1]);
        check(&[(1, Stopping, true), (2, Ready, true), (3, Ready, false)], 2, 1, &[]);
        check(&[(2, Ready, true), (3, Ready, false), (4, Ready, false)], 2, 0, &[2]);
        check(&[(3, Ready, false), (4, Ready, false)], 2, 0, &[]);
        check(&[(1, Ready, true)], 0, 0, &[1]);
    }

    fn any_copy() -> impl Strategy<Value = (CopyState, bool)> {
        (prop::sample::select(vec![Starting, Ready, Unready, Stopping, BackingOff, Failed]), any::<bool>())
    }

    proptest! {
        /// If every start succeeds and every stop ends, the plan comes to rest where it should, and never has fewer
        /// ready copies on the way than the lesser of what it had and what is wanted.
        #[test]
        fn comes_to_rest(copies in prop::collection::vec(any_copy(), 0..12), desired in 0_u32..12) {
            let mut copies: Vec<Planned> = (1..).zip(copies)
                .map(|(id, (state, outdated))| Planned { id, state, outdated })
                .collect();
            let floor = copies.iter().filter(|c| c.state == Ready).count().min(desired as usize);
            let mut next = copies.len() as u64 + 1;
            let mut rounds = 0;
            loop {
                let step = plan(&copies, desired);
                if step == Plan::default() && copies.iter().all(|c| c.state == Ready) {
                    break;
                }
                copies.retain(|c| !step.stop.contains(&c.id) && c.state != Stopping);
                prop_assert!(copies.iter().filter(|c| c.state == Ready).count() >= floor);
                for copy in &mut copies {
                    copy.outdated &= !matches!(copy.state, BackingOff | Failed); // started again, at the present size
                    copy.state = Ready;
                }
                for _ in 0..step.start {
                    copies.push(Planned { id: next, state: Starting, outdated: false });
                    next += 1;
                }
                rounds += 1;
                prop_assert!(rounds < 60, "still moving");
            }
            prop_assert_eq!(copies.len(), desired as usize);
            prop_assert!(copies.iter().all(|c| !c.outdated));
        }
    }
}
