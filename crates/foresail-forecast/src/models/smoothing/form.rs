//! The thirty forms of exponential smoothing (Hyndman, Koehler, Ord & Snyder, *Forecasting with Exponential Smoothing: the
//! State Space Approach*, 2008, §2.5, tables 2.2 and 2.3) and their weights.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the error joins the forecast of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Noise {
    /// Of the same size at any level.
    Additive,
    /// In proportion to the forecast.
    Multiplicative,
}

/// How the level moves on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Trend {
    None,
    Additive,
    AdditiveDamped,
    Multiplicative,
    MultiplicativeDamped,
}

/// How the season joins the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Seasonal {
    None,
    Additive,
    Multiplicative,
}

/// The components of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Form {
    pub(in super::super) noise: Noise,
    pub(in super::super) trend: Trend,
    pub(in super::super) seasonal: Seasonal,
}

/// Smoothing weights in error-correction form: what share of a one-step error each component takes up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Weights {
    /// Of the level.
    pub(in super::super) alpha: f64,
    /// Of the slope; 0 without a trend.
    pub(in super::super) beta: f64,
    /// Of the season; 0 without a season.
    pub(in super::super) gamma: f64,
    /// What remains of the slope after a step: within [0.8, 0.98] if damped, else 1.
    pub(in super::super) phi: f64,
}

impl Trend {
    pub(in super::super) const ALL: [Self; 5] =
        [Self::None, Self::Additive, Self::AdditiveDamped, Self::Multiplicative, Self::MultiplicativeDamped];

    pub(in super::super) fn is_damped(self) -> bool {
        matches!(self, Self::AdditiveDamped | Self::MultiplicativeDamped)
    }

    pub(in super::super) fn is_multiplicative(self) -> bool {
        matches!(self, Self::Multiplicative | Self::MultiplicativeDamped)
    }
}

impl Form {
    /// Every form, those of additive noise first, then by trend, then by season.
    pub(in super::super) fn all() -> impl Iterator<Item = Self> {
        [Noise::Additive, Noise::Multiplicative].into_iter().flat_map(|noise| {
            Trend::ALL.into_iter().flat_map(move |trend| {
                [Seasonal::None, Seasonal::Additive, Seasonal::Multiplicative].map(|seasonal| Self {
                    noise,
                    trend,
                    seasonal,
                })
            })
        })
    }

    /// Smoothing weights to be found.
    pub(super) fn weights(self) -> usize {
        let trend = usize::from(self.trend != Trend::None) + usize::from(self.trend.is_damped());
        1 + trend + usize::from(self.seasonal != Seasonal::None)
    }

    /// Parameters that the data determine, for a season of `rows`: weights, starting states (the effects of a season have
    /// a fixed sum) and the error's variance.
    pub(in super::super) fn parameters(self, rows: usize) -> usize {
        let slope = usize::from(self.trend != Trend::None);
        let season = if self.seasonal == Seasonal::None { 0 } else { rows - 1 };
        self.weights() + 1 + slope + season + 1
    }

    /// Whether a component is a factor, which makes sense for values above zero alone.
    pub(in super::super) fn needs_positive(self) -> bool {
        self.noise == Noise::Multiplicative
            || self.trend.is_multiplicative()
            || self.seasonal == Seasonal::Multiplicative
    }

    /// Whether its forecasts have no finite variance or its recursion can divide by what nears zero: additive noise beside
    /// a component that is a factor, and a growing level beside an added season (Hyndman et al. 2008, §15.2; what
    /// `forecast::ets` and statsforecast leave out as well).
    pub(in super::super) fn is_unstable(self) -> bool {
        match self.noise {
            Noise::Additive => self.trend.is_multiplicative() || self.seasonal == Seasonal::Multiplicative,
            Noise::Multiplicative => self.trend.is_multiplicative() && self.seasonal == Seasonal::Additive,
        }
    }
}

impl fmt::Display for Form {
    /// As the literature writes it: error, trend, season, as in `AAdM`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noise = match self.noise {
            Noise::Additive => "A",
            Noise::Multiplicative => "M",
        };
        let trend = match self.trend {
            Trend::None => "N",
            Trend::Additive => "A",
            Trend::AdditiveDamped => "Ad",
            Trend::Multiplicative => "M",
            Trend::MultiplicativeDamped => "Md",
        };
        let seasonal = match self.seasonal {
            Seasonal::None => "N",
            Seasonal::Additive => "A",
            Seasonal::Multiplicative => "M",
        };
        write!(f, "{noise}{trend}{seasonal}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_thirty_forms_fifteen_of_which_are_stable_without_a_growing_trend() {
        let names: Vec<String> = Form::all().map(|form| form.to_string()).collect();
        assert_eq!(names.len(), 30);
        assert_eq!((names[0].as_str(), names[8].as_str(), names[29].as_str()), ("ANN", "AAdM", "MMdM"));
        let usual = Form::all().filter(|form| !form.is_unstable() && !form.trend.is_multiplicative());
        assert_eq!(usual.count(), 15);
    }

    #[test]
    fn parameters_are_counted_as_in_the_textbook() {
        let count = |trend, seasonal| Form { noise: Noise::Additive, trend, seasonal }.parameters(4);
        // FPP3, §8.6: k counts weights, starting states and the variance.
        assert_eq!(count(Trend::None, Seasonal::None), 3);
        assert_eq!(count(Trend::AdditiveDamped, Seasonal::None), 6);
        assert_eq!(count(Trend::Additive, Seasonal::Multiplicative), 9);
    }
}
