//! All that a feature set remembers.

use serde::{Deserialize, Serialize};

use super::config::{Columns, Plan};
use super::spec::signed_log;
use crate::Row;
use crate::online::{Components, Cusum, Decomposition, EwMean, EwVariance, Ring, RobustScore, Rolling, RollingSlope};

/// Scores are cut here, standard deviations.
pub(super) const SCORE_LIMIT: f64 = 50.0;
/// A residual beyond so many deviations is a spike.
const SPIKE: f64 = 4.0;
/// Inputs are cut here, so that no product of two leaves the range of `f32` by much or that of `f64` at all.
const INPUT_LIMIT: f64 = 1e30;

/// The columns of one row; `None` where not observed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inputs {
    pub(super) logged: Option<f64>,
    pub(super) processed: Option<f64>,
    pub(super) unprocessed: Option<f64>,
    pub(super) queued: Option<f64>,
    pub(super) duration_ms: Option<f64>,
    pub(super) capacity: Option<f64>,
    pub(super) mix_entropy: Option<f64>,
    pub(super) latency_ratio: Option<f64>,
}

impl Inputs {
    #[inline]
    pub(super) fn of(row: &Row, columns: &Columns) -> Self {
        let get = |index: usize| {
            let value = row.values.get(index).copied().flatten().filter(|v| v.is_finite())?;
            Some(value.clamp(-INPUT_LIMIT, INPUT_LIMIT))
        };
        Self {
            logged: get(columns.logged),
            processed: columns.processed.and_then(get),
            unprocessed: columns.unprocessed.and_then(get),
            queued: columns.queued.and_then(get),
            duration_ms: columns.duration_ms.and_then(get),
            capacity: columns.capacity.and_then(get),
            mix_entropy: columns.mix_entropy.and_then(get),
            latency_ratio: columns.latency_ratio.and_then(get),
        }
    }
}

/// What is only known while a row is taken in, because it compares the row with the state before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surprise {
    pub(super) log_load: Option<f64>,
    pub(super) parts: Option<Components>,
    pub(super) residual_z: Option<f64>,
    pub(super) robust_z: Option<f64>,
    pub(super) duration_z: Option<f64>,
    /// Change of the backlog since the row before.
    pub(super) backlog_change: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Time of the first row, microseconds; rows lie on the grid it starts.
    pub(super) anchor_us: Option<i64>,
    /// Ticks taken in since then, missing ones included.
    pub(super) ticks: u64,
    /// Rows that came too late and were ignored.
    pub(super) ignored: u64,
    /// Tick of the newest observed load, and of the newest spike.
    pub(super) last_seen: Option<u64>,
    pub(super) last_spike: Option<u64>,
    pub(super) history: Ring<f32>,
    pub(super) rolling: Rolling,
    pub(super) slope: RollingSlope,
    pub(super) fast: EwMean,
    pub(super) hourly: EwVariance,
    pub(super) slow: EwMean,
    pub(super) decomposition: Decomposition,
    spread: EwVariance,
    robust: RobustScore,
    pub(super) cusum: Cusum,
    duration: EwVariance,
    backlog: Option<f64>,
}

impl State {
    pub(super) fn new(plan: &Plan) -> Self {
        // Two weeks, or as much as the histogram's counts can hold.
        let remembered = 2 * plan.week;
        Self {
            anchor_us: None,
            ticks: 0,
            ignored: 0,
            last_seen: None,
            last_spike: None,
            history: Ring::new(plan.history()),
            rolling: Rolling::with_history(&plan.rolling(), plan.short_history()),
            slope: RollingSlope::new(plan.slope()),
            fast: EwMean::new(plan.ticks(10.0)),
            hourly: EwVariance::new(plan.ticks(60.0)),
            slow: EwMean::new(plan.ticks(360.0)),
            decomposition: Decomposition::new(&plan.decomposition()),
            spread: EwVariance::new(plan.ticks(360.0)),
            robust: RobustScore::new(remembered),
            cusum: Cusum::new(0.5, SCORE_LIMIT),
            duration: EwVariance::new(plan.ticks(60.0)),
            backlog: None,
        }
    }

    /// Takes in one tick that falls into `slots` of day and week.
    #[inline]
    pub(super) fn advance(&mut self, inputs: &Inputs, slots: (usize, usize)) -> Surprise {
        let load = inputs.logged;
        self.history.push(load);
        self.rolling.push(load);
        self.slope.update(self.rolling.ring());
        self.fast.push(load);
        self.hourly.push(load);
        self.slow.push(load);

        // Of the logarithm, since seasons and noise of a load grow with it.
        let log_load = load.map(signed_log);
        let parts = self.decomposition.update(log_load, slots.0, slots.1);
        let residual = parts.and_then(|p| p.residual);
        // Below this, a residual is rounding.
        let floor = 1e-9 * (1.0 + parts.map_or(0.0, |p| p.trend.abs()));
        let residual_z = z_score(residual, self.spread.std(), floor);
        let robust_z = residual.and_then(|r| self.robust.score(r, floor, SCORE_LIMIT));
        self.spread.push(residual);
        self.robust.push(residual);
        self.cusum.push(residual_z);

        let duration = inputs.duration_ms;
        let off = duration.and_then(|d| Some(d - self.duration.mean()?));
        let duration_z = z_score(off, self.duration.std(), 1e-9 * (1.0 + duration.unwrap_or(0.0).abs()));
        self.duration.push(duration);

        let backlog_change = inputs.unprocessed.and_then(|now| Some(now - self.backlog?));
        self.backlog = inputs.unprocessed;

        if load.is_some() {
            self.last_seen = Some(self.ticks);
        }
        if residual_z.is_some_and(|z| z.abs() > SPIKE) {
            self.last_spike = Some(self.ticks);
        }
        self.ticks += 1;
        Surprise { log_load, parts, residual_z, robust_z, duration_z, backlog_change }
    }

    /// Takes in `ticks` missing ones. As if each had been pushed, yet no longer than the history, however many there are:
    /// by then every window is empty, and more of nothing changes nothing.
    pub(super) fn skip(&mut self, ticks: u64) {
        for _ in 0..ticks.min(self.history.capacity() as u64) {
            self.history.push(None);
            self.rolling.push(None);
            self.slope.update(self.rolling.ring());
        }
        self.fast.skip(ticks);
        self.hourly.skip(ticks);
        self.slow.skip(ticks);
        self.decomposition.skip(ticks);
        self.spread.skip(ticks);
        self.duration.skip(ticks);
        self.backlog = None;
        self.ticks += ticks;
    }

    /// Whether a restored state has the shape that `plan` asks for.
    pub(super) fn fits(&self, plan: &Plan) -> bool {
        let decomposition = plan.decomposition();
        let slots = (decomposition.daily_slots, decomposition.weekly_slots);
        self.history.capacity() == plan.history()
            && self.rolling.ring().capacity() == plan.short_history()
            && self.rolling.windows().eq(plan.rolling())
            && self.slope.window() == plan.slope()
            && self.decomposition.slots() == slots
    }

    /// Heap bytes of the histories, and of all else.
    pub(super) fn heap_bytes(&self) -> (usize, usize) {
        let histories = self.history.heap_bytes() + self.rolling.ring().heap_bytes();
        (histories, self.rolling.heap_bytes() + self.decomposition.heap_bytes() + self.robust.heap_bytes())
    }
}

#[inline]
fn z_score(deviation: Option<f64>, std: Option<f64>, floor: f64) -> Option<f64> {
    Some((deviation? / std?.max(floor)).clamp(-SCORE_LIMIT, SCORE_LIMIT))
}
