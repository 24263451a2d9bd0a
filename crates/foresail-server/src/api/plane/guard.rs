//! What is shown of the guard.

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

/// What the guard sees and does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardView {
    /// `observe`, `enforce` or `seed`.
    pub mode: String,
    /// Pressure on the endpoints, 0 to 1.
    pub pressure: f64,
    /// Whether there is pressure enough for it to act.
    pub is_engaged: bool,
    /// Requests a second, those it holds included.
    pub arrival_rps: f64,
    /// Those of them taken for parts of attacks.
    pub attack_rps: f64,
    /// Requests a second that every client may make under pressure.
    pub limit_rps: f64,
    /// Requests since it began.
    pub totals: GuardTotals,
    /// Those who ask most, first.
    pub clients: Vec<GuardClientView>,
    /// What there is too much of, the most telling first.
    pub groups: Vec<GuardGroupView>,
    /// Verdicts against requests, newest first.
    pub verdicts: Vec<GuardVerdictView>,
    /// Whom an operator has let in, and until when.
    pub pardons: Vec<(String, Timestamp)>,
    /// Until when it only observes because an operator said so.
    pub stands_down_until: Option<Timestamp>,
}

/// Requests since the guard began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardTotals {
    /// All that came.
    pub arrivals: u64,
    /// Taken for parts of attacks.
    pub attack: u64,
    /// Let through.
    pub passed: u64,
    /// Answered with a challenge.
    pub challenged: u64,
    /// Answered 429.
    pub throttled: u64,
    /// Answered 403.
    pub blocked: u64,
}

/// How a client stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardClientView {
    /// Its address, or its network of IPv6.
    pub client: String,
    /// Where it is, as `country DE, AS64500`, as far as a database tells.
    #[serde(default)]
    pub origin: Option<String>,
    /// Requests a second, over some ten seconds.
    pub rps: f64,
    /// How many it may make under pressure.
    pub limit_rps: f64,
    /// Milliseconds of the endpoints a second.
    pub ms_per_s: f64,
    /// Refusals that it did not heed.
    pub strikes: u8,
    /// Seconds that it is still blocked.
    pub blocked_s: f64,
}

/// A group of requests of which there is more than usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardGroupView {
    /// By what it is grouped: `fingerprint`, `place`, `network`, `path`, `conduct` or `oddness`.
    pub dimension: String,
    /// What most of its requests have in common, as `country DE` or `AS64500`, where a database tells.
    #[serde(default)]
    pub origin: Option<String>,
    /// Its share of all requests now, 0 to 1.
    pub share: f64,
    /// The most of its share in seven days.
    pub usual: f64,
    /// How much belonging to it speaks for belonging to an attack, a logarithm of odds.
    pub evidence: f64,
}

/// A verdict against a request, or several alike on one client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardVerdictView {
    /// When the last of them was given.
    pub time: Timestamp,
    /// On whom.
    pub client: String,
    /// What the first of them asked for.
    pub path: String,
    /// What it said it was.
    pub agent: String,
    /// How many.
    pub count: u64,
    /// What is done, or would be.
    pub action: String,
    /// Whether it was only observed.
    pub is_observed: bool,
    /// Why.
    pub reason: String,
}
