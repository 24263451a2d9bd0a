//! The API: a table of routes over a [`ControlPlane`], its document, event stream, metrics and pages.
//!
//! A request meets, in this order: the host check, its token, its role, the same-site rule (writes), the checks of every
//! parameter and field, and its handler. Reading never waits for the control loop, and every write is one
//! [`ControlPlane::command`], which audits it.

mod app;
mod auth;
mod commands;
mod config;
mod decisions;
mod events;
mod explanation;
mod field;
mod listen;
mod metrics;
mod openapi;
mod pages;
pub mod plane;
mod problem;
mod router;
mod routes;
mod schema;
mod state;
mod views;
mod what_if;

pub use config::{ServerConfig, TlsConfig, TokenConfig};
pub use listen::Server;
pub use plane::{
    Actor, AlertView, AlikeView, Answer, AuditEntry, BalancerView, CapacityView, ControlPlane, DriftView, EndpointView,
    FingerprintView, ForecastView, GuardClientView, GuardGroupView, GuardTotals, GuardVerdictView, GuardView,
    HistoryPoint, InputView, KindView, LeadView, ModelView, OwnMetricView, PeerView, PendingView, PlaneError, Question,
    Role, RoutedClassView, RoutedPairView, RoutedServiceView, RouterView, ScoreView, ServedView, ServiceView, Told,
    UtilisationView, Word, WorkerBalancerView,
};
pub use router::router;
