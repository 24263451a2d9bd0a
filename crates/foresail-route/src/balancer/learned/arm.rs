//! One endpoint's regression, and what it costs beside the fleet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::View;
use crate::balancer::feedback::Feedback;

/// Answers count for at most so many, so that a busy endpoint's past does not outweigh its present.
const MOST: f64 = 200.0;
/// Longer latencies count as this, ms: sums stay finite.
const MOST_MS: f64 = 1e7;
/// An endpoint of which less is known has nothing of its own to say.
const LEAST: f64 = 1.0;
/// Within so many standard errors an endpoint is one of the fleet.
const SIGNIFICANT: f64 = 2.0;

/// Discounted sums over answers: latency `y` on requests in flight `r`, for those that are no failures; and how many were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sums {
    at_ms: u64,
    n: f64,
    r: f64,
    y: f64,
    rr: f64,
    ry: f64,
    yy: f64,
    tries: f64,
    failures: f64,
}

impl Sums {
    /// Forgets as much as the time since the last call asks for.
    pub(crate) fn fade(&mut self, now_ms: u64, memory: Duration) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        if passed > 0 {
            let share = (-(passed as f64) / 1000.0 / memory.as_secs_f64().max(1e-3)).exp();
            self.keep(share);
            self.keep_tries(share);
        }
    }

    pub(crate) fn push(&mut self, feedback: &Feedback) {
        self.tries += 1.0;
        match feedback.success_ms() {
            None => self.failures += 1.0,
            Some(y) => {
                let y = y.min(MOST_MS);
                let r = f64::from(feedback.in_flight);
                self.n += 1.0;
                self.r += r;
                self.y += y;
                self.rr += r * r;
                self.ry += r * y;
                self.yy += y * y;
                self.keep((MOST / self.n).min(1.0));
            }
        }
        self.keep_tries((MOST / self.tries).min(1.0));
    }

    fn keep(&mut self, share: f64) {
        for sum in [&mut self.n, &mut self.r, &mut self.y, &mut self.rr, &mut self.ry, &mut self.yy] {
            *sum *= share;
        }
    }

    fn keep_tries(&mut self, share: f64) {
        self.tries *= share;
        self.failures *= share;
    }

    pub(super) fn at_ms(&self) -> u64 {
        self.at_ms
    }

    pub(super) fn answers(&self) -> f64 {
        self.tries
    }

    pub(super) fn successes(&self) -> f64 {
        self.n
    }

    /// The regression, if enough is known.
    fn line(&self) -> Option<Line> {
        if self.n < LEAST {
            return None;
        }
        let (r, y) = (self.r / self.n, self.y / self.n);
        let r_variance = (self.rr / self.n - r * r).max(0.0);
        // Queues fill before they are seen to, so a slope is at least what a few slots would make of it.
        let floor = 0.25 * y / (r + 4.0);
        let slope = if r_variance > 1e-6 { (self.ry / self.n - r * y) / r_variance } else { floor };
        let variance = (self.yy / self.n - y * y - slope * slope * r_variance).max(0.0);
        Some(Line { n: self.n, r, y, r_variance, slope: slope.max(floor), variance })
    }
}

/// Latency on requests in flight.
#[derive(Clone, Copy)]
struct Line {
    n: f64,
    r: f64,
    y: f64,
    r_variance: f64,
    slope: f64,
    /// Of the residuals, ms².
    variance: f64,
}

/// What the endpoints have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fleet {
    /// Requests in flight at an endpoint, on the mean of the answers.
    in_flight: f64,
    /// The median of the latencies at that many, ms.
    pub(super) level_ms: f64,
    /// The median of the slopes, as a share of the latency.
    steepness: f64,
    /// Standard deviation of latency over its mean.
    variation: f64,
    /// Share of all answers that are failures.
    failure_rate: f64,
}

/// Nothing is known: all cost alike, and twice as much with one in flight.
impl Default for Fleet {
    fn default() -> Self {
        Self { in_flight: 0.0, level_ms: 1.0, steepness: 0.5, variation: 0.5, failure_rate: 0.0 }
    }
}

impl Fleet {
    pub(crate) fn of<'a>(arms: impl Iterator<Item = &'a Sums>) -> Self {
        let (mut lines, mut tries, mut failures) = (Vec::new(), 0.0, 0.0);
        for sums in arms {
            (tries, failures) = (tries + sums.tries, failures + sums.failures);
            lines.extend(sums.line());
        }
        let failure_rate = if tries > 0.0 { failures / tries } else { 0.0 };
        let known: f64 = lines.iter().map(|line| line.n).sum();
        if known < LEAST {
            return Self { failure_rate, ..Self::default() };
        }
        let share = |of: fn(&Line) -> f64| lines.iter().map(|line| line.n * of(line)).sum::<f64>() / known;
        let mut fleet = Self {
            in_flight: share(|line| line.r),
            steepness: median(lines.iter().map(|line| line.slope / line.y.max(1e-6))),
            variation: share(|line| line.variance / (line.y * line.y).max(1e-12)).sqrt().clamp(0.05, 2.0),
            failure_rate,
            ..Self::default()
        };
        fleet.level_ms = median(lines.iter().map(|line| fleet.level(line, fleet.slope(line)).0)).max(1e-3);
        fleet
    }

    /// An endpoint's slope, the fleet's unless it is plainly another.
    fn slope(&self, line: &Line) -> f64 {
        let common = self.steepness * line.y;
        let error = self.variation * line.y / (line.n * line.r_variance.max(1e-6)).sqrt();
        common + kept(line.slope - common, error) * (line.slope - common)
    }

    /// An endpoint's latency with as many in flight as is usual, and its standard error.
    fn level(&self, line: &Line, slope: f64) -> (f64, f64) {
        let reach = self.in_flight - line.r;
        let level = (line.y + slope * reach).max(0.1 * line.y);
        let error = self.variation * line.y * ((1.0 + reach * reach / line.r_variance.max(0.5)) / line.n).sqrt();
        (level, error)
    }

    pub(crate) fn cost(&self, sums: &Sums) -> Cost {
        let failures = self.failure_odds(sums);
        let Some(line) = sums.line() else {
            let slope = self.steepness * self.level_ms;
            return Cost { level_ms: self.level_ms, slope, in_flight: self.in_flight, error_ms: 0.0, failures };
        };
        let slope = self.slope(&line);
        let (level, error) = self.level(&line, slope);
        let own = kept(level - self.level_ms, error);
        let level_ms = self.level_ms + own * (level - self.level_ms);
        Cost { level_ms, slope, in_flight: self.in_flight, error_ms: own * error, failures }
    }

    /// Failures expected before a success, as far as they are plainly more than the fleet's.
    fn failure_odds(&self, sums: &Sums) -> f64 {
        let usual = sums.tries * self.failure_rate;
        let error = (usual * (1.0 - self.failure_rate) + 0.25).sqrt();
        let excess = (sums.failures - usual - SIGNIFICANT * error).max(0.0) / sums.tries.max(1e-9);
        let rate = (self.failure_rate + excess).min(0.99);
        rate / (1.0 - rate)
    }
}

/// The share of a difference that is kept: none within the error, nearly all far beyond it.
fn kept(difference: f64, error: f64) -> f64 {
    let ratio = SIGNIFICANT * error / difference.abs();
    if ratio < 1.0 { 1.0 - ratio * ratio } else { 0.0 }
}

/// 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// What a pick reckons with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Latency with `in_flight` others, ms.
    pub(crate) level_ms: f64,
    /// Latency that one more in flight adds, ms.
    pub(crate) slope: f64,
    /// See `level_ms`.
    pub(crate) in_flight: f64,
    /// Standard error of the level, ms.
    pub(super) error_ms: f64,
    /// Failures expected before a success.
    failures: f64,
}

impl Cost {
    /// The marginal cost of a request in ms, with `draw` standard errors of doubt.
    pub(super) fn of(&self, view: &View, failure_cost_ms: f64, draw: f64) -> f64 {
        let others = f64::from(view.in_flight);
        let latency = self.level_ms + self.slope * (others - self.in_flight) + self.error_ms * draw;
        let latency = latency.max(0.1 * self.level_ms);
        latency + self.slope * others + self.failures * (latency + failure_cost_ms)
    }
}

/// One endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arm {
    pub(super) sums: Sums,
    pub(super) cost: Cost,
}

impl From<Sums> for Arm {
    fn from(sums: Sums) -> Self {
        Self { sums, cost: Fleet::default().cost(&sums) }
    }
}

impl Default for Arm {
    fn default() -> Self {
        Self::from(Sums::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(latency: impl Fn(u32) -> f64, count: u32) -> Sums {
        let mut sums = Sums::default();
        for i in 0..count {
            let in_flight = i % 8;
            sums.push(&Feedback { key: 0, context: None, latency_ms: Some(latency(in_flight)), in_flight, at_ms: 0 });
        }
        sums
    }

    #[test]
    fn a_line_is_found_and_priced_at_the_margin() {
        let sums = answers(|r| 10.0 + 3.0 * f64::from(r), 400);
        let fleet = Fleet::of([sums].iter());
        assert!((fleet.level_ms - (10.0 + 3.0 * fleet.in_flight)).abs() < 1e-6, "{fleet:?}");
        let cost = fleet.cost(&sums);
        for r in 0..20_u32 {
            let view = View { in_flight: r, ..View::default() };
            assert!((cost.of(&view, 1000.0, 0.0) - (10.0 + 6.0 * f64::from(r))).abs() < 1e-6, "{r}");
        }
    }

    #[test]
    fn even_endpoints_are_one_fleet_and_uneven_ones_are_not() {
        let noisy = |mean: f64, phase: u32| {
            move |r: u32| mean * (0.7 + 0.6 * f64::from((r * 5 + phase) % 8) / 7.0) + f64::from(r)
        };
        let even: Vec<Sums> = (0..6).map(|i| answers(noisy(20.0, i), 60)).collect();
        let fleet = Fleet::of(even.iter());
        assert!(even.iter().all(|sums| fleet.cost(sums).level_ms == fleet.level_ms));
        let slow = answers(noisy(100.0, 3), 60);
        let mixed: Vec<Sums> = even.iter().copied().chain([slow]).collect();
        let fleet = Fleet::of(mixed.iter());
        let cost = fleet.cost(&slow);
        assert!(cost.level_ms > 70.0 && cost.error_ms > 0.0, "{cost:?}");
        assert!(fleet.cost(&even[0]).level_ms < 30.0);
    }

    #[test]
    fn failures_cost_once_they_are_no_accident_and_are_forgotten() {
        let mut sums = answers(|_| 20.0, 100);
        let fail = Feedback { key: 0, context: None, latency_ms: None, in_flight: 0, at_ms: 0 };
        let fine = answers(|_| 20.0, 200);
        let odds = |sums: &Sums| Fleet::of([fine, fine, fine, fine, *sums].iter()).cost(sums).failures;
        sums.push(&fail);
        assert!(odds(&sums) < 0.01, "{}", odds(&sums));
        (0..30).for_each(|_| sums.push(&fail));
        assert!(odds(&sums) > 0.15, "{}", odds(&sums));
        sums.fade(60_000, Duration::from_secs(10));
        assert!(odds(&sums) < 0.05, "{}", odds(&sums));
        assert!(sums.answers() < 1.0 && sums.at_ms() == 60_000);
    }

    #[test]
    fn the_past_does_not_outweigh_the_present() {
        let mut sums = answers(|_| 10.0, 10_000);
        assert!(sums.successes() <= MOST);
        for _ in 0..400 {
            sums.push(&Feedback { key: 0, context: None, latency_ms: Some(50.0), in_flight: 3, at_ms: 0 });
        }
        assert!(sums.line().unwrap().y > 40.0);
    }
}
