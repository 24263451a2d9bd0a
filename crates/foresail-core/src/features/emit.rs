//! Writes the 72 features in the order of [`FEATURES`](super::FEATURES).

use super::config::Plan;
use super::spec::{WIDTH, signed_log};
use super::state::{Inputs, SCORE_LIMIT, State, Surprise};
use crate::online::level_shift;

/// Minutes in a day and in a week, where distances are cut.
const DAY_M: f64 = 1440.0;
const WEEK_M: f64 = 10_080.0;

/// Fills one row of features, first to last.
struct Writer<'a> {
    out: &'a mut [f32; WIDTH],
    at: usize,
}

impl Writer<'_> {
    /// One bit pattern for everything undefined, and nothing infinite.
    #[inline]
    fn put(&mut self, value: f64) {
        self.out[self.at] =
            if value.is_nan() { f32::NAN } else { value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32 };
        self.at += 1;
    }

    #[inline]
    fn put_known(&mut self, value: Option<f64>) {
        self.put(known(value));
    }
}

#[inline]
fn known(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}

/// Writes the features of the tick that `state` has just taken in.
#[inline]
pub(super) fn write(
    out: &mut [f32; WIDTH],
    temporal: &[f64; 14],
    inputs: &Inputs,
    state: &State,
    surprise: &Surprise,
    plan: &Plan,
) {
    let mut writer = Writer { out, at: 0 };
    temporal.iter().for_each(|&value| writer.put(value));
    write_load(&mut writer, inputs, state, surprise, plan);
    write_parts(&mut writer, state, surprise);
    write_interactions(&mut writer, inputs, surprise, plan);
    write_anomalies(&mut writer, state, surprise, plan);
    writer.put_known(inputs.mix_entropy);
    writer.put_known(inputs.latency_ratio);
    debug_assert_eq!(writer.at, WIDTH);
}

/// Lags, differences, rolling and exponential statistics of the load.
#[inline]
fn write_load(writer: &mut Writer<'_>, inputs: &Inputs, state: &State, surprise: &Surprise, plan: &Plan) {
    let (load, recent) = (known(inputs.logged), state.rolling.ring());
    let (day_ago, week_ago) = (state.history.at(plan.day as usize), state.history.at(plan.week as usize));
    for &rows in &plan.short_lags {
        writer.put(recent.at(rows as usize));
    }
    writer.put(day_ago);
    writer.put(week_ago);

    writer.put(load - recent.at(1));
    writer.put(load - recent.at(plan.short_lags[0] as usize));
    let log_load = known(surprise.log_load);
    writer.put(log_load - signed_log(day_ago));
    writer.put(log_load - signed_log(week_ago));
    writer.put(known(state.slope.slope()) / plan.step_m);

    for window in 0..4 {
        let moments = state.rolling.moments(window);
        writer.put_known(moments.map(|m| m.mean));
        writer.put_known(moments.and_then(|m| m.std()));
        writer.put_known(state.rolling.min(window));
        writer.put_known(state.rolling.max(window));
    }

    writer.put_known(state.fast.mean());
    writer.put_known(state.hourly.mean());
    writer.put_known(state.slow.mean());
    writer.put_known(state.hourly.variance());
}

/// The online decomposition.
#[inline]
fn write_parts(writer: &mut Writer<'_>, state: &State, surprise: &Surprise) {
    writer.put_known(surprise.parts.map(|p| p.trend));
    writer.put_known(surprise.parts.map(|p| p.daily));
    writer.put_known(surprise.parts.map(|p| p.weekly));
    writer.put_known(surprise.parts.and_then(|p| p.residual));
    writer.put_known(state.decomposition.seasonal_strength());
}

/// Load against processing, queue and capacity.
#[inline]
fn write_interactions(writer: &mut Writer<'_>, inputs: &Inputs, surprise: &Surprise, plan: &Plan) {
    let (load, processed, backlog) = (known(inputs.logged), known(inputs.processed), known(inputs.unprocessed));
    let (queued, duration_ms, capacity) = (known(inputs.queued), known(inputs.duration_ms), known(inputs.capacity));
    writer.put(ratio(backlog, processed + 1.0));
    writer.put(ratio(load, processed + 1.0));
    writer.put(drain_minutes(backlog, processed - load, plan.step_m));
    writer.put(ratio(load * duration_ms, capacity * plan.step_m * 60_000.0));
    writer.put(ratio(processed, duration_ms));
    let all = queued + backlog + processed;
    writer.put(if all == 0.0 { 0.0 } else { ratio(queued, all) });
    writer.put(known(surprise.duration_z) * backlog);
    writer.put(known(surprise.backlog_change) / plan.step_m);
}

/// How unusual the load is.
#[inline]
fn write_anomalies(writer: &mut Writer<'_>, state: &State, surprise: &Surprise, plan: &Plan) {
    // The state stands one tick after the one it has taken in.
    let minutes_since = |tick: Option<u64>, most: f64| {
        tick.map_or(most, |t| (state.ticks.saturating_sub(t + 1) as f64 * plan.step_m).min(most))
    };
    writer.put_known(surprise.residual_z);
    writer.put_known(surprise.robust_z);
    writer.put(state.cusum.up());
    writer.put(state.cusum.down());
    let is_spike = state.last_spike.is_some_and(|t| t + 1 == state.ticks);
    writer.put(if surprise.residual_z.is_none() { f64::NAN } else { f64::from(u8::from(is_spike)) });
    writer.put(minutes_since(state.last_spike, DAY_M));
    let (after, both) = (state.rolling.moments(1), state.rolling.moments(2));
    let before = both.zip(after).and_then(|(both, after)| both.without(&after));
    writer.put_known(before.zip(after).and_then(|(before, after)| level_shift(&before, &after, SCORE_LIMIT)));
    writer.put(minutes_since(state.last_seen, WEEK_M));
}

/// `numerator / denominator`, undefined where the denominator is not positive.
#[inline]
fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator > 0.0 { numerator / denominator } else { f64::NAN }
}

#[inline]
fn drain_minutes(backlog: f64, surplus: f64, step_m: f64) -> f64 {
    if backlog.is_nan() || surplus.is_nan() {
        f64::NAN
    } else if backlog <= 0.0 {
        0.0
    } else if surplus <= 0.0 {
        DAY_M
    } else {
        (backlog / surplus * step_m).min(DAY_M)
    }
}
