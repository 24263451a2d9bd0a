//! Why there is no answer.

use std::fmt;
use std::io;
use std::time::Duration;

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Finding the host, reaching it and agreeing on keys.
    Connect,
    /// Waiting for the answer and reading it.
    Answer,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connection",
            Self::Answer => "answer",
        })
    }
}

/// Causes of failure. None of the messages holds a secret, a query or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that is no address to ask.
    #[error("not a usable address: {what}")]
    BadAddress {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An option that cannot be.
    #[error("{option} is not usable; expected {expected}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What can be given.
        expected: &'static str,
    },
    /// The host cannot be found or reached.
    #[error("{host}:{port} cannot be reached: {source}")]
    Connect {
        /// The host.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// No secure connection.
    #[error("no secure connection to {host}: {source}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        source: io::Error,
    },
    /// It took too long.
    #[error("no {stage} from {host} within {after:?}")]
    TimedOut {
        /// The host.
        host: String,
        /// How far it had come.
        stage: Stage,
        /// The bound.
        after: Duration,
    },
    /// The answer is longer than the bound.
    #[error("the answer of {host} is longer than {max_bytes} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// The bound.
        max_bytes: usize,
    },
    /// The host sends elsewhere, and is not followed.
    #[error("{host} answers {status} and sends to {to:?}; expected an answer of its own (set the final address)")]
    Redirected {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// Where to, cut if long.
        to: String,
    },
    /// The connection broke, or the answer is not HTTP.
    #[error("the exchange with {host} failed: {what}")]
    Exchange {
        /// The host.
        host: String,
        /// What is wrong.
        what: String,
        /// The connection broke, so that another may do.
        broke: bool,
    },
}

impl Error {
    /// Whether trying again later may succeed without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::TimedOut { .. } => true,
            Self::Exchange { broke, .. } => *broke,
            // A certificate is refused until somebody changes something; a broken connection is not.
            Self::Tls { source, .. } => source.kind() != io::ErrorKind::InvalidData,
            _ => false,
        }
    }
}
