//! Why a model cannot be fitted or a backtest cannot run.

/// Causes of refusal in forecasting.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The history cannot identify the model.
    #[error("history has {got} observed rows, the model needs {needed}")]
    TooShort {
        /// Rows the model needs.
        needed: usize,
        /// Rows there are.
        got: usize,
    },
    /// A model that multiplies its parts, and values that are not all above zero.
    #[error("the model has factors, and not every value is above zero")]
    NotPositive,
    /// No model of that name.
    #[error("no model {name:?}; there are {available}")]
    NoSuchModel {
        /// What was asked for.
        name: String,
        /// The models there are, comma separated.
        available: String,
    },
    /// A parameter out of its range.
    #[error("{parameter} is {value}, accepted is {range}")]
    BadParameter {
        /// Its name.
        parameter: &'static str,
        /// The value given.
        value: String,
        /// What is accepted.
        range: &'static str,
    },
    /// Saved state that cannot be restored.
    #[error("saved model cannot be restored: {0}")]
    BadSnapshot(String),
}
