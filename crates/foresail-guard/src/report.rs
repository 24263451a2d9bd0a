//! What a worker has seen since it last said so.

use crate::account::Sights;
use crate::client::ClientId;
use crate::mix::{GROUPS, Places};
use crate::origins::Origins;
use crate::profile::FEATURES;
use crate::quantile::LogHistogram;

/// Clients that one report may name.
const MOST_BUSY: usize = 64;
/// Rows for the forest in one report.
const MOST_ROWS: usize = 64;

/// What one worker has seen in a short time; the learner joins those of all.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests of every group, each client counting for so much and no more.
    pub(crate) groups: Vec<f32>,
    pub(crate) weight: f32,
    /// The same of requests that nothing was held against, from which alone it is learned.
    pub(crate) trusted: Vec<f32>,
    pub(crate) trusted_weight: f32,
    pub(crate) arrivals: u64,
    pub(crate) attack: u64,
    pub(crate) passed: u64,
    pub(crate) doubtful: u64,
    pub(crate) challenged: u64,
    pub(crate) throttled: u64,
    pub(crate) blocked: u64,
    /// Clients' fastest minutes: requests a second, and milliseconds of the origin a second.
    pub(crate) rates: LogHistogram,
    pub(crate) costs: LogHistogram,
    /// Clients much faster than most, with requests a second.
    pub(crate) busy: Vec<(ClientId, f32)>,
    /// What clients without fault look like, with the group of their fingerprint.
    pub(crate) rows: Vec<([f32; FEATURES], u16)>,
    /// What groups beyond their usual share are called.
    pub(crate) origins: Origins,
    /// What people are told.
    pub(crate) sights: Sights,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            groups: vec![0.0; GROUPS],
            weight: 0.0,
            trusted: vec![0.0; GROUPS],
            trusted_weight: 0.0,
            arrivals: 0,
            attack: 0,
            passed: 0,
            doubtful: 0,
            challenged: 0,
            throttled: 0,
            blocked: 0,
            rates: LogHistogram::default(),
            costs: LogHistogram::default(),
            busy: Vec::new(),
            rows: Vec::new(),
            origins: Origins::default(),
            sights: Sights::default(),
        }
    }
}

impl Report {
    #[inline]
    pub(crate) fn count(&mut self, places: &Places, weight: f32, is_trusted: bool) {
        for place in places {
            self.groups[usize::from(*place)] += weight;
        }
        self.weight += weight;
        if is_trusted {
            for place in places {
                self.trusted[usize::from(*place)] += weight;
            }
            self.trusted_weight += weight;
        }
    }

    pub(crate) fn name_busy(&mut self, client: ClientId, rps: f32) {
        if let Some((_, most)) = self.busy.iter_mut().find(|(named, _)| *named == client) {
            *most = most.max(rps);
        } else if self.busy.len() < MOST_BUSY {
            self.busy.push((client, rps));
        } else if let Some(least) = self.busy.iter_mut().min_by(|a, b| a.1.total_cmp(&b.1))
            && least.1 < rps
        {
            *least = (client, rps);
        }
    }

    pub(crate) fn offer_row(&mut self, row: [f32; FEATURES], fingerprint: u16) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push((row, fingerprint));
        }
    }

    /// Takes in what another worker has seen.
    pub fn merge(&mut self, other: &Self) {
        let add = |ours: &mut [f32], theirs: &[f32]| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        add(&mut self.groups, &other.groups);
        add(&mut self.trusted, &other.trusted);
        self.weight += other.weight;
        self.trusted_weight += other.trusted_weight;
        self.arrivals += other.arrivals;
        self.attack += other.attack;
        self.passed += other.passed;
        self.doubtful += other.doubtful;
        self.challenged += other.challenged;
        self.throttled += other.throttled;
        self.blocked += other.blocked;
        self.rates.merge(&other.rates);
        self.costs.merge(&other.costs);
        // Connections of one client may be spread over workers: what it does there adds up.
        for (client, rps) in &other.busy {
            let sum = self.busy.iter().find(|(named, _)| named == client).map_or(*rps, |(_, ours)| ours + rps);
            self.name_busy(*client, sum);
        }
        self.rows.extend_from_slice(&other.rows);
        self.origins.merge(&other.origins);
        self.sights.merge(&other.sights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u32) -> ClientId {
        ClientId::of(std::net::Ipv4Addr::from(n).into())
    }

    #[test]
    fn the_busiest_are_named_and_workers_add_up() {
        let mut one = Report::default();
        (1..200).for_each(|n| one.name_busy(client(n), n as f32));
        assert_eq!(one.busy.len(), MOST_BUSY);
        assert!(one.busy.contains(&(client(199), 199.0)));
        let mut other = Report::default();
        other.name_busy(client(199), 1.0);
        other.count(&[0, 1024, 2048, 4096, 6144, 7168], 0.5, true);
        one.merge(&other);
        assert!(one.busy.contains(&(client(199), 200.0)));
        assert_eq!((one.weight, one.trusted[2048]), (0.5, 0.5));
    }
}
