//! The latest answers of one endpoint: bounded in number and in age, with exact running sums.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::feedback::LatencyPrediction;

/// Successes that the latency predictor looks at.
const PREDICTED_FROM: usize = 50;

/// Arrival in ms and latency in µs, `None` for a failure.
type Entry = (u64, Option<u32>);

/// Sums are kept in whole microseconds, so that adding and taking away leaves no rounding behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub(super) struct History {
    entries: VecDeque<Entry>,
    failures: u64,
    sum_us: u64,
    squares_us: u128,
}

/// What a history amounts to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) error_rate: f64,
    /// Mean in ms and variance in ms² of the successes; `None` if there are none.
    pub(super) latency: Option<(f64, f64)>,
}

impl History {
    /// Takes in an answer and drops what is beyond `capacity` or older than `window_ms`.
    pub(super) fn push(&mut self, at_ms: u64, latency_ms: Option<f64>, capacity: usize, window_ms: u64) {
        self.add((at_ms, latency_ms.map(|ms| (ms * 1000.0).round() as u32)));
        let is_old = |entry: &Entry| at_ms.saturating_sub(entry.0) > window_ms;
        while self.entries.len() > capacity.max(1) || self.entries.front().is_some_and(is_old) {
            self.drop_oldest();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// `None` if nothing is known.
    pub(super) fn summary(&self) -> Option<Summary> {
        let count = self.entries.len() as u64;
        if count == 0 {
            return None;
        }
        let successes = count - self.failures;
        let latency = (successes > 0).then(|| {
            let n = u128::from(successes);
            let spread = n * self.squares_us - u128::from(self.sum_us).pow(2);
            (self.sum_us as f64 / n as f64 / 1e3, spread as f64 / (n * n) as f64 / 1e6)
        });
        Some(Summary { error_rate: self.failures as f64 / count as f64, latency })
    }

    /// The next latency, from the last fifty successes: weights from e⁰ for the oldest to e¹ for the newest, and their
    /// plain standard deviation. `None` without a success.
    pub(super) fn predict(&self) -> Option<LatencyPrediction> {
        let mut latest: Vec<f64> =
            self.entries.iter().rev().filter_map(|e| e.1).take(PREDICTED_FROM).map(|us| f64::from(us) / 1e3).collect();
        latest.reverse();
        let n = latest.len();
        if n == 0 {
            return None;
        }
        let last = (n - 1).max(1) as f64;
        let (mut total, mut sum) = (0.0, 0.0);
        for (i, latency) in latest.iter().enumerate() {
            let weight = (i as f64 / last).exp();
            (total, sum) = (total + weight, sum + weight * latency);
        }
        let mean_ms = sum / total;
        let plain = latest.iter().sum::<f64>() / n as f64;
        let deviation = (latest.iter().map(|x| (x - plain).powi(2)).sum::<f64>() / n as f64).sqrt();
        Some(LatencyPrediction {
            mean_ms,
            low_ms: mean_ms - deviation,
            high_ms: mean_ms + deviation,
            confidence: (n as f64 / PREDICTED_FROM as f64).min(1.0),
        })
    }

    fn add(&mut self, entry: Entry) {
        match entry.1 {
            Some(us) => {
                self.sum_us += u64::from(us);
                self.squares_us += u128::from(us).pow(2);
            }
            None => self.failures += 1,
        }
        self.entries.push_back(entry);
    }

    fn drop_oldest(&mut self) {
        match self.entries.pop_front() {
            Some((_, Some(us))) => {
                self.sum_us -= u64::from(us);
                self.squares_us -= u128::from(us).pow(2);
            }
            Some((_, None)) => self.failures -= 1,
            None => {}
        }
    }
}

impl From<Vec<Entry>> for History {
    fn from(entries: Vec<Entry>) -> Self {
        let mut history = Self::default();
        entries.into_iter().for_each(|entry| history.add(entry));
        history
    }
}

impl From<History> for Vec<Entry> {
    fn from(history: History) -> Self {
        history.entries.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn predicts_from_the_last_fifty_with_weight_on_the_newest() {
        let mut history = History::default();
        assert_eq!(history.predict(), None);
        history.push(0, Some(10.0), 1000, 300_000);
        let one = history.predict().unwrap();
        assert_eq!((one.mean_ms, one.low_ms, one.high_ms, one.confidence), (10.0, 10.0, 10.0, 0.02));
        history.push(1, None, 1000, 300_000);
        history.push(2, Some(20.0), 1000, 300_000);
        let e = std::f64::consts::E;
        let two = history.predict().unwrap();
        assert!((two.mean_ms - (10.0 + 20.0 * e) / (1.0 + e)).abs() < 1e-9);
        assert!((two.high_ms - two.mean_ms - 5.0).abs() < 1e-9 && (two.confidence - 0.04).abs() < 1e-12);
        for at in 0..60 {
            history.push(3 + at, Some(30.0), 1000, 300_000);
        }
        let full = history.predict().unwrap();
        assert!((full.mean_ms - 30.0).abs() < 1e-9 && full.confidence == 1.0 && full.high_ms - full.low_ms < 1e-9);
    }

    #[test]
    fn five_minutes_later_it_is_forgotten() {
        let mut history = History::default();
        history.push(0, None, 1000, 300_000);
        history.push(300_000, Some(5.0), 1000, 300_000);
        assert_eq!(history.summary().unwrap().error_rate, 0.5);
        history.push(300_001, Some(5.0), 1000, 300_000);
        assert_eq!(history.summary().unwrap().error_rate, 0.0);
    }

    proptest! {
        /// The running sums are those of what is in the window, and the window keeps its bound.
        #[test]
        fn sums_are_those_of_the_window(answers in proptest::collection::vec((0..50_u64, proptest::option::of(0.0..500.0_f64)), 1..200)) {
            let (mut history, mut now) = (History::default(), 0);
            for (step, latency) in answers {
                now += step;
                history.push(now, latency, 40, 600);
                prop_assert!(history.len() <= 40);
            }
            let ms: Vec<f64> = history.entries.iter().filter_map(|e| e.1).map(|us| f64::from(us) / 1e3).collect();
            match history.summary().unwrap().latency {
                None => prop_assert!(ms.is_empty()),
                Some((mean, variance)) => {
                    let n = ms.len() as f64;
                    let expected = ms.iter().sum::<f64>() / n;
                    prop_assert!((mean - expected).abs() < 1e-6);
                    prop_assert!((variance - ms.iter().map(|x| (x - expected).powi(2)).sum::<f64>() / n).abs() < 1e-3);
                }
            }
            prop_assert_eq!(History::from(Vec::from(history.clone())), history);
        }
    }
}
