//! The data plane: an HTTP reverse proxy on hyper, one single-threaded runtime per core.
//!
//! Each worker has listeners (`SO_REUSEPORT`), upstream connections, a balancer and counters of its own; what they share
//! are snapshots and the atomics of the endpoints, so a request waits for no lock. Which endpoint answers is decided by
//! `foresail-route`; this crate moves the bytes and keeps everybody to their deadlines.
//!
//! ```
//! use std::time::Duration;
//! use foresail_proxy::{Endpoint, Proxy, ProxyConfig};
//!
//! let web = Endpoint { id: "web-1".into(), address: ([127, 0, 0, 1], 8080).into(), weight: 1.0, tls: None };
//! let config = ProxyConfig { workers: 1, ..ProxyConfig::default() };
//! let proxy = Proxy::start(config, vec![web])?;
//! assert_eq!(proxy.addresses().len(), 1);
//! assert_eq!(proxy.stats().arrivals, 0);
//! proxy.shutdown(Duration::from_secs(5));
//! # Ok::<(), foresail_proxy::Error>(())
//! ```

mod access_log;
mod admit;
mod answer;
mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}
mod body;
mod clock;
pub mod config;
mod connection;
mod counters;
mod error;
mod exchange;
mod fleet;
mod forwarded;
mod gate;
mod geoip;
mod guard;
mod histogram;
mod learned_state;
mod lines;
mod listen;
#[cfg(test)]
#[allow(dead_code, reason = "other tests write other databases")]
#[path = "../../foresail-guard/tests/it/mmdb.rs"]
mod mmdb;
mod otlp;
mod outlets;
mod patience;
mod picks;
mod places;
mod pool;
mod proxy;
mod proxy_protocol;
mod queue;
mod record;
mod request;
mod router;
mod scan;
mod sending;
mod serve;
mod shared;
mod stats;
mod stream;
mod supervisor;
mod tls;
mod trace_context;
mod tunnel;
mod vouch;
mod watch;
mod worker;
mod workload;

/// Parsers of outside bytes, open to fuzzing.
pub mod parse {
    pub use crate::forwarded::walk as forwarded_client;
    pub use crate::proxy_protocol::{Header as ProxyHeader, parse as proxy_header};
    pub use crate::scan::{Passed, Refusal, Scanner};
    pub use crate::trace_context::Traceparent;
    pub use foresail_route::LoadReport;
}

pub use config::{
    AccessLog, Admission, Deadlines, Endpoint, HeaderText, HealthConfig, HedgeConfig, Limits, ListenConfig,
};
pub use config::{
    LogFormat, OtlpConfig, PickLogConfig, ProxyConfig, RetryConfig, RouterSettings, TlsConfig, UpstreamTls,
};
pub use error::Error;
pub use foresail_guard::{Account as GuardAccount, BotRule, GuardConfig, Mode as GuardMode, Summary as GuardSummary};
pub use foresail_route::{
    Acting, BalancerKind, BalancerReport, ClassReport, Phase as RouterPhase, RouterReport, ServiceReport,
    SharedStatistics, SpecialityChange,
};
pub use histogram::Histogram;
pub use proxy::Proxy;
pub use stats::{EndpointState, EndpointStats, ProxyStats, RouterStats};
pub use vouch::{Names, SystemNames};
pub use workload::{Workload, fingerprint_options};
