//! What is remembered of an endpoint: discounted sums over its answers, by how many requests they met.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::balancer::feedback::Feedback;

/// Answers count for at most so many, so that a busy endpoint's past does not outweigh its present.
const MOST: f64 = 200.0;
/// Longer latencies count as this, ms: sums stay finite.
const MOST_MS: f64 = 1e7;
/// Over how long the rate of answers is taken.
const FLOW: Duration = Duration::from_secs(2);

/// Requests in flight are told apart one by one up to eight, then two steps for every doubling.
pub(super) const BINS: usize = 17;

/// The bin of so many others in flight.
fn bin(others: u32) -> usize {
    if others < 8 {
        return others as usize;
    }
    let octave = others.ilog2();
    let half = (others >> (octave - 1)) & 1;
    (8 + 2 * (octave - 3) + half).min(BINS as u32 - 1) as usize
}

/// Answers that met about as many others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::balancer) struct Bin {
    pub(super) n: f64,
    /// Requests there, the answered one included.
    pub(super) present: f64,
    pub(super) y: f64,
}

impl Bin {
    pub(super) fn scale(&mut self, share: f64) {
        self.n *= share;
        self.present *= share;
        self.y *= share;
    }
}

/// Discounted sums over answers: latency by requests in flight, of those that are no failures; and how many were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::balancer) struct Sums {
    at_ms: u64,
    pub(super) bins: [Bin; BINS],
    pub(super) n: f64,
    pub(super) yy: f64,
    pub(super) tries: f64,
    pub(super) failures: f64,
    /// Answers over the last [`FLOW`] or so.
    flow: f64,
}

impl Sums {
    /// Forgets as much as the time since the last call asks for.
    pub(in crate::balancer) fn fade(&mut self, now_ms: u64, memory: Duration) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        if passed > 0 {
            let left = |of: Duration| (-(passed as f64) / 1000.0 / of.as_secs_f64().max(1e-3)).exp();
            let share = left(memory);
            self.keep(share);
            self.keep_tries(share);
            self.flow *= left(FLOW);
        }
    }

    /// Takes in an answer that weighs so much, up to 1.
    pub(super) fn push(&mut self, feedback: &Feedback, weight: f64) {
        self.tries += weight;
        self.flow += 1.0;
        match feedback.success_ms() {
            None => self.failures += weight,
            Some(y) => {
                let y = y.min(MOST_MS);
                let bin = &mut self.bins[bin(feedback.in_flight)];
                bin.n += weight;
                bin.present += weight * (f64::from(feedback.in_flight) + 1.0);
                bin.y += weight * y;
                self.n += weight;
                self.yy += weight * y * y;
            }
        }
        *self = self.bounded();
    }

    /// Counting for no more answers than one balancer keeps.
    pub(in crate::balancer) fn bounded(mut self) -> Self {
        if self.n > MOST {
            self.keep(MOST / self.n);
        }
        if self.tries > MOST {
            self.keep_tries(MOST / self.tries);
        }
        self
    }

    fn keep(&mut self, share: f64) {
        self.bins.iter_mut().for_each(|bin| bin.scale(share));
        self.n *= share;
        self.yy *= share;
    }

    fn keep_tries(&mut self, share: f64) {
        self.tries *= share;
        self.failures *= share;
    }

    /// The bin of answers that met so many others.
    pub(super) fn bin_mut(&mut self, others: u32) -> &mut Bin {
        &mut self.bins[bin(others)]
    }

    /// Both together, as of the later time.
    pub(in crate::balancer) fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (bin, more) in sum.bins.iter_mut().zip(&other.bins) {
            bin.n += more.n;
            bin.present += more.present;
            bin.y += more.y;
        }
        sum.at_ms = self.at_ms.max(other.at_ms);
        sum.n += other.n;
        sum.yy += other.yy;
        sum.tries += other.tries;
        sum.failures += other.failures;
        sum.flow += other.flow;
        sum
    }

    /// As if they were of `now_ms` of another clock.
    pub(super) fn dated(self, now_ms: u64) -> Self {
        Self { at_ms: now_ms, ..self }
    }

    /// Requests there on the mean, by Little's law, and the mean latency in ms.
    pub(super) fn usual(&self) -> (f64, f64) {
        let y = self.bins.iter().map(|bin| bin.y).sum::<f64>() / self.n.max(1e-9);
        (self.rate() * y, y)
    }

    /// Whether an honest sender could have them: finite, not negative, no more than one balancer keeps.
    pub(super) fn is_sound(&self) -> bool {
        let bins = self.bins.iter().flat_map(|bin| [bin.n, bin.present, bin.y]);
        let all = bins.chain([self.n, self.yy, self.tries, self.failures, self.flow]);
        let counted: f64 = self.bins.iter().map(|bin| bin.n).sum();
        all.into_iter().all(|sum| sum.is_finite() && sum >= 0.0)
            && self.n <= MOST + 1.0
            && self.tries <= MOST + 1.0
            && self.failures <= self.tries + 1e-6
            && (counted - self.n).abs() <= 1e-6 * self.n.max(1.0)
    }

    pub(super) fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Answers a ms.
    pub(super) fn rate(&self) -> f64 {
        self.flow / (FLOW.as_secs_f64() * 1_000.0)
    }

    /// Squared deviations of latencies from the mean of their bin, over the squared means: that of chance alone.
    pub(super) fn variation(&self) -> f64 {
        let explained: f64 = self.bins.iter().filter(|bin| bin.n > 1e-3).map(|bin| bin.y * bin.y / bin.n).sum();
        ((self.yy - explained) / explained.max(1e-12)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_in_order_and_enough() {
        let bins: Vec<usize> = (0..2_000).map(bin).collect();
        assert!(bins.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
        assert_eq!((bins[7], bins[8], bins[11], bins[12], bins[16], bins[1_999]), (7, 8, 8, 9, 10, BINS - 1));
        assert_eq!(bin(u32::MAX), BINS - 1);
    }
}
