//! What each feature is called and means.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many features there are.
pub const WIDTH: usize = 72;

/// Kinds of features, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Where in hour, day, week, month and year a row lies, and how far from holidays.
    Temporal,
    /// Earlier loads.
    Lag,
    /// Changes of the load.
    Difference,
    /// Statistics over sliding windows.
    Rolling,
    /// Exponentially weighted statistics.
    Exponential,
    /// The load taken apart online.
    Decomposition,
    /// Load against processing, queue and capacity.
    Interaction,
    /// How unusual the load is.
    Anomaly,
    /// What kind of requests the load is made of.
    Fingerprint,
}

/// Name and meaning of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FeatureSpec {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub group: Group,
    /// Minutes it looks back: a lag, a window, or a half-life. `None` where it does not.
    pub window_m: Option<u32>,
    /// Whether its values span decades; see [`compress`].
    pub wide: bool,
    /// What it is, with unit and range.
    pub doc: &'static str,
}

impl FeatureSpec {
    /// Rows of `step` that cover its window, at least 1; 0 for a feature without one.
    pub fn rows(&self, step: Duration) -> usize {
        self.window_m.map_or(0, |minutes| rows_in(minutes, step))
    }
}

/// Rows of `step` that cover so many minutes, at least 1.
pub(super) fn rows_in(minutes: u32, step: Duration) -> usize {
    (u128::from(minutes) * 60_000_000).div_ceil(step.as_micros().max(1)).max(1) as usize
}

/// Index of the feature called `name`.
pub fn index_of(name: &str) -> Option<usize> {
    FEATURES.iter().position(|f| f.name == name)
}

/// `sign(x) · ln(1 + |x|)`: the logarithm of counts, which may be 0, carried on to negative values.
#[inline]
pub(super) fn signed_log(value: f64) -> f64 {
    value.abs().ln_1p().copysign(value)
}

/// Takes `sign(x) · ln(1 + |x|)` of the wide features of one row, in place. Depends on nothing but the row.
///
/// # Panics
/// In debug builds, if `features` is not [`WIDTH`] long.
pub fn compress(features: &mut [f32]) {
    debug_assert_eq!(features.len(), WIDTH);
    for (value, _) in features.iter_mut().zip(&FEATURES).filter(|(_, spec)| spec.wide) {
        *value = signed_log(f64::from(*value)) as f32;
    }
}

const fn narrow(name: &'static str, group: Group, window_m: u32, doc: &'static str) -> FeatureSpec {
    FeatureSpec { name, group, window_m: if window_m == 0 { None } else { Some(window_m) }, wide: false, doc }
}

const fn wide(name: &'static str, group: Group, window_m: u32, doc: &'static str) -> FeatureSpec {
    FeatureSpec { wide: true, ..narrow(name, group, window_m, doc) }
}

use Group::{Anomaly, Decomposition, Difference, Exponential, Fingerprint, Interaction, Lag, Rolling, Temporal};

const DAY: u32 = 1440;
const WEEK: u32 = 10_080;

/// All features in their order. `L` is the load (the target: events or requests logged in the row), `P` processed, `U`
/// unprocessed, `Q` queued, `D` the mean processing time; time is local.
pub const FEATURES: [FeatureSpec; WIDTH] = [
    narrow("minute_sin", Temporal, 0, "sine of the position in the hour"),
    narrow("minute_cos", Temporal, 0, "cosine of the position in the hour"),
    narrow("hour_sin", Temporal, 0, "sine of the position in the day, to the second"),
    narrow("hour_cos", Temporal, 0, "cosine of the position in the day, to the second"),
    narrow("weekday_sin", Temporal, 0, "sine of the day of the week, Monday at angle 0"),
    narrow("weekday_cos", Temporal, 0, "cosine of the day of the week, Monday at angle 0"),
    narrow("month_day_sin", Temporal, 0, "sine of the day of the month over its length, the 1st at angle 0"),
    narrow("month_day_cos", Temporal, 0, "cosine of the day of the month over its length, the 1st at angle 0"),
    narrow("week_of_year_sin", Temporal, 0, "sine of the ISO week over 52.1775 weeks, week 1 at angle 0"),
    narrow("week_of_year_cos", Temporal, 0, "cosine of the ISO week over 52.1775 weeks, week 1 at angle 0"),
    narrow("is_weekend", Temporal, 0, "1 on Saturday and Sunday, else 0"),
    narrow("is_holiday", Temporal, 0, "1 on a known holiday, else 0"),
    wide("minutes_to_holiday", Temporal, WEEK, "wall-clock minutes to the next holiday; 0 on one, 10080 at most"),
    wide(
        "minutes_since_holiday",
        Temporal,
        WEEK,
        "wall-clock minutes since the last holiday ended; 0 on one, 10080 at most",
    ),
    wide("lag_12m", Lag, 12, "L 12 minutes ago"),
    wide("lag_24m", Lag, 24, "L 24 minutes ago"),
    wide("lag_36m", Lag, 36, "L 36 minutes ago"),
    wide("lag_48m", Lag, 48, "L 48 minutes ago"),
    wide("lag_72m", Lag, 72, "L 72 minutes ago"),
    wide("lag_96m", Lag, 96, "L 96 minutes ago"),
    wide("lag_120m", Lag, 120, "L 120 minutes ago"),
    wide("lag_144m", Lag, 144, "L 144 minutes ago"),
    wide("lag_1d", Lag, DAY, "L one day (24 h) ago"),
    wide("lag_1w", Lag, WEEK, "L one week (168 h) ago"),
    wide("diff_1row", Difference, 0, "L minus L one row ago"),
    wide("diff_12m", Difference, 12, "L minus L 12 minutes ago"),
    narrow("log_ratio_1d", Difference, DAY, "ln(1 + L) minus ln(1 + L) one day ago; signed where L is negative"),
    narrow("log_ratio_1w", Difference, WEEK, "ln(1 + L) minus ln(1 + L) one week ago; signed where L is negative"),
    wide("slope_30m", Difference, 30, "least-squares slope of L over 30 minutes, a minute"),
    wide("roll_mean_12m", Rolling, 12, "mean of L over 12 minutes"),
    wide("roll_std_12m", Rolling, 12, "sample standard deviation of L over 12 minutes"),
    wide("roll_min_12m", Rolling, 12, "smallest L within 12 minutes"),
    wide("roll_max_12m", Rolling, 12, "largest L within 12 minutes"),
    wide("roll_mean_30m", Rolling, 30, "mean of L over 30 minutes"),
    wide("roll_std_30m", Rolling, 30, "sample standard deviation of L over 30 minutes"),
    wide("roll_min_30m", Rolling, 30, "smallest L within 30 minutes"),
    wide("roll_max_30m", Rolling, 30, "largest L within 30 minutes"),
    wide("roll_mean_60m", Rolling, 60, "mean of L over 60 minutes"),
    wide("roll_std_60m", Rolling, 60, "sample standard deviation of L over 60 minutes"),
    wide("roll_min_60m", Rolling, 60, "smallest L within 60 minutes"),
    wide("roll_max_60m", Rolling, 60, "largest L within 60 minutes"),
    wide("roll_mean_144m", Rolling, 144, "mean of L over 144 minutes"),
    wide("roll_std_144m", Rolling, 144, "sample standard deviation of L over 144 minutes"),
    wide("roll_min_144m", Rolling, 144, "smallest L within 144 minutes"),
    wide("roll_max_144m", Rolling, 144, "largest L within 144 minutes"),
    wide("ew_mean_10m", Exponential, 10, "exponentially weighted mean of L, half-life 10 minutes"),
    wide("ew_mean_60m", Exponential, 60, "exponentially weighted mean of L, half-life 60 minutes"),
    wide("ew_mean_360m", Exponential, 360, "exponentially weighted mean of L, half-life 6 hours"),
    wide("ew_var_60m", Exponential, 60, "exponentially weighted variance of L, half-life 60 minutes"),
    narrow(
        "trend",
        Decomposition,
        DAY,
        "level of ln(1 + L) expected from earlier rows, seasons apart; signed where L is negative",
    ),
    narrow(
        "season_day",
        Decomposition,
        DAY,
        "what the time of day adds to the trend: a factor of the load, as its logarithm",
    ),
    narrow("season_week", Decomposition, WEEK, "what the time of week adds to trend and daily season"),
    narrow("residual", Decomposition, 0, "ln(1 + L) minus trend and seasons"),
    narrow(
        "season_strength",
        Decomposition,
        2 * DAY,
        "share of the variance about the trend that the seasons explain, 0 to 1",
    ),
    wide("queue_pressure", Interaction, 0, "U / (P + 1)"),
    wide("arrival_service_ratio", Interaction, 0, "L / (P + 1)"),
    wide(
        "drain_time",
        Interaction,
        0,
        "minutes to work off U at the surplus P - L; 0 if U is, 1440 at most and without surplus",
    ),
    wide("utilisation", Interaction, 0, "L · D over the working time of capacity (servers) in a row; 1 is saturation"),
    wide("processed_per_ms", Interaction, 0, "P / D"),
    narrow("queue_share", Interaction, 0, "Q / (Q + U + P), 0 to 1; 0 if all are"),
    wide("duration_z_backlog", Interaction, 60, "z-score of D, half-life 60 minutes, times U"),
    wide("backlog_rate", Interaction, 0, "change of U since the row before, a minute"),
    narrow("residual_z", Anomaly, 360, "residual over its exponentially weighted deviation (6 hours), within 50"),
    narrow("robust_z", Anomaly, 2 * WEEK, "residual against the median and MAD of some weeks, within 50"),
    narrow("cusum_up", Anomaly, 0, "cumulative evidence of a rise, 0 to 50"),
    narrow("cusum_down", Anomaly, 0, "cumulative evidence of a fall, 0 to 50"),
    narrow("spike", Anomaly, 0, "1 if the residual z-score is beyond 4 either way, else 0"),
    wide("minutes_since_spike", Anomaly, DAY, "minutes since the last spike, 1440 at most and before any"),
    narrow("level_shift", Anomaly, 60, "Welch's t of the last 30 minutes against the 30 before them, within 50"),
    wide("staleness", Anomaly, WEEK, "minutes since L was last observed, 0 if it is now, 10080 at most and before any"),
    narrow("mix_entropy", Fingerprint, 0, "entropy of the request mix, as given"),
    wide("latency_ratio", Fingerprint, 0, "99th over 50th percentile of latency, as given"),
];
