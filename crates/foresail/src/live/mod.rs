//! The live loop: from what is measured to decisions, orders, journal and views.
//!
//! What decides is [`foresail_scale::controller`] and the policies; here their inputs are gathered, their orders carried
//! out, and everything is written down and shown.

mod alerts;
mod brain;
pub(crate) mod config;
mod engine;
mod exchange;
mod expectations;
mod feed;
mod fingerprint;
mod fleet;
mod guard;
mod keeper;
mod league;
mod meter;
mod notices;
mod outside;
mod own_metrics;
mod past;
mod plane;
mod rotation;
mod routing;
mod service;
mod succession;
mod view;
mod wiring;

pub(crate) use brain::{Bare, Brain, controller_options};
pub(crate) use engine::{Engine, EngineOptions, Handle};
pub(crate) use exchange::Exchanged;
pub(crate) use fingerprint::Prints;
pub(crate) use fleet::Fleet;
pub(crate) use keeper::Keeper;
pub(crate) use league::LeagueOptions;
pub(crate) use notices::Notices;
pub(crate) use plane::Plane;
pub(crate) use succession::{Door, Predecessor};
pub(crate) use wiring::{follow, rehearse, signalled, until};
