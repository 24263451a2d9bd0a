//! All of it together, interval by interval.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::collector::{Collector, Request};
use super::features::FingerprintOptions;
use super::memory::{Neighbour, StateMemory, StoredState, Wanted};
use super::pca::OnlinePca;
use super::regimes::{RegimeChange, RegimeTracker};
use crate::{Error, Timestamp};

/// What kind of work an interval held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Start of the interval.
    pub time: Timestamp,
    /// As many numbers as there are components; 0 where there is no axis yet.
    pub vector: Vec<f64>,
    /// The regime, a number from 0 in the order of appearance.
    pub regime: usize,
    /// The change of regime that this interval completes.
    pub change: Option<RegimeChange>,
}

/// Takes in requests, closes intervals into fingerprints, remembers them with what was used, and finds those alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Fingerprinter {
    options: FingerprintOptions,
    collector: Collector,
    pca: OnlinePca,
    memory: StateMemory,
    regimes: RegimeTracker,
}

impl Fingerprinter {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// [`Error::BadOption`].
    pub fn new(options: FingerprintOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Self {
            collector: Collector::new(&options),
            pca: OnlinePca::new(options.width(), options.components, options.memory),
            memory: StateMemory::new(options.remembered),
            regimes: RegimeTracker::new(),
            options,
        })
    }

    /// Takes in a request.
    #[inline]
    pub fn record(&mut self, request: &Request<'_>) {
        self.collector.record(request);
    }

    /// What collects, for counters and for what parallel workers have collected.
    pub fn collector_mut(&mut self) -> &mut Collector {
        &mut self.collector
    }

    /// Ends the interval that began at `start` and was `span` long. `metrics` are the application's own, in the order of the
    /// options; `resource` is what the service used, in any one unit.
    pub fn close(
        &mut self,
        start: Timestamp,
        span: Duration,
        metrics: &[Option<f64>],
        resource: Option<f64>,
    ) -> Fingerprint {
        let features = self.collector.close(span, metrics, &self.options);
        self.pca.update(&features);
        let change = self.regimes.push(&self.pca, &features);
        let vector = self.pca.project(&features);
        let resource = resource.filter(|v| v.is_finite());
        self.memory.push(StoredState { time: start, features, resource });
        Fingerprint { time: start, vector, regime: self.regimes.current(), change }
    }

    /// The past states most like the last one, that began at least `apart` before it, nearest first.
    pub fn nearest(&self, apart: Duration, wanted: &Wanted) -> Vec<Neighbour> {
        let Some(latest) = self.memory.len().checked_sub(1) else { return Vec::new() };
        let time = self.memory.get(latest).map_or(Timestamp::EPOCH, |state| state.time);
        // Not after, rather than before.
        let before = (time - apart) + Duration::from_micros(1);
        self.memory.nearest(&self.pca, latest, before, wanted)
    }

    /// The states remembered.
    pub fn memory(&self) -> &StateMemory {
        &self.memory
    }

    /// The axes of fingerprints.
    pub fn pca(&self) -> &OnlinePca {
        &self.pca
    }

    /// The regimes.
    pub fn regimes(&self) -> &RegimeTracker {
        &self.regimes
    }

    /// What is fingerprinted.
    pub fn options(&self) -> &FingerprintOptions {
        &self.options
    }
}

#[derive(Deserialize)]
struct Saved {
    options: FingerprintOptions,
    collector: Collector,
    pca: OnlinePca,
    memory: StateMemory,
    regimes: RegimeTracker,
}

impl TryFrom<Saved> for Fingerprinter {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { options, collector, pca, memory, regimes } = saved;
        options.check()?;
        if pca.width() != options.width() || memory.len() > options.remembered {
            return Err(Error::BadSnapshot("fingerprints of other features than their options say".to_owned()));
        }
        Ok(Self { options, collector, pca, memory, regimes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_work_are_told_apart_found_again_and_state_goes_on_alike() {
        let options = FingerprintOptions { parameters: vec!["size".into()], ..FingerprintOptions::default() };
        let mut fingerprinter = Fingerprinter::new(options).unwrap();
        let mut rng = crate::SeededRng::seed_from_u64(4);
        let span = Duration::from_secs(10);
        let mut regimes = Vec::new();
        for interval in 0..240_i64 {
            // Two kinds of work take turns, forty intervals each, at the same rate.
            let kind = interval / 40 % 2;
            let start = Timestamp::from_secs(10 * interval);
            for i in 0..200 {
                let size = rng.exponential() * if kind == 0 { 10.0 } else { 500.0 };
                let pattern = 10 * kind as u64 + rng.below(5) as u64;
                let latency_ms = 10.0 + 0.1 * size;
                let time = start + Duration::from_millis(50 * i);
                let cost = Some(size);
                fingerprinter.record(&Request {
                    time,
                    pattern,
                    latency_ms,
                    is_error: false,
                    cost,
                    parameters: &[size],
                });
            }
            let print = fingerprinter.close(start, span, &[], Some(kind as f64));
            regimes.push(print.regime);
            if interval == 100 {
                let text = serde_json::to_string(&fingerprinter).unwrap();
                assert_eq!(serde_json::from_str::<Fingerprinter>(&text).unwrap(), fingerprinter);
            }
        }
        assert_eq!([regimes[39], regimes[79], regimes[119], regimes[159]], [0, 1, 0, 1], "{regimes:?}");
        for neighbour in fingerprinter.nearest(Duration::from_secs(600), &Wanted { count: 5, lag: 0, between: 0 }) {
            assert_eq!(fingerprinter.memory().get(neighbour.index).unwrap().resource, Some(1.0));
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let options = FingerprintOptions { components: 0, ..FingerprintOptions::default() };
        let error = Fingerprinter::new(options).err().unwrap();
        assert_eq!(error.to_string(), "components is 0, accepted is 1 to 16");
    }
}
