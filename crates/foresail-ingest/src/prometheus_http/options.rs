//! Where to ask, as whom, and how patiently.

use std::time::Duration;

use foresail_http::Auth;

/// How a Prometheus is asked.
#[derive(Clone, Debug)]
pub struct PrometheusOptions {
    /// Its address, up to what comes before `/api/v1`.
    pub url: String,
    /// Who is asking.
    pub auth: Auth,
    /// Certificates (PEM) of authorities to trust beside the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// Most time for one request. Default 30 s.
    pub timeout: Duration,
    /// Most bytes of one answer. Default 64 MiB.
    pub max_bytes: usize,
    /// Samples younger than this are not asked for: they may be incomplete. About two scrape intervals; default 30 s.
    pub evaluation_delay: Duration,
    /// Takes answers that come with a warning (of Thanos, say, that a store did not answer). What is missing from them
    /// looks like less load, so the default is to refuse them.
    pub accept_partial: bool,
    /// Most requests of one back-fill, of 11,000 points each. Default 500.
    pub max_requests: usize,
}

impl PrometheusOptions {
    /// Asks the Prometheus at `url` by the defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            auth: Auth::None,
            ca_pem: None,
            timeout: Duration::from_secs(30),
            max_bytes: 64 << 20,
            evaluation_delay: Duration::from_secs(30),
            accept_partial: false,
            max_requests: 500,
        }
    }
}
