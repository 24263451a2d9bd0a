//! What is usual: shares of every group by hour of the day and their most in seven days, how fast clients are, and which
//! clients are fast every day.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::client::ClientId;
use crate::mix::{Dimension, GROUPS};
use crate::quantile::LogHistogram;
use crate::week::Week;

/// Version of the saved form.
const VERSION: u32 = 1;
const HOURS: usize = 24;
/// Requests below which an hour, or a minute, says nothing.
const LEAST_HOUR: f32 = 500.0;
const LEAST_MINUTE: f32 = 100.0;
/// Of the way to what an hour shows, and at most this share of what was known, is gone in a day.
const STEP: f32 = 0.2;
const MOST_STEP: f32 = 0.02;
/// Clients that are remembered as fast.
const MOST_BUSY: usize = 1024;
/// Share of minutes of clients that are slower than the limit begins at.
const QUANTILE: f64 = 0.995;
/// Minutes of clients that a day must have to tell that quantile.
const LEAST_MINUTES: f64 = 1000.0;

/// Learned from traffic that nothing was held against, while there was no pressure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    version: u32,
    hours: Vec<Hour>,
    /// Over all hours.
    all: Hour,
    /// Most of each group's share in a minute.
    most: Vec<Week>,
    rates: Week,
    costs: Week,
    rates_today: LogHistogram,
    costs_today: LogHistogram,
    busy: BTreeMap<ClientId, Week>,
    minute: Sum,
    hour: Sum,
    at_hour: i64,
    at_minute: i64,
    /// What follows from the above and is asked for often.
    #[serde(skip)]
    most_now: Arc<Vec<f32>>,
    #[serde(skip)]
    busy_before: Arc<Vec<(ClientId, f32)>>,
}

/// What is usual in one hour of the day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Hour {
    /// Share of each group; empty if nothing is known.
    shares: Vec<f32>,
    /// Requests a second.
    rate: f32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Sum {
    groups: Vec<f32>,
    weight: f32,
}

impl Sum {
    fn add(&mut self, groups: &[f32], weight: f32) {
        self.groups.resize(GROUPS, 0.0);
        self.groups.iter_mut().zip(groups).for_each(|(sum, x)| *sum += x);
        self.weight += weight;
    }

    fn clear(&mut self) {
        self.groups.clear();
        self.weight = 0.0;
    }
}

impl Hour {
    fn learn(&mut self, sum: &Sum, seconds: f32) {
        let (rate, scale) = (sum.weight / seconds, 1.0 / sum.weight);
        if self.shares.is_empty() {
            self.shares = sum.groups.iter().map(|x| x * scale).collect();
            self.rate = rate;
            return;
        }
        let step = |known: f32, seen: f32, floor: f32| {
            let most = MOST_STEP * known + floor;
            known + (STEP * (seen - known)).clamp(-most, most)
        };
        let is_known = Dimension::ALL.map(|dimension| knows(&self.shares, dimension));
        for (share, x) in self.shares.iter_mut().zip(&sum.groups) {
            *share = step(*share, x * scale, 2e-5);
        }
        self.rate = step(self.rate, rate, 0.0);
        for (dimension, is_known) in Dimension::ALL.into_iter().zip(is_known) {
            if !is_known {
                self.shares[dimension.range()].copy_from_slice(&sum.groups[dimension.range()]);
            }
            let total: f32 = self.shares[dimension.range()].iter().sum();
            self.shares[dimension.range()].iter_mut().for_each(|share| *share /= total.max(f32::MIN_POSITIVE));
        }
    }
}

/// Whether these shares say anything of a dimension: they add up to 1 or, where it was forgotten, to 0.
fn knows(shares: &[f32], dimension: Dimension) -> bool {
    shares[dimension.range()].iter().sum::<f32>() > 0.5
}

/// What is usual at an instant.
pub(crate) struct Usual<'a> {
    pub(crate) shares: &'a [f32],
    /// The same over all hours.
    pub(crate) always: &'a [f32],
    pub(crate) rate: f32,
}

impl<'a> Usual<'a> {
    /// Shares of all groups, of which those of `dimension` are known: of the hour, else of all hours.
    pub(crate) fn shares_of(&self, dimension: Dimension) -> Option<&'a [f32]> {
        [self.shares, self.always].into_iter().find(|shares| knows(shares, dimension))
    }
}

impl Baseline {
    pub(crate) fn new() -> Self {
        Self {
            version: VERSION,
            hours: vec![Hour::default(); HOURS],
            all: Hour::default(),
            most: vec![Week::default(); GROUPS],
            rates: Week::default(),
            costs: Week::default(),
            rates_today: LogHistogram::default(),
            costs_today: LogHistogram::default(),
            busy: BTreeMap::new(),
            minute: Sum::default(),
            hour: Sum::default(),
            at_hour: 0,
            at_minute: 0,
            most_now: Arc::new(vec![0.0; GROUPS]),
            busy_before: Arc::default(),
        }
    }

    /// What was saved, if it is whole.
    pub(crate) fn check(mut self) -> Result<Self, Error> {
        let hour = |h: &Hour| h.shares.is_empty() || h.shares.len() == GROUPS;
        let sum = |s: &Sum| s.groups.is_empty() || s.groups.len() == GROUPS;
        let is_whole = self.hours.len() == HOURS
            && self.hours.iter().all(hour)
            && hour(&self.all)
            && self.most.len() == GROUPS
            && sum(&self.minute)
            && sum(&self.hour)
            && self.rates_today.is_sound()
            && self.costs_today.is_sound();
        self.sum_up();
        match (self.version == VERSION, is_whole) {
            (true, true) => Ok(self),
            (false, _) => Err(Error::BadState(format!("version {}, not {VERSION}", self.version))),
            (true, false) => Err(Error::BadState("groups are missing".to_owned())),
        }
    }

    /// Takes in traffic of the second `now_s` (Unix time, in the zone whose hours count).
    pub(crate) fn learn(&mut self, now_s: i64, groups: &[f32], weight: f32) {
        self.turn(now_s);
        self.minute.add(groups, weight);
    }

    pub(crate) fn learn_clients(&mut self, rates: &LogHistogram, costs: &LogHistogram, busy: &[(ClientId, f32)]) {
        self.rates_today.merge(rates);
        self.costs_today.merge(costs);
        for (client, rps) in busy {
            if let Some(week) = self.busy.get_mut(client) {
                week.observe(*rps);
            } else if self.busy.len() < MOST_BUSY {
                self.busy.entry(*client).or_default().observe(*rps);
            }
        }
    }

    /// Forgets the minute that is running: something was wrong with it.
    pub(crate) fn drop_minute(&mut self, now_s: i64) {
        self.turn(now_s);
        self.minute.clear();
    }

    /// Forgets what was usual in one dimension: its groups are others from now on.
    pub(crate) fn forget(&mut self, dimension: Dimension) {
        let sums = [&mut self.minute.groups, &mut self.hour.groups];
        let hours = self.hours.iter_mut().map(|hour| &mut hour.shares).chain([&mut self.all.shares]);
        for groups in hours.chain(sums).filter(|groups| !groups.is_empty()) {
            groups[dimension.range()].fill(0.0);
        }
        self.most[dimension.range()].fill(Week::default());
        self.sum_up();
    }

    fn turn(&mut self, now_s: i64) {
        let (minute, hour) = (now_s.div_euclid(60), now_s.div_euclid(3600));
        if minute == self.at_minute {
            return;
        }
        if self.minute.weight >= LEAST_MINUTE {
            for (most, x) in self.most.iter_mut().zip(&self.minute.groups) {
                most.observe(x / self.minute.weight);
            }
            self.sum_up();
        }
        if self.minute.weight > 0.0 {
            self.hour.add(&self.minute.groups, self.minute.weight);
        }
        self.minute.clear();
        self.at_minute = minute;
        if hour != self.at_hour {
            self.end_hour(self.at_hour);
            if hour.div_euclid(24) != self.at_hour.div_euclid(24) && self.at_hour != 0 {
                self.end_day();
            }
            self.at_hour = hour;
        }
    }

    fn end_hour(&mut self, hour: i64) {
        if self.hour.weight >= LEAST_HOUR {
            self.hours[hour.rem_euclid(24) as usize].learn(&self.hour, 3600.0);
            self.all.learn(&self.hour, 3600.0);
        }
        self.hour.clear();
    }

    fn end_day(&mut self) {
        self.most.iter_mut().for_each(Week::end_day);
        for (week, today) in [(&mut self.rates, &mut self.rates_today), (&mut self.costs, &mut self.costs_today)] {
            if today.total() >= LEAST_MINUTES {
                week.observe(today.quantile(QUANTILE).unwrap_or(0.0) as f32);
                week.end_day();
            }
            *today = LogHistogram::default();
        }
        self.busy.values_mut().for_each(Week::end_day);
        self.busy.retain(|_, week| !week.is_empty());
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.most_now = Arc::new(self.most.iter().map(Week::most).collect());
        let busy = self.busy.iter().map(|(client, week)| (*client, week.most_before_today()));
        self.busy_before = Arc::new(busy.filter(|(_, rps)| *rps > 0.0).collect());
    }

    /// What is usual at `now_s`; none while too little was seen.
    pub(crate) fn usual(&self, now_s: i64) -> Option<Usual<'_>> {
        let hour = &self.hours[now_s.div_euclid(3600).rem_euclid(24) as usize];
        let hour = if hour.shares.is_empty() { &self.all } else { hour };
        let always = &self.all.shares;
        (!hour.shares.is_empty()).then_some(Usual { shares: &hour.shares, always, rate: hour.rate })
    }

    /// The most of every group's share in a minute of the last seven days.
    pub(crate) fn most_shares(&self) -> &Arc<Vec<f32>> {
        &self.most_now
    }

    /// How fast all but the fastest clients are, in requests and in milliseconds of the origin a second; 0 while unknown.
    pub(crate) fn client_rates(&self) -> (f32, f32) {
        (self.rates.most(), self.costs.most())
    }

    /// Clients that were fast on days before this one, with how fast, in order of clients.
    pub(crate) fn busy(&self) -> &Arc<Vec<(ClientId, f32)>> {
        &self.busy_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(baseline: &mut Baseline, day: i64, group: usize, share: f32) {
        for minute in 0..1440 {
            let mut groups = vec![0.0; GROUPS];
            for dimension in Dimension::ALL {
                groups[dimension.offset()] = 600.0 * (1.0 - share);
                groups[dimension.offset() + group] = 600.0 * share;
            }
            baseline.learn(day * 86_400 + minute * 60, &groups, 600.0);
        }
    }

    #[test]
    fn hours_and_the_most_of_a_week_are_learned() {
        let mut baseline = Baseline::new();
        assert!(baseline.usual(0).is_none());
        (20..24).for_each(|d| day(&mut baseline, d, 5, 0.1));
        let usual = baseline.usual(24 * 86_400).unwrap();
        assert!((usual.shares[5] - 0.1).abs() < 1e-3 && (usual.rate - 10.0).abs() < 0.2, "{}", usual.rate);
        assert!((baseline.most_shares()[5] - 0.1).abs() < 1e-3);
        assert_eq!(baseline.most_shares()[6], 0.0);
        // A day on which the group is half of everything counts for a tenth more.
        day(&mut baseline, 24, 5, 0.5);
        day(&mut baseline, 25, 5, 0.1);
        assert!(baseline.most_shares()[5] <= crate::week::REACH * 0.1001, "{}", baseline.most_shares()[5]);
        assert!(baseline.usual(26 * 86_400).unwrap().shares[5] < 0.11);
    }

    #[test]
    fn a_dimension_that_was_forgotten_is_learned_anew_and_no_other() {
        let mut baseline = Baseline::new();
        (20..22).for_each(|d| day(&mut baseline, d, 5, 0.1));
        baseline.forget(Dimension::Place);
        let (place, path) = (Dimension::Place.offset(), Dimension::Path.offset());
        let usual = baseline.usual(22 * 86_400).unwrap();
        assert!(usual.shares_of(Dimension::Place).is_none());
        assert!((usual.shares_of(Dimension::Path).unwrap()[path + 5] - 0.1).abs() < 1e-3);
        assert_eq!((baseline.most_shares()[place], baseline.most_shares()[place + 5]), (0.0, 0.0));
        // Two hours later it is known, for other hours too, and as it is rather than by small steps.
        for minute in 0..121 {
            let mut groups = vec![0.0; GROUPS];
            Dimension::ALL.iter().for_each(|dimension| groups[dimension.offset() + 7] = 600.0);
            baseline.learn(22 * 86_400 + minute * 60, &groups, 600.0);
        }
        for hour in [1, 12] {
            let usual = baseline.usual(22 * 86_400 + hour * 3600).unwrap();
            assert!(usual.shares_of(Dimension::Place).unwrap()[place + 7] > 0.999, "hour {hour}");
            assert!(usual.shares_of(Dimension::Path).unwrap()[path + 7] < 0.1, "hour {hour}");
        }
        assert!(baseline.most_shares()[place + 7] > 0.999);
    }

    #[test]
    fn what_was_saved_is_read_and_nothing_else() {
        let mut baseline = Baseline::new();
        day(&mut baseline, 20, 5, 0.1);
        let text = serde_json::to_string(&baseline).unwrap();
        let read: Baseline = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read.check().unwrap()).unwrap(), text);
        let mut other = baseline.clone();
        other.version = 9;
        assert!(other.check().is_err());
        baseline.hours.pop();
        assert!(baseline.check().is_err());
    }
}
