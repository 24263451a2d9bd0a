//! What can keep a proxy from starting or reloading.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Causes of refusal.
#[derive(Debug, thiserror::Error)]
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
    /// A balancer or health setting out of its range.
    #[error(transparent)]
    Route(#[from] foresail_route::Error),
    /// A setting of the guard out of its range.
    #[error(transparent)]
    Guard(#[from] foresail_guard::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A certificate, key or list of authorities is no good.
    #[error("{}: {cause}", path.display())]
    Certificate {
        /// The file it is from.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A GeoIP database is no good.
    #[error("guard.geoip: {}: {cause}", path.display())]
    Geoip {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Two endpoints of one id.
    #[error("endpoint {0:?} is given twice")]
    DuplicateEndpoint(String),
    /// A worker thread could not be started.
    #[error("cannot start a worker: {0}")]
    Worker(std::io::Error),
    /// A reload wants what only a restart can do.
    #[error("{0} cannot change without a restart")]
    NeedsRestart(&'static str),
}

impl Error {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Listen { .. } | Self::Worker(_))
    }
}

/// Refuses `value` unless `accepted`.
#[expect(clippy::needless_pass_by_value, reason = "numbers are handed over as they are")]
pub(crate) fn check(accepted: bool, key: &'static str, value: impl ToString, range: &'static str) -> Result<(), Error> {
    if accepted { Ok(()) } else { Err(Error::OutOfRange { key, value: value.to_string(), range }) }
}
