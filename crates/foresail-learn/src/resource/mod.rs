//! What a service will use, from what kind of work it is doing.

use std::collections::VecDeque;

use foresail_core::Timestamp;
use foresail_core::fingerprint::{Fingerprint, Fingerprinter, Wanted};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::linear::RecursiveLeastSquares;

/// Weight of a sample falls by this with every later one.
const FORGETTING: f64 = 0.9999;
/// Variance that weights are believed to have before anything is seen, of standardised regressors: a ridge. Intervals in a row
/// are nearly one, so it takes many to be sure.
const PRIOR: f64 = 0.003;
/// Past states looked at: how many, how far back they must be alike, so that they are going the same way, and how far apart
/// they must be, so that they are not one episode many times; in intervals.
const LAG: usize = 6;
const NEIGHBOURS: Wanted = Wanted { count: 8, lag: LAG, between: 4 * LAG };
/// Samples before the regression is believed.
const ENOUGH: u64 = 60;
/// Regressors count as this many standard deviations at most.
const CUT: f64 = 5.0;

/// Forecasts the resource use some intervals ahead by an online ridge regression of its change, on its level and recent change,
/// and, if it is to look at fingerprints, on the fingerprint, its recent change and what followed the most similar past states.
///
/// Feed it each fingerprint right after [`Fingerprinter::close`]. An update costs O(regressors²), and a search of the memory if
/// it looks at fingerprints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceForecaster {
    ahead: usize,
    looks_at_fingerprints: bool,
    model: RecursiveLeastSquares,
    /// Means and variances of the regressors, and of the change to be foretold.
    moments: Vec<Moments>,
    change: Moments,
    samples: u64,
    /// Regressors, and the resource use then, of the last intervals: the oldest comes due now.
    pending: VecDeque<Option<(Vec<f64>, f64)>>,
    /// Resource use and fingerprint of the last intervals.
    recent: VecDeque<(Option<f64>, Vec<f64>)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn push(&mut self, value: f64) {
        self.count = (self.count + 1.0).min(5_000.0);
        let over = value - self.mean;
        self.mean += over / self.count;
        self.variance += (over * (value - self.mean) - self.variance) / self.count;
    }

    fn standard(&self, value: f64) -> f64 {
        let spread = self.variance.max(0.0).sqrt().max(1e-9 + 1e-9 * self.mean.abs());
        ((value - self.mean) / spread).clamp(-CUT, CUT)
    }
}

impl ResourceForecaster {
    /// Forecasts `ahead` intervals on, 1 to 10,000; of fingerprints of `components` numbers, or without looking at them.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an `ahead` out of range.
    pub fn new(ahead: usize, components: Option<usize>) -> Result<Self, Error> {
        if !(1..=10_000).contains(&ahead) {
            return Err(Error::BadParameter { parameter: "ahead", value: ahead.to_string(), range: "1 to 10,000" });
        }
        // A constant, level and change; fingerprint and its change; what followed, as level and as change.
        let width = 3 + components.map_or(0, |count| 2 * count + 2);
        Ok(Self {
            ahead,
            looks_at_fingerprints: components.is_some(),
            model: RecursiveLeastSquares::new(vec![0.0; width], PRIOR, FORGETTING),
            moments: vec![Moments::default(); width - 1],
            change: Moments::default(),
            samples: 0,
            pending: VecDeque::new(),
            recent: VecDeque::new(),
        })
    }

    /// Takes in the interval that `fingerprinter` closed last, as `print`, and what was used in it; gives what will be used
    /// `ahead` intervals on. `None` where nothing was measured.
    pub fn push(&mut self, fingerprinter: &Fingerprinter, print: &Fingerprint, resource: Option<f64>) -> Option<f64> {
        let resource = resource.filter(|v| v.is_finite() && v.abs() <= 1e100);
        if self.pending.len() == self.ahead {
            let due = self.pending.pop_front().flatten();
            if let Some(((regressors, then), now)) = due.zip(resource) {
                self.learn(&regressors, now - then);
            }
        }
        self.recent.push_back((resource, print.vector.clone()));
        while self.recent.len() > LAG + 1 {
            self.recent.pop_front();
        }
        let regressors = resource.map(|resource| self.regressors(fingerprinter, print, resource));
        let answer = resource.zip(regressors.as_ref()).map(|(resource, x)| resource + self.expected_change(x));
        self.pending.push_back(regressors.zip(resource));
        answer
    }

    /// Regressors but for the constant.
    fn regressors(&self, fingerprinter: &Fingerprinter, print: &Fingerprint, resource: f64) -> Vec<f64> {
        let before = self.recent.front().filter(|_| self.recent.len() == LAG + 1);
        let mut x = vec![resource, before.and_then(|(then, _)| *then).map_or(0.0, |then| resource - then)];
        if self.looks_at_fingerprints {
            let count = (self.moments.len() - x.len() - 2) / 2;
            let component = |vector: &[f64], i: usize| vector.get(i).copied().unwrap_or(0.0);
            x.extend((0..count).map(|i| component(&print.vector, i)));
            let change = |i| before.map_or(0.0, |(_, then)| component(&print.vector, i) - component(then, i));
            x.extend((0..count).map(change));
            x.extend(self.followed(fingerprinter, print.time, resource));
        }
        x
    }

    /// How far resource use came to be from what it is now, and by how much it changed, after the most similar past states.
    fn followed(&self, fingerprinter: &Fingerprinter, time: Timestamp, resource: f64) -> [f64; 2] {
        let memory = fingerprinter.memory();
        // What followed must have been seen already.
        let latest = memory.len().checked_sub(1);
        let known = latest.and_then(|latest| Some((latest, memory.get(latest.checked_sub(self.ahead)?)?)));
        let Some((latest, known)) = known else { return [0.0; 2] };
        let neighbours = memory.nearest(fingerprinter.pca(), latest, known.time.min(time), &NEIGHBOURS);
        memory.what_followed(&neighbours, self.ahead).map_or([0.0; 2], |f| [f.level - resource, f.change])
    }

    fn learn(&mut self, x: &[f64], change: f64) {
        self.change.push(change);
        self.moments.iter_mut().zip(x).for_each(|(moments, x)| moments.push(*x));
        self.samples += 1;
        let row = self.standardised(x);
        let target = change / self.unit();
        self.model.update(&row, target.clamp(-CUT, CUT));
    }

    fn standardised(&self, x: &[f64]) -> Vec<f64> {
        self.moments.iter().zip(x).map(|(moments, x)| moments.standard(*x)).chain([1.0]).collect()
    }

    /// Size of a usual change.
    fn unit(&self) -> f64 {
        (self.change.variance + self.change.mean * self.change.mean).max(0.0).sqrt().max(1e-12)
    }

    fn expected_change(&self, x: &[f64]) -> f64 {
        if self.samples < ENOUGH { 0.0 } else { self.model.predict(&self.standardised(x)) * self.unit() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foresail_core::SeededRng;
    use foresail_core::fingerprint::{FingerprintOptions, Request};

    use super::*;

    /// Mean absolute error four intervals ahead, without and with fingerprints, over the last half: the kind of work changes
    /// step by step, and what it costs comes three intervals after it.
    #[test]
    fn fingerprints_tell_what_is_coming() {
        let mut fingerprinter = Fingerprinter::new(FingerprintOptions::default()).unwrap();
        let mut models = [ResourceForecaster::new(4, None).unwrap(), ResourceForecaster::new(4, Some(6)).unwrap()];
        let mut rng = SeededRng::seed_from_u64(2);
        let (span, mut errors) = (Duration::from_secs(10), [0.0; 2]);
        let kinds: Vec<u64> = (0..160)
            .scan(0, |kind, _| {
                *kind = (*kind + 1 + rng.below(2) as u64) % 4;
                Some(*kind)
            })
            .collect();
        let kind = |interval: usize| kinds[interval / 5];
        let used: Vec<f64> = (0..800)
            .map(|i: usize| [1.0, 5.0, 2.0, 9.0][kind(i.saturating_sub(3)) as usize] + 0.1 * rng.normal())
            .collect();
        let mut due: VecDeque<[Option<f64>; 2]> = VecDeque::new();
        for (interval, &spent) in used.iter().enumerate() {
            let start = Timestamp::from_secs(10 * interval as i64);
            for i in 0..40 {
                let pattern = 7 * kind(interval) + rng.below(3) as u64;
                let time = start + Duration::from_millis(250 * i);
                fingerprinter.record(&Request {
                    time,
                    pattern,
                    latency_ms: 5.0,
                    is_error: false,
                    cost: None,
                    parameters: &[],
                });
            }
            let print = fingerprinter.close(start, span, &[], Some(spent));
            let said = models.each_mut().map(|model| model.push(&fingerprinter, &print, Some(spent)));
            if due.len() == 4 && interval > 400 {
                let then = due[0];
                for (error, said) in errors.iter_mut().zip(then) {
                    *error += (said.unwrap() - spent).abs();
                }
            }
            due.push_back(said);
            if due.len() > 4 {
                due.pop_front();
            }
        }
        assert!(errors[1] < 0.7 * errors[0], "{errors:?}");
    }

    #[test]
    fn gaps_and_absurd_numbers_do_no_harm() {
        let mut fingerprinter = Fingerprinter::new(FingerprintOptions::default()).unwrap();
        let mut model = ResourceForecaster::new(2, Some(6)).unwrap();
        for interval in 0..300_i64 {
            let resource = match interval % 5 {
                0 => None,
                1 => Some(f64::NAN),
                2 => Some(1e99),
                _ => Some(interval as f64),
            };
            let start = Timestamp::from_secs(interval);
            let print = fingerprinter.close(start, Duration::from_secs(1), &[], resource);
            assert!(model.push(&fingerprinter, &print, resource).is_none_or(f64::is_finite));
        }
        assert!(ResourceForecaster::new(0, None).is_err());
    }
}
