//! Passive health: endpoints that fail are left out for a while, longer each time.
//!
//! After Envoy's outlier detection: a run of failures or a high share of them ejects, at most so many at once; and when
//! too few would remain, health is ignored altogether ([`is_panic`]), for then the fault lies elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// When endpoints are ejected, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutlierConfig {
    /// Failures in a row that eject, 1 to 1000; 0 never ejects for a run.
    pub consecutive_failures: u32,
    /// Share of failures in a window that ejects, above 0 and at most 1; 1 never ejects for a share.
    pub failure_rate: f64,
    /// Answers in a window before its share counts, 1 to 100000.
    pub least_requests: u64,
    /// Length of a window, `1s` to `10m`.
    #[serde(with = "foresail_core::humane::Text")]
    pub window: Duration,
    /// First time out, `100ms` to `1h`; it doubles with each ejection that follows before the endpoint has been sound for
    /// as long as it was out.
    #[serde(with = "foresail_core::humane::Text")]
    pub base_ejection: Duration,
    /// Longest time out, at least `base_ejection`, up to `24h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub longest_ejection: Duration,
    /// At most this share of the endpoints is out at once, 0 to 1, rounded down.
    pub most_ejected: f64,
    /// Below this share of available endpoints all are used, 0 to 1; 0 never panics.
    pub panic_floor: f64,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_rate: 0.5,
            least_requests: 20,
            window: Duration::from_secs(10),
            base_ejection: Duration::from_secs(5),
            longest_ejection: Duration::from_secs(300),
            most_ejected: 0.5,
            panic_floor: 0.5,
        }
    }
}

impl OutlierConfig {
    /// # Errors
    /// [`Error::OutOfRange`] for a field out of its range.
    pub fn check(&self) -> Result<(), Error> {
        let show = |d: Duration| format!("{d:?}");
        let ms = Duration::from_millis;
        check(self.consecutive_failures <= 1000, "consecutive_failures", self.consecutive_failures, "0 to 1000")?;
        let accepted = self.failure_rate > 0.0 && self.failure_rate <= 1.0;
        check(accepted, "failure_rate", self.failure_rate, "above 0, at most 1")?;
        check((1..=100_000).contains(&self.least_requests), "least_requests", self.least_requests, "1 to 100000")?;
        check((ms(1_000)..=ms(600_000)).contains(&self.window), "window", show(self.window), "1s to 10m")?;
        let accepted = (ms(100)..=ms(3_600_000)).contains(&self.base_ejection);
        check(accepted, "base_ejection", show(self.base_ejection), "100ms to 1h")?;
        let accepted = (self.base_ejection..=ms(86_400_000)).contains(&self.longest_ejection);
        check(accepted, "longest_ejection", show(self.longest_ejection), "base_ejection to 24h")?;
        check((0.0..=1.0).contains(&self.most_ejected), "most_ejected", self.most_ejected, "0 to 1")?;
        check((0.0..=1.0).contains(&self.panic_floor), "panic_floor", self.panic_floor, "0 to 1")
    }
}

/// Whether so few endpoints are available that health must be ignored.
pub fn is_panic(available: usize, total: usize, floor: f64) -> bool {
    total > 0 && (available as f64) < floor * total as f64
}

/// What an endpoint has answered so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Its name.
    pub id: &'a str,
    /// Successes since it was first sampled.
    pub successes: u64,
    /// Failures since then.
    pub failures: u64,
    /// Failures since its last success.
    pub consecutive_failures: u64,
}

/// What is thought of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Takes its share.
    Healthy,
    /// Back after an ejection, not yet proven: the next failure ejects it, a success clears it.
    Probation,
    /// Left out.
    Ejected {
        /// Until then, in ms of the caller's clock.
        until_ms: u64,
    },
}

/// Watches endpoints. Deterministic: the same samples at the same times give the same standings.
#[derive(Clone, Debug)]
pub struct Outliers {
    tracks: BTreeMap<String, Track>,
}

#[derive(Clone, Debug)]
struct Track {
    standing: Standing,
    /// Counts at the start of the window.
    successes: u64,
    failures: u64,
    window_start_ms: u64,
    /// Failures when it was last let back, before which nothing counts.
    forgiven: u64,
    /// Ejections that still count for the next one's length, and when the last one ended.
    severity: u32,
    back_since_ms: u64,
    ejections: u64,
}

impl Outliers {
    /// Knows nobody yet.
    pub fn new() -> Self {
        Self { tracks: BTreeMap::new() }
    }

    /// Takes in the current counts of all endpoints and tells their standings, in the same order. Endpoints no longer
    /// sampled are forgotten. O(n log n).
    pub fn tick(&mut self, config: &OutlierConfig, now_ms: u64, samples: &[Sample<'_>]) -> Vec<Standing> {
        self.tracks.retain(|id, _| samples.iter().any(|s| s.id == id));
        for sample in samples {
            let track = self.tracks.entry(sample.id.to_owned()).or_insert_with(|| Track::new(sample, now_ms));
            track.let_back(config, sample, now_ms);
        }
        let most = (config.most_ejected * samples.len() as f64) as usize;
        let is_out = |track: &Track| matches!(track.standing, Standing::Ejected { .. });
        let mut out = self.tracks.values().filter(|t| is_out(t)).count();
        let mut standings = Vec::with_capacity(samples.len());
        for sample in samples {
            let Some(track) = self.tracks.get_mut(sample.id) else { continue };
            if !is_out(track) && track.fails(config, sample) && out < most {
                track.eject(config, now_ms);
                out += 1;
            }
            track.slide(config, sample, now_ms);
            standings.push(track.standing);
        }
        standings
    }

    /// How often the endpoint has been ejected.
    pub fn ejections(&self, id: &str) -> u64 {
        self.tracks.get(id).map_or(0, |t| t.ejections)
    }
}

impl Default for Outliers {
    fn default() -> Self {
        Self::new()
    }
}

impl Track {
    /// Counts from before the first sample are taken into the first window, so that a crash on arrival is seen.
    fn new(sample: &Sample<'_>, now_ms: u64) -> Self {
        let (successes, failures) = (0, 0);
        let forgiven = sample.failures.saturating_sub(sample.consecutive_failures);
        let standing = Standing::Healthy;
        Self {
            standing,
            successes,
            failures,
            window_start_ms: now_ms,
            forgiven,
            severity: 0,
            back_since_ms: 0,
            ejections: 0,
        }
    }

    fn let_back(&mut self, config: &OutlierConfig, sample: &Sample<'_>, now_ms: u64) {
        match self.standing {
            Standing::Ejected { until_ms } if now_ms >= until_ms => {
                self.standing = Standing::Probation;
                self.back_since_ms = now_ms;
                self.restart(sample, now_ms);
                self.forgiven = sample.failures;
            }
            Standing::Probation if sample.successes > self.successes && sample.consecutive_failures == 0 => {
                self.standing = Standing::Healthy;
            }
            Standing::Healthy if self.severity > 0 => {
                let sound_ms = now_ms.saturating_sub(self.back_since_ms);
                if sound_ms >= self.length_ms(config) {
                    self.severity -= 1;
                    self.back_since_ms = now_ms;
                }
            }
            _ => {}
        }
    }

    fn fails(&self, config: &OutlierConfig, sample: &Sample<'_>) -> bool {
        let recent = sample.failures.saturating_sub(self.forgiven).min(sample.consecutive_failures);
        if self.standing == Standing::Probation && recent > 0 {
            return true;
        }
        let run = u64::from(config.consecutive_failures);
        if run > 0 && recent >= run {
            return true;
        }
        let failures = sample.failures.saturating_sub(self.failures.max(self.forgiven));
        let answers = failures + sample.successes.saturating_sub(self.successes);
        answers >= config.least_requests && failures as f64 > config.failure_rate * answers as f64
    }

    /// Time out at the present severity.
    fn length_ms(&self, config: &OutlierConfig) -> u64 {
        let doubled = config.base_ejection.saturating_mul(1 << self.severity.saturating_sub(1).min(20));
        doubled.min(config.longest_ejection).as_millis() as u64
    }

    fn eject(&mut self, config: &OutlierConfig, now_ms: u64) {
        self.severity += 1;
        self.ejections += 1;
        self.standing = Standing::Ejected { until_ms: now_ms + self.length_ms(config) };
    }

    fn slide(&mut self, config: &OutlierConfig, sample: &Sample<'_>, now_ms: u64) {
        if now_ms.saturating_sub(self.window_start_ms) >= config.window.as_millis() as u64 {
            self.restart(sample, now_ms);
        }
    }

    fn restart(&mut self, sample: &Sample<'_>, now_ms: u64) {
        (self.successes, self.failures, self.window_start_ms) = (sample.successes, sample.failures, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(id: &str, successes: u64, failures: u64, consecutive_failures: u64) -> Sample<'_> {
        Sample { id, successes, failures, consecutive_failures }
    }

    fn others() -> [Sample<'static>; 3] {
        ["b", "c", "d"].map(|id| sample(id, 100, 0, 0))
    }

    fn tick(outliers: &mut Outliers, now_ms: u64, first: Sample<'_>) -> Standing {
        let mut all = vec![first];
        all.extend(others());
        outliers.tick(&OutlierConfig::default(), now_ms, &all)[0]
    }

    #[test]
    fn a_run_ejects_and_time_out_doubles_until_it_is_sound() {
        let mut outliers = Outliers::new();
        assert_eq!(tick(&mut outliers, 0, sample("a", 10, 4, 4)), Standing::Healthy);
        assert_eq!(tick(&mut outliers, 100, sample("a", 10, 5, 5)), Standing::Ejected { until_ms: 5_100 });
        // Requests that were on their way fail as well; they do not count twice.
        assert_eq!(tick(&mut outliers, 5_100, sample("a", 10, 9, 9)), Standing::Probation);
        assert_eq!(tick(&mut outliers, 5_200, sample("a", 10, 10, 10)), Standing::Ejected { until_ms: 15_200 });
        assert_eq!(tick(&mut outliers, 15_200, sample("a", 10, 10, 10)), Standing::Probation);
        assert_eq!(tick(&mut outliers, 15_300, sample("a", 11, 10, 0)), Standing::Healthy);
        assert_eq!(outliers.ejections("a"), 2);
        // Sound for 10 s and 5 s: the severity is forgotten.
        tick(&mut outliers, 25_300, sample("a", 50, 10, 0));
        tick(&mut outliers, 30_300, sample("a", 60, 10, 0));
        let again = tick(&mut outliers, 30_400, sample("a", 60, 15, 5));
        assert_eq!(again, Standing::Ejected { until_ms: 35_400 });
    }

    #[test]
    fn a_high_share_ejects_without_a_run() {
        let mut outliers = Outliers::new();
        assert_eq!(tick(&mut outliers, 0, sample("a", 0, 0, 0)), Standing::Healthy);
        assert_eq!(tick(&mut outliers, 500, sample("a", 5, 14, 2)), Standing::Healthy);
        assert!(matches!(tick(&mut outliers, 600, sample("a", 6, 14, 0)), Standing::Ejected { .. }));
    }

    #[test]
    fn a_lone_endpoint_stays() {
        let mut outliers = Outliers::new();
        let standings = outliers.tick(&OutlierConfig::default(), 0, &[sample("a", 0, 99, 99)]);
        assert_eq!(standings, [Standing::Healthy]);
        assert!(is_panic(1, 4, 0.5) && !is_panic(2, 4, 0.5) && !is_panic(0, 0, 0.5));
    }

    proptest! {
        /// Never more out than allowed, whatever fails.
        #[test]
        fn most_ejected_holds(steps in proptest::collection::vec((0..8_usize, 0..9_u64, 0..4_u64), 1..80), share in 0.0..=1.0_f64) {
            let config = OutlierConfig { most_ejected: share, ..OutlierConfig::default() };
            let ids = ["0", "1", "2", "3", "4", "5", "6", "7"];
            let mut counts = [(0_u64, 0_u64, 0_u64); 8];
            let mut outliers = Outliers::new();
            for (i, (who, failures, successes)) in steps.into_iter().enumerate() {
                let (ok, failed, run) = &mut counts[who];
                *ok += successes;
                *failed += failures;
                *run = if successes > 0 { failures } else { *run + failures };
                let samples: Vec<_> = ids.iter().zip(&counts).map(|(id, c)| sample(id, c.0, c.1, c.2)).collect();
                let standings = outliers.tick(&config, i as u64 * 300, &samples);
                let out = standings.iter().filter(|s| matches!(s, Standing::Ejected { .. })).count();
                prop_assert!(out <= (share * 8.0) as usize);
            }
        }
    }

    #[test]
    fn defaults_are_in_range() {
        assert_eq!(OutlierConfig::default().check(), Ok(()));
        assert!(OutlierConfig { longest_ejection: Duration::ZERO, ..OutlierConfig::default() }.check().is_err());
    }
}
