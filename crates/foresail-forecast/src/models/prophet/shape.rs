//! How parameters and regressors make a value, and how it changes with each parameter.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::basis::{CONSTANT, TIME};

/// How the trend follows from its line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Trend {
    /// It is the line.
    Linear,
    /// `cap` / (1 + exp(−line)), where the line is k (t − m) + Σ δ (t − c)+: Prophet's offsets γ keep the curve
    /// continuous at every changepoint c, which is to say that this line is.
    Logistic { cap: f64 },
    /// It is the constant.
    Flat,
}

/// The model's formula: trend × (1 + multiplicative terms) + additive terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) trend: Trend,
    /// Columns of the trend's changes.
    pub(super) changes: Range<usize>,
    /// For each column that is none of the trend's, whether its term is a share of the trend.
    pub(super) multiplicative: Vec<bool>,
}

/// A value in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) trend: f64,
    /// The trend's line, before any curve.
    pub(super) line: f64,
    /// One and the multiplicative terms.
    pub(super) factor: f64,
    pub(super) added: f64,
}

impl Parts {
    /// The value they make.
    pub(super) fn value(&self) -> f64 {
        self.trend * self.factor + self.added
    }
}

impl Shape {
    /// Whether the value is linear in the parameters, so that its derivatives are the regressors themselves.
    pub(super) fn is_linear(&self) -> bool {
        !matches!(self.trend, Trend::Logistic { .. }) && !self.multiplicative.contains(&true)
    }

    /// The trend that this line makes.
    pub(super) fn curve(&self, line: f64) -> f64 {
        match self.trend {
            Trend::Linear | Trend::Flat => line,
            Trend::Logistic { cap } => cap / (1.0 + (-line).exp()),
        }
    }

    /// The value at `row` in parts. O(columns).
    pub(super) fn parts(&self, theta: &[f64], row: &[f64]) -> Parts {
        let dot = |columns: Range<usize>| -> f64 {
            theta[columns.clone()].iter().zip(&row[columns]).map(|(a, b)| a * b).sum()
        };
        let (k, m) = (theta[TIME], theta[CONSTANT]);
        let line = match self.trend {
            Trend::Linear => k * row[TIME] + m + dot(self.changes.clone()),
            Trend::Logistic { .. } => k * (row[TIME] - m) + dot(self.changes.clone()),
            Trend::Flat => m,
        };
        let (mut factor, mut added) = (1.0, 0.0);
        if self.multiplicative.contains(&true) {
            for column in self.terms() {
                let term = theta[column] * row[column];
                if self.multiplicative[column] {
                    factor += term;
                } else {
                    added += term;
                }
            }
        } else {
            added = dot(CONSTANT + 1..self.changes.start) + dot(self.changes.end..row.len());
        }
        Parts { trend: self.curve(line), line, factor, added }
    }

    /// Turns `row` into the value's derivatives by each parameter, and gives the value.
    pub(super) fn linearise(&self, theta: &[f64], row: &mut [f64]) -> f64 {
        let parts = self.parts(theta, row);
        let slope = match self.trend {
            Trend::Linear => 1.0,
            Trend::Logistic { cap } => {
                let share = parts.trend / cap;
                row[CONSTANT] = -theta[TIME];
                row[TIME] -= theta[CONSTANT];
                cap * share * (1.0 - share)
            }
            Trend::Flat => {
                row[TIME] = 0.0;
                1.0
            }
        };
        let by_line = slope * parts.factor;
        for column in [TIME, CONSTANT].into_iter().chain(self.changes.clone()) {
            row[column] *= by_line;
        }
        for column in self.terms().filter(|column| self.multiplicative[*column]) {
            row[column] *= parts.trend;
        }
        parts.value()
    }

    /// Columns that are none of the trend's.
    fn terms(&self) -> impl Iterator<Item = usize> + '_ {
        (CONSTANT + 1..self.changes.start).chain(self.changes.end..self.multiplicative.len())
    }

    /// Whether restored state fits rows of `size` columns.
    pub(super) fn is_sound(&self, size: usize) -> bool {
        self.multiplicative.len() == size
            && self.changes.start > CONSTANT
            && self.changes.start <= self.changes.end
            && self.changes.end <= size
            && !matches!(self.trend, Trend::Logistic { cap } if cap.is_nan() || cap <= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(trend: Trend, multiplicative: [bool; 5], theta: [f64; 5]) {
        let shape = Shape { trend, changes: 2..3, multiplicative: multiplicative.to_vec() };
        let row = [0.7, 1.0, 0.3, 0.5, -1.0];
        let mut slopes = row;
        let value = shape.linearise(&theta, &mut slopes);
        for i in 0..5 {
            let step = 1e-6;
            let at = |by: f64| {
                let mut moved = theta;
                moved[i] += by;
                shape.parts(&moved, &row).value()
            };
            let expected = (at(step) - at(-step)) / (2.0 * step);
            assert!((slopes[i] - expected).abs() < 1e-7, "{trend:?} by {i}: {} for {expected}", slopes[i]);
        }
        assert_eq!(value, shape.parts(&theta, &row).value());
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let theta = [1.3, 0.4, -0.6, 0.2, 0.35];
        for multiplicative in [[false; 5], [false, false, false, true, false], [false, false, false, true, true]] {
            for trend in [Trend::Linear, Trend::Logistic { cap: 1.7 }, Trend::Flat] {
                let theta = if trend == Trend::Flat { [0.0, 0.4, 0.0, 0.2, 0.35] } else { theta };
                let shape = Shape { trend, changes: 2..3, multiplicative: multiplicative.to_vec() };
                if trend == Trend::Flat {
                    // A constant has no slope and no changes, whatever the row says of time.
                    assert_eq!(shape.parts(&theta, &[9.0, 1.0, 9.0, 0.0, 0.0]).trend, 0.4);
                } else {
                    check(trend, multiplicative, theta);
                }
            }
        }
    }

    #[test]
    fn the_parts_of_a_line_with_a_season() {
        let shape = Shape { trend: Trend::Linear, changes: 2..3, multiplicative: vec![false, false, false, true] };
        let parts = shape.parts(&[2.0, 1.0, 4.0, 0.5], &[0.5, 1.0, 0.25, 0.2]);
        assert_eq!(parts, Parts { trend: 3.0, line: 3.0, factor: 1.1, added: 0.0 });
        assert!((parts.value() - 3.3).abs() < 1e-12);
        assert!(!shape.is_linear());
    }
}
