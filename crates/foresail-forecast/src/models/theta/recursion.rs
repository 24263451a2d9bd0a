//! The recursion of the theta models in the form of Fiorucci et al. (2016, §2 and §3).

use serde::{Deserialize, Serialize};

/// What is searched for: how fast the level follows, and how much of the line is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Weights {
    /// Smoothing weight of the level, within [0.1, 0.99].
    pub(super) alpha: f64,
    /// `1 - 1/θ`, within [0, 1]: 0.5 is the standard method's θ of 2.
    pub(super) line: f64,
}

/// Level and least-squares line at some row, with the weights that use them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recursion {
    pub(super) weights: Weights,
    /// Whether the line goes on being fitted to what is forecast (the dynamic models) or is held (the standard ones).
    pub(super) dynamic: bool,
    pub(super) level: f64,
    pub(super) line: Line,
    /// `(1 - alpha)^rows`.
    pub(super) decay: f64,
}

/// The least-squares line through all rows so far, kept up row by row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Rows so far.
    pub(super) rows: f64,
    mean: f64,
    /// Value one row before the first.
    pub(super) intercept: f64,
    pub(super) slope: f64,
}

impl Line {
    /// Takes in one more row (Fiorucci et al. 2016, equations 13 to 15).
    #[inline]
    pub(super) fn push(&mut self, value: f64) {
        let before = self.rows;
        self.rows += 1.0;
        if before == 0.0 {
            (self.mean, self.intercept) = (value, value);
            return;
        }
        let beyond = value - self.mean;
        self.slope = ((before - 1.0) * self.slope + 6.0 * beyond / self.rows) / (self.rows + 1.0);
        self.mean += beyond / self.rows;
        self.intercept = self.mean - self.slope * (self.rows + 1.0) / 2.0;
    }

    /// What the line adds to the forecast of the next row, before it is weighed; `decay` is `(1 - alpha)^rows`.
    #[inline]
    pub(super) fn drift(&self, alpha: f64, decay: f64) -> f64 {
        self.intercept * decay + self.slope * (1.0 - decay * (1.0 - alpha)) / alpha
    }
}

impl Recursion {
    /// The forecast of the next row.
    fn expected(&self) -> f64 {
        self.level + self.weights.line * self.line.drift(self.weights.alpha, self.decay)
    }

    /// Moves the level on to `value`.
    fn follow(&mut self, value: f64) {
        self.level += self.weights.alpha * (value - self.level);
        self.decay *= 1.0 - self.weights.alpha;
    }

    /// Takes in one more row; a gap counts as what was expected there.
    pub(super) fn step(&mut self, value: Option<f64>) {
        let value = value.unwrap_or_else(|| self.expected());
        self.follow(value);
        self.line.push(value);
    }

    /// The next `horizon` rows: each is taken for seen before the one after it is forecast.
    pub(super) fn ahead(&self, horizon: usize) -> Vec<f64> {
        let mut state = self.clone();
        (0..horizon)
            .map(|_| {
                let value = state.expected();
                state.follow(value);
                if state.dynamic {
                    state.line.push(value);
                }
                value
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(values: &[f64], dynamic: bool, alpha: f64, start: f64) -> Recursion {
        let weights = Weights { alpha, line: 0.5 };
        let mut state = Recursion { weights, dynamic, level: start, line: Line::default(), decay: 1.0 };
        values.iter().for_each(|value| state.step(Some(*value)));
        state
    }

    #[test]
    fn the_line_is_that_of_least_squares_at_every_row() {
        let values = [3.0, 5.0, 4.0, 8.0, 9.0, 7.0, 12.0];
        let mut line = Line::default();
        for (i, value) in values.iter().enumerate() {
            line.push(*value);
            let n = i as f64 + 1.0;
            let (mean_x, mean_y) = ((n + 1.0) / 2.0, values[..=i].iter().sum::<f64>() / n);
            let (mut xx, mut xy) = (0.0, 0.0);
            for (x, y) in (1..).map(f64::from).zip(&values[..=i]) {
                xx += (x - mean_x) * (x - mean_x);
                xy += (x - mean_x) * (y - mean_y);
            }
            let slope = if xx > 0.0 { xy / xx } else { 0.0 };
            assert!((line.slope - slope).abs() < 1e-12 && (line.intercept - mean_y + slope * mean_x).abs() < 1e-12);
        }
    }

    /// Hyndman & Billah (2003, §3): the standard method is simple smoothing with a drift of half the line's slope.
    #[test]
    fn the_standard_method_is_smoothing_with_drift() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i) * 0.7 + 10.0 * f64::from(i).sin()).collect();
        let state = after(&values, false, 0.3, 1.0);
        let smoothed = values.iter().fold(1.0, |level, y| level + 0.3 * (y - level));
        for (ahead, value) in state.ahead(20).iter().enumerate() {
            let drift = 0.5 * state.line.slope * (ahead as f64 + 1.0 / 0.3);
            assert!((value - smoothed - drift).abs() < 1e-9, "{ahead}: {value}");
        }
    }

    #[test]
    fn a_gap_counts_as_what_was_expected() {
        let mut state = after(&[3.0, 5.0, 4.0, 8.0], true, 0.4, 2.0);
        let ahead = state.ahead(3);
        state.step(None);
        state.step(None);
        assert!((state.ahead(1)[0] - ahead[2]).abs() < 1e-12);
    }
}
