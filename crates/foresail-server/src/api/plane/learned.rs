//! What is shown of what was learned.

use std::time::Duration;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

/// What kind of work a service is doing, as of the last interval that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FingerprintView {
    /// Start of the interval.
    pub time: Timestamp,
    /// Length of an interval, on the service's clock.
    pub interval: Duration,
    /// The kind of work, a number that stays its own.
    pub regime: usize,
    /// Since when it has been that.
    pub since: Timestamp,
    /// Kinds of work told apart.
    pub regimes: usize,
    /// Intervals remembered.
    pub remembered: usize,
    /// Requests that ended, a second.
    pub rate_rps: f64,
    /// Kinds of requests, those first that came most often.
    pub kinds: Vec<KindView>,
    /// The application's own figures that are asked for and answered, by name.
    pub own: Vec<OwnMetricView>,
    /// The last intervals, oldest first: start, kind of work, and the first two numbers of the fingerprint.
    pub points: Vec<(Timestamp, usize, f64, f64)>,
    /// Shares of what varies that these two show, 0 to 1.
    pub explained: (f64, f64),
    /// Past intervals most like this one, nearest first.
    pub alike: Vec<AlikeView>,
    /// Requests that endpoints worked on at a time, in the mean.
    pub busy: f64,
    /// The same `ahead` on, as foretold from the fingerprints; none before anything was learned.
    pub busy_foretold: Option<f64>,
    /// How far ahead, on the service's clock.
    pub ahead: Duration,
    /// Changes of the kind of work with their reasons, newest first.
    pub changes: Vec<Told>,
}

/// Requests alike by method and path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindView {
    /// Method and path, `*` for what varies.
    pub name: String,
    /// Share of the requests, 0 to 1.
    pub share: f64,
    /// Its usual share in this kind of work, 0 to 1.
    pub usual: Option<f64>,
}

/// A figure that the application tells of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnMetricView {
    /// Its name, as configured.
    pub name: String,
    /// Its value in the interval.
    pub value: f64,
    /// What is usual in this kind of work.
    pub usual: Option<f64>,
}

/// A past interval like the present one, and what followed `ahead` later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlikeView {
    /// Its start.
    pub time: Timestamp,
    /// The kind of work it was.
    pub regime: usize,
    /// How far from the present one, in the space of the fingerprints.
    pub distance: f64,
    /// Requests a second.
    pub rate_rps: Option<f64>,
    /// Requests that endpoints worked on at a time.
    pub busy: Option<f64>,
    /// The kind of work that followed.
    pub regime_after: Option<usize>,
    /// Requests a second that followed.
    pub rate_after_rps: Option<f64>,
    /// Requests that endpoints worked on at a time afterwards.
    pub busy_after: Option<f64>,
}

/// A forecast fan: step `i` ends at `start + (i + 1) · step`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastView {
    /// Last observed time.
    pub start: Timestamp,
    /// Length of a step.
    pub step: Duration,
    /// Model that made it.
    pub model: String,
    /// Mean, requests a second, by step.
    pub mean: Vec<f64>,
    /// Levels of the quantiles, rising.
    pub levels: Vec<f64>,
    /// `levels × steps`.
    pub quantiles: Vec<Vec<f64>>,
}

/// Champion against baseline over one stretch, both on virtual plants fed the observed load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreView {
    /// Start of the stretch.
    pub from: Option<Timestamp>,
    /// Seconds scored.
    pub seconds: f64,
    /// Requests that arrived.
    pub requests: f64,
    /// Share of the champion's that were late, 0 to 1.
    pub champion_late: f64,
    /// Share of the baseline's that were late, 0 to 1.
    pub baseline_late: f64,
    /// Replica-hours of the champion.
    pub champion_hours: f64,
    /// Replica-hours of the baseline.
    pub baseline_hours: f64,
    /// What learning itself cost: seconds of CPU in ticks and fits.
    pub learner_cpu_s: f64,
}

/// A forecasting model in the running league.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    /// Name.
    pub name: String,
    /// Whether its forecasts are the ones shown and used.
    pub is_champion: bool,
    /// Weight in the ensemble, if it is a member, 0 to 1.
    pub weight: Option<f64>,
    /// Mean absolute error at the horizon, requests a second, over the scored window.
    pub mae: Option<f64>,
    /// Scaled by the error of the seasonal naive forecast.
    pub skill: Option<f64>,
    /// Share of actual values within the 90 % interval, 0 to 1.
    pub coverage: Option<f64>,
    /// Forecasts scored.
    pub scored: u64,
    /// Seconds its last fit took.
    pub fit_s: Option<f64>,
    /// When it was last fitted.
    pub fitted: Option<Timestamp>,
    /// Error over time, `(time, MAE)`, oldest first, at most 200.
    pub errors: Vec<(Timestamp, f64)>,
    /// Coverage of the 90 % interval over time, `(time, share)`, oldest first, at most 200.
    #[serde(default)]
    pub coverages: Vec<(Timestamp, f64)>,
}

/// Concept drift: whether the load still comes as forecast, and still is spread as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftView {
    /// Length of a step.
    pub step: Duration,
    /// Residuals of the forecasts that are watched.
    pub leads: Vec<LeadView>,
    /// Weight of a new score in a model's error: larger after a change, smaller while a verdict is awaited, 0 to 1.
    pub score_weight: f64,
    /// What models learn from, each less what it was a season before, the last window against a reference: empty before
    /// there is enough.
    pub inputs: Vec<InputView>,
    /// When that was compared.
    pub compared: Option<Timestamp>,
    /// What was found, newest first, at most 50.
    pub told: Vec<Told>,
}

/// Residuals of forecasts so far ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadView {
    /// Steps ahead.
    pub steps: u64,
    /// `warm_up`, `calm`, or `suspect` while it is not known yet whether something is a spike or a change.
    pub phase: String,
    /// Their standard deviation while nothing changes, requests a second.
    pub spread_rps: Option<f64>,
    /// How often something was suspected.
    pub suspicions: u64,
    /// How many of those were changes for good.
    pub changes: u64,
    /// How many were spikes.
    pub spikes: u64,
}

/// One input of the models, less what it was a season before: the last window against a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputView {
    /// What it is.
    pub name: String,
    /// Population stability index.
    pub index: f64,
    /// Distance of Kolmogorov and Smirnov, 0 to 1.
    pub distance: f64,
    /// How likely as much is by chance, 0 to 1.
    pub p_value: f64,
    /// Beyond chance, all inputs together, and large enough to matter.
    pub has_drifted: bool,
}

/// Something that happened, in a sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub time: Timestamp,
    /// What.
    pub text: String,
}

/// Utilisation (load at arrival over what the ready replicas can do) after actions, against what was predicted for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UtilisationView {
    /// Actions compared since the start.
    pub compared: u64,
    /// Mean of actual less predicted over `outcomes`.
    pub mean_error: Option<f64>,
    /// Mean of its magnitude.
    pub mean_absolute_error: Option<f64>,
    /// The last 50, oldest first: decision, when its replicas were due, predicted, actual.
    pub outcomes: Vec<(u64, Timestamp, f64, f64)>,
}

/// What one replica can do, learned beside what was configured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityView {
    /// Configured, requests a second.
    pub prior_rps: f64,
    /// Learned, requests a second.
    pub learned_rps: f64,
    /// 90 % interval of the learned one.
    pub interval_rps: (f64, f64),
    /// Whether the learned one is in use.
    pub in_use: bool,
}
