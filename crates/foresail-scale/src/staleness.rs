//! What to believe when a metric source falls silent.
//!
//! The ladder, by the age of the newest usable sample: up to three scrapes all is well; under five minutes the number
//! holds and may only rise; up to fifteen it is the greater of what is there and the 95th percentile of the need at the
//! same time yesterday; beyond, the target is handed back. A metric that is missing beside others that are fresh holds
//! too: nothing is ever scaled down on missing data. A zero is missing until two samples in a row agree on it, for a
//! broken exporter says zero; an empty queue is believed at once where another metric is alive.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use foresail_core::{Metric, Observation, Replicas, Sample, Timestamp};
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(86_400);
const SLOT: Duration = Duration::from_secs(900);
/// A day, the slots around "now" a day ago, and the open one.
const SLOTS: usize = 99;

/// When a source counts as silent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StalenessOptions {
    /// Time between two scrapes of the source.
    pub scrape: Duration,
    /// Scrapes that may be missed, at least 1.
    pub fresh_scrapes: u32,
    /// From this age on, yesterday is asked.
    pub hold: Duration,
    /// From this age on, the target is handed back.
    pub hand_back: Duration,
}

impl Default for StalenessOptions {
    fn default() -> Self {
        Self {
            scrape: Duration::from_secs(15),
            fresh_scrapes: 3,
            hold: Duration::from_secs(300),
            hand_back: Duration::from_secs(900),
        }
    }
}

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// All metrics are fresh.
    #[default]
    Fresh,
    /// Hold; up only.
    Hold,
    /// The greater of what is there and the same time yesterday.
    Yesterday,
    /// Nothing is known: the target is left to whatever else guards it.
    HandBack,
}

/// What may be believed at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The rung of the ladder.
    pub rung: Rung,
    /// Age of the newest usable sample; since the first look, if there was none.
    pub age: Duration,
    /// Samples of this observation that can be believed.
    pub new: Vec<Sample>,
    /// The newest believed sample of each metric that is still fresh.
    pub held: Vec<Sample>,
}

/// Follows the sources of one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Staleness {
    since: Option<Timestamp>,
    /// Newest believed sample of each metric.
    newest: BTreeMap<Metric, Sample>,
    /// Time of the newest zero that no second sample has confirmed.
    doubted: BTreeMap<Metric, Timestamp>,
    /// Needs counted by slot of a quarter of an hour, oldest first.
    needs: VecDeque<Slot>,
}

/// How often each need was seen in a quarter of an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Slot {
    start: Timestamp,
    counts: BTreeMap<u32, u32>,
}

impl Staleness {
    /// Looks at an observation, `metrics` being those that the target is scaled by.
    pub fn look(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        metrics: impl IntoIterator<Item = Metric>,
        options: &StalenessOptions,
    ) -> Look {
        let since = *self.since.get_or_insert(now);
        let sound = |s: &&Sample| s.value.is_finite() && s.value >= 0.0 && s.time <= now;
        let alive = observation.samples.iter().filter(sound).any(|s| s.value > 0.0);
        let mut new = Vec::with_capacity(observation.samples.len());
        for sample in observation.samples.iter().filter(sound) {
            if self.believe(sample, alive) {
                new.push(*sample);
            }
        }
        let fresh_for = options.scrape * options.fresh_scrapes.max(1);
        let (mut oldest, mut newest) = (Duration::ZERO, None::<Duration>);
        for metric in metrics {
            let last = self.newest.get(&metric).map_or(since, |s| s.time);
            let age = now.since(last);
            oldest = oldest.max(age);
            newest = Some(newest.map_or(age, |n| n.min(age)));
        }
        let age = newest.unwrap_or_default();
        let rung = match age {
            age if age > options.hand_back => Rung::HandBack,
            age if age >= options.hold => Rung::Yesterday,
            _ if oldest > fresh_for => Rung::Hold,
            _ => Rung::Fresh,
        };
        let held = self.newest.values().filter(|s| now.since(s.time) <= fresh_for).copied().collect();
        Look { rung, age, new, held }
    }

    /// Whether `sample` is to be believed; remembers it if so.
    fn believe(&mut self, sample: &Sample, alive: bool) -> bool {
        let metric = sample.metric;
        if sample.value == 0.0 {
            let known = self.newest.get(&metric).is_some_and(|s| s.value == 0.0);
            let empty_queue = metric == Metric::QueueLength && alive;
            let agreed = self.doubted.get(&metric).is_some_and(|t| *t < sample.time);
            if !known && !empty_queue && !agreed {
                self.doubted.entry(metric).or_insert(sample.time);
                return false;
            }
        }
        self.doubted.remove(&metric);
        if self.newest.get(&metric).is_none_or(|s| s.time <= sample.time) {
            self.newest.insert(metric, *sample);
        }
        true
    }

    /// Remembers what was needed at `now`, for tomorrow.
    pub fn record_need(&mut self, now: Timestamp, need: Replicas) {
        let start = now.floor_to(SLOT);
        if self.needs.back().is_none_or(|slot| slot.start < start) {
            self.needs.push_back(Slot { start, counts: BTreeMap::new() });
            if self.needs.len() > SLOTS {
                self.needs.pop_front();
            }
        }
        if let Some(slot) = self.needs.back_mut() {
            *slot.counts.entry(need.0).or_insert(0) += 1;
        }
    }

    /// 95th percentile of the need in the three quarters of an hour around this time yesterday, if it was recorded.
    pub fn yesterday(&self, now: Timestamp) -> Option<Replicas> {
        let middle = (now - DAY).floor_to(SLOT);
        let (from, to) = (middle - SLOT, middle + SLOT);
        let mut counts = BTreeMap::new();
        for slot in self.needs.iter().filter(|slot| from <= slot.start && slot.start <= to) {
            for (need, count) in &slot.counts {
                *counts.entry(*need).or_insert(0_u64) += u64::from(*count);
            }
        }
        let total: u64 = counts.values().sum();
        let rank = (total as f64 * 0.95).ceil() as u64;
        let mut below = 0;
        for (need, count) in counts {
            below += count;
            if below >= rank {
                return Some(Replicas(need));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Quality, ReplicaCounts};

    use super::*;

    fn look(staleness: &mut Staleness, second: i64, samples: &[(Metric, f64)], metrics: &[Metric]) -> Look {
        let time = Timestamp::from_secs(second);
        let tick = Duration::from_secs(15);
        let sample = |(metric, value): &(Metric, f64)| Sample {
            metric: *metric,
            time,
            interval: tick,
            value: *value,
            quality: Quality::Good,
        };
        let samples = samples.iter().map(sample).collect();
        let observation = Observation { time, tick, samples, replicas: ReplicaCounts::default() };
        staleness.look(time, &observation, metrics.iter().copied(), &StalenessOptions::default())
    }

    #[test]
    fn the_ladder_by_age() {
        let mut staleness = Staleness::default();
        let rate = [Metric::RequestRate];
        assert_eq!(look(&mut staleness, 0, &[(Metric::RequestRate, 5.0)], &rate).rung, Rung::Fresh);
        for (second, rung, held) in [
            (45, Rung::Fresh, 1),
            (46, Rung::Hold, 0),
            (299, Rung::Hold, 0),
            (300, Rung::Yesterday, 0),
            (900, Rung::Yesterday, 0),
            (901, Rung::HandBack, 0),
        ] {
            let look = look(&mut staleness, second, &[], &rate);
            assert_eq!((look.rung, look.held.len()), (rung, held), "{second}");
        }
        assert_eq!(look(&mut staleness, 915, &[(Metric::RequestRate, 5.0)], &rate).rung, Rung::Fresh);
    }

    #[test]
    fn one_silent_metric_among_fresh_ones_holds() {
        let mut staleness = Staleness::default();
        let both = [Metric::RequestRate, Metric::Memory];
        look(&mut staleness, 0, &[(Metric::RequestRate, 5.0), (Metric::Memory, 5.0)], &both);
        for second in (15..2_000).step_by(15) {
            let seen = look(&mut staleness, second, &[(Metric::RequestRate, 5.0)], &both);
            assert_eq!(seen.rung, if second <= 45 { Rung::Fresh } else { Rung::Hold });
        }
    }

    #[test]
    fn a_zero_is_missing_until_two_agree() {
        let mut staleness = Staleness::default();
        let rate = [Metric::RequestRate];
        look(&mut staleness, 0, &[(Metric::RequestRate, 5.0)], &rate);
        let first = look(&mut staleness, 15, &[(Metric::RequestRate, 0.0)], &rate);
        assert_eq!((first.new.len(), first.held[0].value), (0, 5.0));
        assert_eq!(look(&mut staleness, 15, &[(Metric::RequestRate, 0.0)], &rate).new.len(), 0); // the same one again
        assert_eq!(look(&mut staleness, 30, &[(Metric::RequestRate, 0.0)], &rate).held[0].value, 0.0);
        assert_eq!(look(&mut staleness, 45, &[(Metric::RequestRate, 0.0)], &rate).new.len(), 1);
        look(&mut staleness, 60, &[(Metric::RequestRate, 3.0)], &rate);
        assert_eq!(look(&mut staleness, 75, &[(Metric::RequestRate, 0.0)], &rate).new.len(), 0);
        // An empty queue is no reason for doubt while requests are counted.
        let queue = look(&mut staleness, 90, &[(Metric::QueueLength, 0.0), (Metric::RequestRate, 3.0)], &rate);
        assert_eq!(queue.new.len(), 2);
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(look(&mut staleness, 105, &[(Metric::RequestRate, bad)], &rate).new.len(), 0);
        }
    }

    #[test]
    fn yesterday_is_the_95th_percentile_of_its_three_quarters() {
        let mut staleness = Staleness::default();
        for second in (0..100_000).step_by(60) {
            let hour = second / 3_600;
            let spike = second % 900 == 0;
            staleness.record_need(Timestamp::from_secs(second), Replicas(if spike { 500 } else { hour as u32 }));
        }
        assert_eq!(staleness.yesterday(Timestamp::from_secs(86_400 + 1_800)), None); // forgotten by now
        assert_eq!(staleness.yesterday(Timestamp::from_secs(86_400 + 20 * 3_600 + 1_800)), Some(Replicas(500)));
        assert!(staleness.needs.len() <= SLOTS);
        let mut staleness = Staleness::default();
        (0..200).for_each(|i| staleness.record_need(Timestamp::from_secs(i), Replicas(i as u32 % 100)));
        assert_eq!(staleness.yesterday(Timestamp::from_secs(86_400)), Some(Replicas(94)));
    }
}
