//! What can be wrong with a service, a policy or a scenario.

/// Causes of refusal in scaling.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// No policy of that id.
    #[error("no policy {name:?}; there are {available}")]
    NoSuchPolicy {
        /// What was asked for.
        name: String,
        /// The ids there are, comma separated.
        available: String,
    },
    /// A policy's forecasting model cannot be built.
    #[error("the policy's model: {0}")]
    NoModel(#[from] foresail_forecast::Error),
    /// A policy cannot be used with this service model.
    #[error("policy {policy:?} needs service model {needs}")]
    WrongService {
        /// The policy.
        policy: String,
        /// The service model it needs.
        needs: &'static str,
    },
    /// Nothing to replay.
    #[error("a scenario needs at least two ticks of load, there are {0}")]
    EmptyScenario(usize),
}

/// Refuses `value` unless `accepted`.
#[expect(clippy::needless_pass_by_value, reason = "numbers and literals are handed over as they are")]
pub(crate) fn check(
    accepted: bool,
    parameter: &'static str,
    value: impl ToString,
    range: &'static str,
) -> Result<(), Error> {
    if accepted { Ok(()) } else { Err(Error::BadParameter { parameter, value: value.to_string(), range }) }
}
