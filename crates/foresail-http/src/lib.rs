//! A small HTTP client for the edges: one request on a connection of its own, bounded in time and size, over TLS where
//! the address says `https`.
//!
//! It follows no redirect (a redirect is an error that says where to), keeps no connection, reads no environment and
//! repeats nothing: whoever calls it decides whether to try again, by [`Error::is_transient`] and
//! [`Response::retry_after`].
//!
//! ```
//! use foresail_http::{Auth, Client, ClientOptions, Endpoint};
//!
//! let prometheus = Endpoint::parse("https://metrics.example/prometheus").unwrap();
//! let query = prometheus.with_query("/api/v1/query", &[("query", "sum(rate(requests_total[1m]))")]);
//! assert!(query.to_string().ends_with("/prometheus/api/v1/query?query=sum%28rate%28requests_total%5B1m%5D%29%29"));
//! let auth = Auth::Bearer("from a file".to_owned().into());
//! let client = Client::new(&ClientOptions { auth, ..ClientOptions::default() }).unwrap();
//! assert!(!format!("{client:?}").contains("from a file")); // secrets are not printed
//! ```

mod auth;
mod client;
mod connect;
mod endpoint;
mod error;
mod response;

pub use auth::{Auth, Secret};
pub use client::{Client, ClientOptions};
pub use endpoint::Endpoint;
pub use error::{Error, Stage};
pub use response::Response;
