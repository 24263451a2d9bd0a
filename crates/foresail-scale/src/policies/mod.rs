//! Scaling policies by id: the peers' and ours.
//!
//! An id may carry a setting after an `@`: the target utilisation (`hpa@0.7`), or for KEDA on a queue the waiting events a
//! worker, as a share of what it takes within the drain target (`keda@0.5`). Every policy is pure: it learns from the
//! observations it is shown, in order, and from nothing else.

mod aws_predictive;
mod aws_tt;
mod behavior;
mod dsp;
mod foresail;
mod grid;
mod history;
mod hpa;
mod keda;
mod online_model;
mod phpa;
mod seed_amazon;
mod seed_predictive;
mod seed_reactive;
mod static_peak;
#[cfg(test)]
mod tests;
mod utilisation;

pub use aws_predictive::AwsPredictive;
pub use aws_tt::AwsTargetTracking;
pub use dsp::Dsp;
pub use foresail::{Foresail, Scorecard};
pub use hpa::Hpa;
pub use keda::Keda;
pub use phpa::Phpa;
pub use seed_amazon::SeedAmazon;
pub use seed_predictive::SeedPredictive;
pub use seed_reactive::SeedReactive;
pub use static_peak::StaticPeak;

use std::time::Duration;

use foresail_core::{Known, Limits, Policy, TimeZone};

use crate::Error;
use crate::error::check;
use crate::service::{Service, ServiceKind};

/// What every policy is told once, before the first observation.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// Limits no decision leaves.
    pub limits: Limits,
    /// Share of requests that may be late, above 0 and below 1: the user's knob.
    pub late_fraction: f64,
    /// Announced events and holidays.
    pub known: Known,
    /// Zone in which policies read the calendar.
    pub zone: TimeZone,
    /// Seed of whatever is random in a policy.
    pub seed: u64,
    /// Whether a policy that can (`keda`) may go to zero replicas where the limits allow it.
    pub scale_to_zero: bool,
    /// Length of the steps in which the load is known, where they are longer than a tick (a source of one-minute samples
    /// under ticks of 15 s); a multiple of the tick.
    pub resolution: Option<Duration>,
    /// Time in which the load goes round: a day, except in a demonstration. `foresail` reads it; its holds and accounts
    /// shrink with it.
    pub day: Duration,
}

impl PolicyOptions {
    /// Within `limits`: 0.1 % late, nothing known ahead, UTC, seed 0, never to zero.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            late_fraction: 0.001,
            known: Known::none(),
            zone: TimeZone::utc(),
            seed: 0,
            scale_to_zero: false,
            resolution: None,
            day: Duration::from_secs(86_400),
        }
    }
}

/// The ids [`build`] knows, without settings.
pub fn names() -> &'static [&'static str] {
    &[
        "foresail",
        "hpa",
        "keda",
        "aws-tt",
        "aws-predictive",
        "dsp",
        "phpa",
        "static",
        "seed-reactive",
        "seed-predictive",
        "seed-amazon",
    ]
}

/// The policy of an id such as `hpa` or `hpa@0.66`, for `service`.
///
/// # Errors
/// [`Error::NoSuchPolicy`], [`Error::BadParameter`] for a setting that is no number in its range or that the policy does
/// not have.
pub fn build(name: &str, service: &Service, options: &PolicyOptions) -> Result<Box<dyn Policy>, Error> {
    let (id, setting) = match name.split_once('@') {
        Some((id, setting)) => (id, Some(setting)),
        None => (name, None),
    };
    let label = name.to_owned();
    let policy: Box<dyn Policy> = match id {
        "foresail" => {
            no_setting(setting)?;
            Box::new(Foresail::new(service, options)?)
        }
        "hpa" => Box::new(Hpa::new(label, target(setting, 0.7)?, service, options)),
        "keda" => {
            let target = match service.kind() {
                ServiceKind::Request => target(setting, 0.7)?,
                ServiceKind::Queue => lag_share(setting)?,
            };
            Box::new(Keda::new(label, target, service, options))
        }
        "aws-tt" => Box::new(AwsTargetTracking::new(label, target(setting, 0.5)?, options)),
        "aws-predictive" => Box::new(AwsPredictive::new(label, target(setting, 0.5)?, service, options)),
        "dsp" => Box::new(Dsp::new(label, target(setting, 0.7)?, service, options)),
        "phpa" => Box::new(Phpa::new(label, target(setting, 0.7)?, service, options)),
        "static" => Box::new(StaticPeak::new(label, target(setting, 0.8)?, service, options)),
        "seed-reactive" => {
            no_setting(setting)?;
            Box::new(SeedReactive::new(options))
        }
        "seed-predictive" => {
            no_setting(setting)?;
            Box::new(SeedPredictive::new(service, options)?)
        }
        "seed-amazon" => {
            no_setting(setting)?;
            Box::new(SeedAmazon::new(options)?)
        }
        _ => return Err(Error::NoSuchPolicy { name: name.to_owned(), available: names().join(", ") }),
    };
    Ok(policy)
}

/// A target utilisation.
fn target(setting: Option<&str>, default: f64) -> Result<f64, Error> {
    number(setting, default, |v| v > 0.0 && v <= 1.0, "above 0 and at most 1")
}

/// Waiting events a worker, as a share of what it takes within the drain target.
fn lag_share(setting: Option<&str>) -> Result<f64, Error> {
    number(setting, 0.5, |v| v > 0.0 && v <= 100.0, "above 0 and at most 100")
}

/// Refuses a setting for a policy that has none.
fn no_setting(setting: Option<&str>) -> Result<(), Error> {
    check(setting.is_none(), "target", setting.unwrap_or_default(), "no setting for this policy")
}

fn number(
    setting: Option<&str>,
    default: f64,
    accepted: impl Fn(f64) -> bool,
    range: &'static str,
) -> Result<f64, Error> {
    let Some(text) = setting else { return Ok(default) };
    let value = text.parse().unwrap_or(f64::NAN);
    check(accepted(value), "target", text, range)?;
    Ok(value)
}
