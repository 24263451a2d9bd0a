//! Decomposition of a stream, one row at a time.
//!
//! OneShotSTL (He, Li, Tan, Wu & Li, *OneShotSTL: one-shot seasonal-trend decomposition for online time series anomaly
//! detection and forecasting*, PVLDB 16(6), 2023) takes as trend `τ` and season `s` of the row `y` what makes
//!
//! ```text
//! Σ (y - τ - s)² + κ (s - v)² + λ₁ |τ - τ₋₁| + λ₂ |τ - 2τ₋₁ + τ₋₂|
//! ```
//!
//! smallest, `v` being what the season was one round before; absolute differences let the trend have steps and bends.
//! Each pass of iterated reweighting is kept up on its own, so that a row costs O(1) whatever the season's length.
//!
//! Here the season is eliminated first: given `τ` it is `v + (y - v - τ) / (1 + κ)`, which leaves `κ / (1 + κ) (y - v - τ)²`.
//! What remains is a filter of two states a pass, the last two values of the trend, held as a quadratic form: the banded
//! factorisation of the paper without its bands. With several seasons the same elimination splits what they miss in
//! proportion to `1 / κ` of each.

use serde::{Deserialize, Serialize};

/// Passes of reweighting.
const PASSES: usize = 8;
/// Differences below this share of the scale count as it: the weight of an absolute value is one over twice it.
const LEAST: f64 = 1e-3;

/// Trend, seasons and remainder of a stream, kept up at O(1) a row and season.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamingStl {
    /// The unit in which penalties are told: the size of the noise.
    scale: f64,
    step_penalty: f64,
    bend_penalty: f64,
    seasons: Vec<SeasonTrack>,
    passes: Vec<Pass>,
    /// Rows so far.
    rows: u64,
}

/// A row taken apart: trend, seasons and remainder add up to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// What is neither a season's nor noise.
    pub trend: f64,
    /// The sum of the seasons.
    pub seasonal: f64,
    /// The rest.
    pub remainder: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SeasonTrack {
    /// One effect a place; the row to come is at place `rows % len`.
    effects: Vec<f64>,
    /// 1 / κ: how readily it changes.
    readiness: f64,
}

/// What one pass of reweighting knows of the trend's last two values `(τ, τ₋₁)`: the form
/// `xx τ² + 2 xy τ τ₋₁ + yy τ₋₁² - 2 (x τ + y τ₋₁)`, smallest where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Pass {
    xx: f64,
    xy: f64,
    yy: f64,
    x: f64,
    y: f64,
}

impl StreamingStl {
    /// With seasons of `lengths` rows, the first row at place 0 of each. `scale` is the size of the noise, in which
    /// `step_penalty` (λ₁) and `bend_penalty` (λ₂) are told, and `readiness` is the share of what it missed that a season
    /// takes up (within (0, 1), for all of them together).
    pub fn new(lengths: &[usize], scale: f64, (step_penalty, bend_penalty): (f64, f64), readiness: f64) -> Self {
        let share = readiness.clamp(1e-6, 1.0 - 1e-6);
        // Of κ alike, the share is n/κ / (1 + n/κ).
        let each = share / (1.0 - share) / lengths.len().max(1) as f64;
        let track = |length: &usize| SeasonTrack { effects: vec![0.0; (*length).max(1)], readiness: each };
        Self {
            scale: if scale > 0.0 && scale.is_finite() { scale } else { 1.0 },
            step_penalty: step_penalty.max(0.0),
            bend_penalty: bend_penalty.max(0.0),
            seasons: lengths.iter().map(track).collect(),
            passes: vec![Pass::default(); PASSES],
            rows: 0,
        }
    }

    /// Begins with seasons that are known, in the order of the lengths; what does not fit is left out.
    pub fn set_season(&mut self, index: usize, effects: &[f64]) {
        if let Some(track) = self.seasons.get_mut(index).filter(|track| track.effects.len() == effects.len()) {
            track.effects.copy_from_slice(effects);
        }
    }

    /// The sum of the seasons `ahead` rows after the row to come.
    pub fn seasonal(&self, ahead: usize) -> f64 {
        let place = |length: usize| ((self.rows + ahead as u64) % length as u64) as usize;
        self.seasons.iter().map(|track| track.effects[place(track.effects.len())]).sum()
    }

    /// Takes in a row. A gap, or a value that is not finite, moves the seasons on, and tells nothing.
    pub fn push(&mut self, value: Option<f64>) -> Option<Components> {
        let before = self.seasonal(0);
        let taken = value.filter(|value| value.is_finite()).map(|value| {
            let all: f64 = self.seasons.iter().map(|track| track.readiness).sum();
            let rest = value - before;
            let trend = self.scale * self.filter(rest / self.scale, 1.0 / (1.0 + all));
            let miss = (rest - trend) / (1.0 + all);
            for track in &mut self.seasons {
                let place = (self.rows % track.effects.len() as u64) as usize;
                track.effects[place] += track.readiness * miss;
            }
            Components { trend, seasonal: before + all * miss, remainder: miss }
        });
        self.rows += 1;
        taken
    }

    /// Moves on by `rows` rows of which nothing is known.
    pub fn skip(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Rows so far, gaps included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The trend at a row that is `value` without its seasons and counts by `share`.
    fn filter(&mut self, value: f64, share: f64) -> f64 {
        let (mut by_step, mut by_bend) = (1.0, 1.0);
        let mut trend = value;
        for pass in &mut self.passes {
            let (now, last, before) =
                pass.advance(value, share, self.step_penalty * by_step, self.bend_penalty * by_bend);
            by_step = 0.5 / (now - last).abs().max(LEAST);
            by_bend = 0.5 / (now - 2.0 * last + before).abs().max(LEAST);
            trend = now;
        }
        trend
    }

    /// Whether restored state can be gone on with.
    pub(super) fn is_sound(&self) -> bool {
        self.seasons.iter().all(|track| !track.effects.is_empty()) && self.passes.len() == PASSES
    }
}

impl Pass {
    /// Adds a row and what ties the trend to its past, and gives the trend's last three values. On the first rows, when
    /// there is no past, the trend is what was seen.
    fn advance(&mut self, value: f64, share: f64, step: f64, bend: f64) -> (f64, f64, f64) {
        if self.xx == 0.0 {
            *self = Self { xx: share, xy: 0.0, yy: 1e-9, x: share * value, y: 1e-9 * value };
            return (value, value, value);
        }
        // The form in (τ, τ₋₁, τ₋₂): data on τ; step on τ - τ₋₁; bend on τ - 2τ₋₁ + τ₋₂; the past on (τ₋₁, τ₋₂).
        let (aa, ab, ac) = (share + step + bend, -step - 2.0 * bend, bend);
        let (bb, bc, cc) = (step + 4.0 * bend + self.xx, -2.0 * bend + self.xy, bend + self.yy);
        let (a, b, c) = (share * value, self.x, self.y);
        // τ₋₂ at its best is (c - ac τ - bc τ₋₁) / cc.
        let (on_a, on_b) = (ac / cc, bc / cc);
        *self = Self { xx: aa - ac * on_a, xy: ab - ac * on_b, yy: bb - bc * on_b, x: a - c * on_a, y: b - c * on_b };
        let determinant = self.xx * self.yy - self.xy * self.xy;
        let now = (self.x * self.yy - self.y * self.xy) / determinant;
        let last = (self.y * self.xx - self.x * self.xy) / determinant;
        if !(now.is_finite() && last.is_finite()) {
            *self = Self::default();
            return (value, value, value);
        }
        (now, last, (c - ac * now - bc * last) / cc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    /// With weights that do not change, the filter's newest value is that of the whole least-squares problem.
    #[test]
    fn a_pass_solves_the_whole_problem() {
        let values = [3.0, 5.0, 4.0, 8.0, 9.0, 7.0, 12.0];
        let (share, step, bend) = (0.7, 2.0, 5.0);
        let mut pass = Pass::default();
        let mut newest = 0.0;
        for value in values {
            newest = pass.advance(value, share, step, bend).0;
        }
        // Gradient descent on all values of the trend at once. The first row begins the past: a second, all but free,
        // value lies before it.
        let mut trend = vec![3.0; values.len() + 1];
        for _ in 0..200_000 {
            let mut slope = vec![0.0; trend.len()];
            slope[0] += 1e-9 * (trend[0] - values[0]);
            for i in 1..trend.len() {
                slope[i] += share * (trend[i] - values[i - 1]);
                if i > 1 {
                    let by = step * (trend[i] - trend[i - 1]);
                    slope[i] += by;
                    slope[i - 1] -= by;
                    let by = bend * (trend[i] - 2.0 * trend[i - 1] + trend[i - 2]);
                    slope[i] += by;
                    slope[i - 1] -= 2.0 * by;
                    slope[i - 2] += by;
                }
            }
            trend.iter_mut().zip(&slope).for_each(|(value, slope)| *value -= 0.01 * slope);
        }
        assert!((newest - trend[values.len()]).abs() < 1e-6, "{newest} {trend:?}");
    }

    #[test]
    fn steps_bends_and_seasons_are_followed() {
        let mut rng = SeededRng::seed_from_u64(8);
        let mut stl = StreamingStl::new(&[4, 12], 0.2, (3.0, 30.0), 0.3);
        let season = |i: usize| [2.0, -1.0, -2.0, 1.0][i % 4] + if i % 12 < 6 { 0.5 } else { -0.5 };
        let trend = |i: usize| {
            if i < 400 {
                10.0
            } else if i < 700 {
                15.0
            } else {
                15.0 + 0.02 * (i - 700) as f64
            }
        };
        let (mut error, mut count) = (0.0, 0.0);
        for i in 0..1000 {
            let parts = stl.push(Some(trend(i) + season(i) + 0.2 * rng.normal())).unwrap();
            if (i > 200 && i < 400) || (i > 420 && i < 700) || i > 760 {
                error += (parts.trend - trend(i)).abs();
                count += 1.0;
            }
        }
        assert!(error < 0.5 * count, "{}", error / count);
        for ahead in 0..12 {
            assert!((stl.seasonal(ahead) - season(1000 + ahead)).abs() < 0.4, "{ahead}: {}", stl.seasonal(ahead));
        }
    }

    #[test]
    fn parts_add_up_and_gaps_pass() {
        let mut stl = StreamingStl::new(&[3], 1.0, (1.0, 1.0), 0.3);
        for i in 0..50_u32 {
            let value = f64::from(i * i % 7);
            let parts = stl.push(Some(value)).unwrap();
            assert!((parts.trend + parts.seasonal + parts.remainder - value).abs() < 1e-9);
        }
        let (now, later) = (stl.seasonal(0), stl.seasonal(1));
        assert_eq!(stl.push(None), None);
        assert_eq!(stl.push(Some(f64::NAN)), None);
        assert_eq!((stl.seasonal(1), stl.seasonal(2)), (now, later));
        let text = serde_json::to_string(&stl).unwrap();
        let mut restored: StreamingStl = serde_json::from_str(&text).unwrap();
        assert_eq!((restored.push(Some(3.0)), restored), (stl.push(Some(3.0)), stl));
    }
}
