//! The guard beside other proxies: well-meant clients that are always there, one attack at a time, one proxy at a time in front
//! of an origin of known capacity, all over real sockets. Our guard begins with what a week of the same mix has taught it in
//! virtual time. Addresses of clients come in `X-Forwarded-For`, for which every proxy trusts this machine.

mod config;
mod contender;
mod fate;
mod ground;
mod measured;
mod players;
mod report;
mod threat;
mod trial;

pub(crate) use self::contender::Contender;
pub(crate) use self::ground::Cost;
pub(crate) use self::measured::Measured;
pub(crate) use self::report::{Cell, Confusion, confusion, report, table};
pub(crate) use self::threat::Threat;
pub(crate) use self::trial::{Pace, Stage};
