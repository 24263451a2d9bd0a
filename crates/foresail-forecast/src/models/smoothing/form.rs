//! Which components a smoothing model has, and their weights.

use serde::{Deserialize, Serialize};

/// How the level moves on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Trend {
    None,
    Additive,
    Damped,
}

/// How the season joins the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Seasonal {
    None,
    Additive,
    Multiplicative,
}

/// The components of a model (FPP3, §8.4), all with additive errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Form {
    pub(in super::super) trend: Trend,
    pub(in super::super) seasonal: Seasonal,
}

/// Smoothing weights in error-correction form: what share of a one-step error each component takes up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Weights {
    /// Of the level, within (0, 1).
    pub(in super::super) alpha: f64,
    /// Of the slope, within (0, alpha); 0 without a trend.
    pub(in super::super) beta: f64,
    /// Of the season, within (0, 1 - alpha); 0 without a season.
    pub(in super::super) gamma: f64,
    /// What remains of the slope after a step: within [0.8, 0.98] if damped, else 1.
    pub(in super::super) phi: f64,
}

impl Form {
    /// Smoothing weights to be found.
    pub(super) fn weights(self) -> usize {
        let trend = match self.trend {
            Trend::None => 0,
            Trend::Additive => 1,
            Trend::Damped => 2,
        };
        1 + trend + usize::from(self.seasonal != Seasonal::None)
    }

    /// Parameters that the data determine, for a season of `rows`: weights, starting states and the error's variance.
    pub(super) fn parameters(self, rows: usize) -> usize {
        let slope = usize::from(self.trend != Trend::None);
        let season = if self.seasonal == Seasonal::None { 0 } else { rows - 1 };
        self.weights() + 1 + slope + season + 1
    }

    /// Weights from coordinates on the whole line, one a free weight, each pressed into its range by a logistic curve.
    pub(super) fn weights_at(self, point: &[f64]) -> Weights {
        let mut rest = point.iter().map(|x| 1.0 / (1.0 + (-x).exp()));
        let mut next = || rest.next().unwrap_or(0.5);
        let alpha = next().clamp(1e-4, 0.9999);
        let beta = if self.trend == Trend::None { 0.0 } else { alpha * next().clamp(1e-4, 0.9999) };
        let gamma = if self.seasonal == Seasonal::None { 0.0 } else { (1.0 - alpha) * next().clamp(1e-4, 0.9999) };
        let phi = if self.trend == Trend::Damped { 0.8 + 0.18 * next() } else { 1.0 };
        Weights { alpha, beta, gamma, phi }
    }
}

/// Inverse of the logistic curve, for a share within (0, 1).
pub(super) fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_as_in_the_textbook() {
        let count = |trend, seasonal| Form { trend, seasonal }.parameters(4);
        // FPP3, §8.6: k counts weights, starting states and the variance.
        assert_eq!(count(Trend::None, Seasonal::None), 3);
        assert_eq!(count(Trend::Damped, Seasonal::None), 6);
        assert_eq!(count(Trend::Additive, Seasonal::Multiplicative), 9);
    }

    #[test]
    fn weights_keep_their_ranges_anywhere_on_the_line() {
        let form = Form { trend: Trend::Damped, seasonal: Seasonal::Additive };
        for x in [-1e3, -1.0, 0.0, 1.0, 1e3] {
            let w = form.weights_at(&[x, -x, x, x]);
            assert!(w.alpha > 0.0 && w.alpha < 1.0 && w.beta > 0.0 && w.beta < w.alpha, "{w:?}");
            assert!(w.gamma > 0.0 && w.gamma < 1.0 - w.alpha && (0.8..=0.98).contains(&w.phi), "{w:?}");
        }
        assert!((form.weights_at(&[logit(0.3), 0.0, 0.0, 0.0]).alpha - 0.3).abs() < 1e-12);
    }
}
