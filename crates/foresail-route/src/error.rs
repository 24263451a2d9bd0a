//! What can be wrong with a routing setting.

/// Causes of refusal in routing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting out of its range.
    #[error("{key} is {value}, accepted is {range}")]
    OutOfRange {
        /// Its key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What is accepted.
        range: &'static str,
    },
    /// Learned state written by another version.
    #[error("learned state is of version {found}, version {read} is read")]
    OtherVersion {
        /// Its version.
        found: u32,
        /// The version that can be read.
        read: u32,
    },
    /// Learned state of another policy.
    #[error("learned state is not that of policy {policy}")]
    OtherPolicy {
        /// The policy it was offered to.
        policy: &'static str,
    },
    /// Another balancer's statistics that cannot have come about.
    #[error("statistics of sender {sender} are not sound")]
    UnsoundStatistics {
        /// Who sent them.
        sender: u64,
    },
}

/// Refuses `value` unless `accepted`.
#[expect(clippy::needless_pass_by_value, reason = "numbers are handed over as they are")]
pub(crate) fn check(accepted: bool, key: &'static str, value: impl ToString, range: &'static str) -> Result<(), Error> {
    if accepted { Ok(()) } else { Err(Error::OutOfRange { key, value: value.to_string(), range }) }
}
