//! Balancers beside other proxies: a fleet of uneven endpoints as processes, one proxy at a time before it, an open-loop load,
//! and an endpoint that turns bad when the warm-up ends.

mod config;
mod contender;
mod fleet;
mod order;
mod report;
mod trial;

pub(crate) use self::contender::Contender;
pub(crate) use self::fleet::Scenario;
pub(crate) use self::order::{cells, order};
pub(crate) use self::report::{CellReport, report, table};
pub(crate) use self::trial::{Measured, Pace, Stage};
