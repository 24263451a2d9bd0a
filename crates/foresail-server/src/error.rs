//! What can go wrong before the server serves. While it serves, every failure is an answer, not an error.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration is not accepted.
    #[error("{key} = {value} is not accepted; accepted: {accepted}")]
    Config {
        /// The key, with its path from `server`.
        key: String,
        /// What stands there (never a token).
        value: String,
        /// What may stand there.
        accepted: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate and key do not make a TLS server.
    #[error("cannot serve TLS with {} and {}: {why}", cert.display(), key.display())]
    Tls {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong with them.
        why: String,
    },
}
