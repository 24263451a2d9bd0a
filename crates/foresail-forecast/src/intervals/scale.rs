//! How large is the error of a forecast likely to be, before it is known?
//!
//! The likely error of a forecast is a product of powers of what is known at its origin: recent errors over three spans
//! (as in Corsi's HAR model of volatility, "A simple approximate long-memory model of realized volatility", 2009), usual
//! errors at that time of day and minute of the hour, the level forecast, and how far the forecast departs from the last value. The exponents are
//! learned online by gradient steps on the likelihood of Laplace errors, so that a feature which says nothing of this
//! series at this step loses its weight.

use serde::{Deserialize, Serialize};

/// Features of one forecast: logarithms of ratios, so that 0 says "as usual"; the first is the constant.
pub(super) type Features = [f32; 8];

/// What is known at an origin beside past errors, on the bent scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The forecast.
    pub(super) center: f64,
    /// The last value observed.
    pub(super) last: f64,
    /// Usual magnitude of the series.
    pub(super) level: f64,
    /// Error usual at the target's time of day over the error usual at any, positive.
    pub(super) time_of_day: f64,
    /// The same of the minute of its hour.
    pub(super) time_of_hour: f64,
}

/// Half-lives in scored rows of the short and middle means of errors; the long one is half a day, the usual one a week.
const SHORT: f64 = 8.0;
const MIDDLE: f64 = 48.0;
/// An error moves the recent means by no more than this many usual errors.
const CLIP: f64 = 8.0;
/// Recent errors are taken as at least this share of the usual one.
const FLOOR: f64 = 0.02;
const LEARNING_RATE: f64 = 0.01;

/// The scale of errors at one step ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scale {
    /// By how much a new error moves the usual one and the recent ones, in the long run.
    rates: [f64; 4],
    count: f64,
    usual: f64,
    recent: [f64; 3],
    weights: [f64; 8],
    squares: [f64; 8],
}

impl Scale {
    /// `day` is a day in rows; `guess` the error to expect before any was seen, at least 0.
    pub(super) fn new(day: f64, guess: f64) -> Self {
        let rate = |half_life: f64| 1.0 - 0.5_f64.powf(1.0 / half_life);
        Self {
            rates: [7.0 * day, SHORT, MIDDLE, (0.5 * day).max(2.0 * MIDDLE)].map(rate),
            count: 0.0,
            usual: guess,
            recent: [guess; 3],
            weights: [0.0, 0.3, 0.3, 0.4, 0.0, 0.0, 0.0, 0.0],
            squares: [0.01; 8],
        }
    }

    /// Mean magnitude of errors over the last week or so.
    pub(super) fn usual(&self) -> f64 {
        self.usual
    }

    pub(super) fn features(&self, context: &Context) -> Features {
        let least = (FLOOR * self.usual).max(f64::MIN_POSITIVE);
        let ratio = |error: f64| (error.max(least) / self.usual.max(least)).ln() as f32;
        let usually = |ratio: f64| ratio.clamp(FLOOR, 1.0 / FLOOR).ln() as f32;
        let level = 1.05 * context.level + f64::MIN_POSITIVE;
        let above = ((context.center.abs() + 0.05 * context.level) / level).clamp(0.01, 100.0);
        [
            1.0,
            ratio(self.recent[0]),
            ratio(self.recent[1]),
            ratio(self.recent[2]),
            usually(context.time_of_day),
            usually(context.time_of_hour),
            above.ln() as f32,
            ratio((context.center - context.last).abs()).min(5.0),
        ]
    }

    /// The likely magnitude of the error; 0 only where no error was ever seen.
    pub(super) fn predict(&self, features: &Features) -> f64 {
        let power: f64 = self.weights.iter().zip(features).map(|(w, x)| w * f64::from(*x)).sum();
        self.usual * power.clamp(-5.0, 3.0).exp()
    }

    /// Takes in the magnitude of an error of a forecast that had these features and that scale.
    pub(super) fn learn(&mut self, features: &Features, predicted: f64, error: f64) {
        if predicted > 0.0 {
            let slope = (1.0 - error / predicted).clamp(-3.0, 1.0);
            for ((weight, square), x) in self.weights.iter_mut().zip(&mut self.squares).zip(features) {
                let gradient = slope * f64::from(*x);
                *square += gradient * gradient;
                *weight -= LEARNING_RATE * gradient / square.sqrt();
            }
        }
        self.count += 1.0;
        let least = 1.0 / self.count;
        let [usually, recently @ ..] = self.rates;
        self.usual += (error - self.usual) * usually.max(least);
        let clipped = error.min(CLIP * self.usual);
        for (mean, rate) in self.recent.iter_mut().zip(recently) {
            *mean += (clipped - *mean) * rate.max(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    #[test]
    fn learns_that_errors_follow_the_level() {
        let mut scale = Scale::new(1440.0, 1.0);
        let mut rng = SeededRng::seed_from_u64(3);
        let context =
            |level: f64| Context { center: level, last: level, level: 10.0, time_of_day: 1.0, time_of_hour: 1.0 };
        for i in 0..20_000 {
            let level = if i % 2 == 0 { 5.0 } else { 20.0 };
            let features = scale.features(&context(level));
            let predicted = scale.predict(&features);
            scale.learn(&features, predicted, (0.1 * level * rng.normal()).abs());
        }
        let at = |level: f64| scale.predict(&scale.features(&context(level)));
        let ratio = at(20.0) / at(5.0);
        assert!((3.0..5.0).contains(&ratio), "errors grow fourfold, learned {ratio}");
    }

    #[test]
    fn without_errors_there_is_no_scale_and_no_nan() {
        let mut scale = Scale::new(24.0, 0.0);
        let context = Context { center: 0.0, last: 0.0, level: 0.0, time_of_day: 1.0, time_of_hour: 1.0 };
        for _ in 0..10 {
            let features = scale.features(&context);
            let predicted = scale.predict(&features);
            assert_eq!(predicted, 0.0);
            scale.learn(&features, predicted, 0.0);
        }
        let features = scale.features(&context);
        scale.learn(&features, 0.0, 3.0);
        assert!(scale.predict(&scale.features(&context)) > 0.0);
    }
}
