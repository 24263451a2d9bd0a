//! Where requests come in and where they go.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenConfig {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Speak TLS, with HTTP/2 and HTTP/1.1 by ALPN. Without it HTTP/1.1, and HTTP/2 by prior knowledge.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Connections begin with a PROXY protocol header of version 2. Only peers in `trusted_proxies` may then connect.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Let another process listen on the same address at the same time, as a restart without loss needs. Without it a
    /// taken address is an error. The one that ends keeps accepting for 250 ms what had begun by then; clients that come
    /// in this time and were not sent to its successor try again after a second, unless `net.ipv4.tcp_migrate_req` is 1.
    #[serde(default)]
    pub share: bool,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, 0).into(), tls: None, proxy_protocol: false, share: false }
    }
}

/// Certificates of a listener, chosen by the server name that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate, then those that signed it. Serves clients that name no known server.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// More certificates, for the server names that they carry.
    #[serde(default)]
    pub more: Vec<CertificatePair>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatePair {
    /// The server name that it is for.
    pub server_name: String,
    /// PEM file with the certificate, then those that signed it.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// Something that answers requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name, by which it is recognised when the set changes.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share relative to the others, 0.01 to 100; values outside are taken as the nearer end.
    #[serde(default = "one")]
    pub weight: f64,
    /// Speak TLS to it.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,
}

fn one() -> f64 {
    1.0
}

/// TLS towards an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// The name its certificate must carry.
    pub server_name: String,
    /// PEM file with the authorities that may have signed it, such as `/etc/ssl/certs/ca-certificates.crt`.
    pub authorities: PathBuf,
}
