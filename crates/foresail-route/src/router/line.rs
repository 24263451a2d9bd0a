//! How latency grows with the requests in flight at a service: a regression each, shrunk toward what services have in common.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Answers count for at most so many, so that a busy service's past does not outweigh its present.
const MOST: f64 = 200.0;
/// Larger latencies count as this: sums stay finite.
const MOST_LATENCY: f64 = 1e7;
/// A service of which less is known has nothing of its own to say.
const LEAST: f64 = 1.0;
/// Within so many standard errors a slope is the common one.
const SIGNIFICANT: f64 = 2.0;

/// Discounted sums over answers: latency `y` on requests in flight `r`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineSums {
    at_ms: u64,
    n: f64,
    r: f64,
    y: f64,
    rr: f64,
    ry: f64,
    yy: f64,
}

/// How steeply a service's latency grows, as a share of its latency for each request in flight, and how many usually are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) steepness: f64,
    pub(super) usual: f64,
}

impl Line {
    /// Latency with `in_flight` others, as a multiple of that at the usual load.
    pub(super) fn factor(&self, in_flight: f64) -> f64 {
        (1.0 + self.steepness * (in_flight - self.usual)).max(0.2)
    }
}

impl LineSums {
    /// Forgets as much as the time since the last call asks for.
    pub(super) fn fade(&mut self, now_ms: u64, memory: Duration) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        if passed > 0 {
            self.keep((-(passed as f64) / 1000.0 / memory.as_secs_f64().max(1e-3)).exp());
        }
    }

    /// Takes in a success that met so many others.
    pub(super) fn push(&mut self, in_flight: u32, latency: f64) {
        let (r, y) = (f64::from(in_flight), latency.min(MOST_LATENCY));
        self.n += 1.0;
        self.r += r;
        self.y += y;
        self.rr += r * r;
        self.ry += r * y;
        self.yy += y * y;
        self.keep((MOST / self.n).min(1.0));
    }

    fn keep(&mut self, share: f64) {
        for sum in [&mut self.n, &mut self.r, &mut self.y, &mut self.rr, &mut self.ry, &mut self.yy] {
            *sum *= share;
        }
    }

    /// Whether restored ones can be reckoned with at `now_ms`.
    pub(super) fn is_sound(&self, now_ms: u64) -> bool {
        let Self { at_ms, n, r, y, rr, ry, yy } = *self;
        at_ms <= now_ms && [n, r, y, rr, ry, yy].iter().all(|sum| sum.is_finite() && *sum >= 0.0)
    }

    fn fit(&self) -> Option<Fit> {
        if self.n < LEAST {
            return None;
        }
        let (r, y) = (self.r / self.n, self.y / self.n);
        let r_variance = (self.rr / self.n - r * r).max(0.0);
        // Queues fill before they are seen to, so a slope is at least what a few slots would make of it.
        let floor = 0.25 * y / (r + 4.0);
        let slope = if r_variance > 1e-6 { (self.ry / self.n - r * y) / r_variance } else { floor };
        let variance = (self.yy / self.n - y * y - slope * slope * r_variance).max(0.0);
        Some(Fit { n: self.n, r, y: y.max(1e-6), r_variance, slope: slope.max(floor), variance })
    }
}

struct Fit {
    n: f64,
    r: f64,
    y: f64,
    r_variance: f64,
    slope: f64,
    /// Of the residuals.
    variance: f64,
}

/// The line of each service, in order, and last that of one of which nothing is known. A slope departs from the median as far
/// as it is plainly another (positive-part James-Stein; Efron and Morris 1973).
pub(super) fn lines<'a>(services: impl Iterator<Item = &'a LineSums>) -> Vec<Line> {
    let fits: Vec<Option<Fit>> = services.map(LineSums::fit).collect();
    let known: f64 = fits.iter().flatten().map(|fit| fit.n).sum();
    let mean = |of: fn(&Fit) -> f64| fits.iter().flatten().map(|fit| fit.n * of(fit)).sum::<f64>() / known.max(1e-9);
    let (common, variation) = if known < LEAST {
        // Nothing is known: twice as much with one in flight.
        (Line { steepness: 0.5, usual: 0.0 }, 0.5)
    } else {
        let mut steepness: Vec<f64> = fits.iter().flatten().map(|fit| fit.slope / fit.y).collect();
        let middle = steepness.len() / 2;
        let steepness = *steepness.select_nth_unstable_by(middle, f64::total_cmp).1;
        let variation = mean(|fit| fit.variance / (fit.y * fit.y)).sqrt().clamp(0.05, 2.0);
        (Line { steepness, usual: mean(|fit| fit.r) }, variation)
    };
    let own = |fit: &Fit| {
        let steepness = fit.slope / fit.y;
        let error = variation / (fit.n * fit.r_variance.max(1e-6)).sqrt();
        let difference = steepness - common.steepness;
        let ratio = SIGNIFICANT * error / difference.abs();
        let kept = if ratio < 1.0 { 1.0 - ratio * ratio } else { 0.0 };
        Line { steepness: (common.steepness + kept * difference).clamp(0.0, 10.0), ..common }
    };
    fits.iter().map(|fit| fit.as_ref().map_or(common, own)).chain([common]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(latency: impl Fn(u32) -> f64, count: u32) -> LineSums {
        let mut sums = LineSums::default();
        (0..count).for_each(|i| sums.push(i % 8, latency(i % 8)));
        sums
    }

    #[test]
    fn a_plain_difference_is_kept_and_noise_is_not() {
        let noisy = |slope: f64, phase: u32| {
            move |r: u32| 20.0 * (1.0 + slope * f64::from(r)) * (0.7 + 0.6 * f64::from((r * 5 + phase) % 8) / 7.0)
        };
        let services = [answers(noisy(0.1, 0), 60), answers(noisy(0.1, 3), 60), answers(noisy(1.5, 1), 200)];
        let lines = lines(services.iter());
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0].steepness, lines[3].steepness);
        assert!(lines[2].steepness > 1.4 * lines[0].steepness, "{lines:?}");
        assert!((lines[0].usual - 3.5).abs() < 0.3, "{lines:?}");
    }

    #[test]
    fn of_nothing_all_are_alike() {
        let unknown = Line { steepness: 0.5, usual: 0.0 };
        assert_eq!(lines([LineSums::default()].iter()), [unknown, unknown]);
        assert_eq!(lines(std::iter::empty()), [unknown]);
    }
}
