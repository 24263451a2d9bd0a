//! What a calibrated model remembers beside the model.

use std::ops::Range;

use foresail_core::{Frame, Row};
use serde::{Deserialize, Serialize};

use super::calibrated::Method;
use super::peaks::{Peak, Peaks};
use super::profile::Profile;
use super::scale::Context;
use super::track::{Curve, Track};
use super::trajectories::{CAPACITY, Trajectories};
use super::warp::Warp;
use super::{Knots, LEVELS};
use crate::Forecast;
use crate::models::clock::Clock;
use crate::paths::of_sorted;

/// Steps up to which each has its own track; further ones share.
const DENSE: usize = 64;
/// Beyond this horizon forecasts are judged at every so many rows only.
const EVERY: usize = 256;
/// Phases of a longer horizon are joined to so many.
const PHASES: usize = 256;
const DAY_US: f64 = 86_400e6;
/// Days that past trajectories are taken from, at most.
const TRAJECTORY_DAYS: f64 = 7.0;

pub(crate) fn day_in_rows(history: &Frame) -> f64 {
    DAY_US / history.step().as_micros() as f64
}

/// What is saved beside the model.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    method: Method,
    clock: Clock,
    /// Local time of the row to come.
    local_us: i64,
    horizon: usize,
    knots: Knots,
    warp: Warp,
    tracks: Vec<Track>,
    trajectories: Trajectories,
    peaks: Peaks,
    by_day: Profile,
    by_hour: Profile,
    last: Option<f64>,
    /// Mean magnitude over about a day, on the bent scale, and the rows behind it.
    level: f64,
    rows: f64,
}

/// Forecasts are judged at every so many rows.
fn every(horizon: usize) -> usize {
    horizon.div_ceil(EVERY)
}

/// How many phases are told apart.
fn phases(horizon: usize) -> usize {
    horizon.min(PHASES)
}

/// The phase of the row `steps` ahead: forecasts `steps` ahead made `horizon` rows apart share one.
fn phase(clock: &Clock, steps: usize, horizon: usize) -> usize {
    (clock.index() + steps as i64 - 1).rem_euclid(horizon as i64) as usize * phases(horizon) / horizon
}

impl State {
    pub(super) fn new(history: &Frame, horizon: usize, method: Method) -> Self {
        let observed =
            || history.target().iter().zip(history.target_mask()).filter(|(_, valid)| **valid).map(|(y, _)| *y);
        let warp = if observed().all(|y| y >= 0.0) { Warp::Root } else { Warp::Plain };
        let knots = Knots::new(horizon, DENSE, 1.1);
        let every = every(horizon);
        let apart = (TRAJECTORY_DAYS * day_in_rows(history) / (CAPACITY * every) as f64) as usize;
        let mut state = Self {
            method,
            local_us: Clock::at_end(history).local_us(),
            clock: Clock::at_end(history),
            horizon,
            trajectories: Trajectories::new(knots.steps().len(), every * apart.max(1)),
            peaks: Peaks::new(horizon),
            knots,
            warp,
            tracks: Vec::new(),
            by_day: Profile::of_day(),
            by_hour: Profile::of_hour(),
            last: observed().next_back(),
            level: 0.0,
            rows: 0.0,
        };
        let mut change = (0.0, 0.0);
        let mut before = None;
        for bent in observed().map(|y| warp.bend(y)) {
            state.take_level(bent);
            if let Some(before) = before.replace(bent) {
                change = (change.0 + (bent - before).abs(), change.1 + 1.0);
            }
        }
        state.begin_tracks(change.0 / f64::max(change.1, 1.0));
        state
    }

    /// Steps ahead that are judged.
    pub(super) fn horizon(&self) -> usize {
        self.horizon
    }

    /// Whether forecasts made now are to be judged.
    pub(super) fn is_due(&self) -> bool {
        self.clock.index() % every(self.horizon) as i64 == 0
    }

    /// Takes in what is forecast from here, to be judged as actuals arrive; none leaves the next rows unjudged.
    pub(super) fn issue(&mut self, forecast: Option<&Forecast>) {
        for (i, steps) in self.knots.steps().iter().enumerate() {
            let mean = forecast.and_then(|forecast| forecast.mean.get(*steps - 1));
            let context = mean.and_then(|mean| self.context(*mean, *steps));
            self.tracks[i].issue(context, phase(&self.clock, *steps, self.horizon));
        }
        let Some(forecast) = forecast else { return };
        self.trajectories.begin(self.clock.index());
        if self.clock.index() % (self.peaks.every() * every(self.horizon)) as i64 == 0 {
            let peaks = self.path_peaks(&forecast.mean, 0, self.peaks.lengths());
            if peaks.iter().all(|peak| peak.spread.is_finite()) {
                self.peaks.issue(peaks);
            }
        }
    }

    /// Judges what was forecast for `row` and moves past it; false if its time has passed already.
    pub(super) fn take(&mut self, row: &Row) -> bool {
        let skipped = self.clock.steps_to(row.time);
        if skipped < 0 {
            return false;
        }
        self.skip(skipped);
        self.judge(row.target().filter(|v| v.is_finite()));
        true
    }

    /// Tracks that know nothing but that neighbours differ by `change`.
    fn begin_tracks(&mut self, change: f64) {
        let day = DAY_US / self.clock.step().as_micros() as f64;
        let guess = |steps: usize| change * (steps as f64).sqrt().min(5.0);
        self.tracks = self
            .knots
            .steps()
            .iter()
            .map(|steps| Track::new(self.method, *steps, phases(self.horizon), day, guess(*steps)))
            .collect();
    }

    pub(super) fn is_sound(&self) -> bool {
        let steps = self.knots.steps();
        self.clock.is_sound()
            && self.horizon > 0
            && self.by_day.is_sound()
            && self.by_hour.is_sound()
            && self.knots.is_sound()
            && self.knots.longest() == self.horizon
            && steps.len() == self.tracks.len()
            && self.trajectories.is_sound(steps.len())
            && self.peaks.is_sound(self.horizon)
            && self.tracks.iter().zip(steps).all(|(track, steps)| track.is_sound(*steps, phases(self.horizon)))
    }

    /// Rows that never came: what was forecast for them is not judged.
    fn skip(&mut self, rows: i64) {
        for _ in 0..rows.min(self.knots.longest() as i64) {
            for track in &mut self.tracks {
                track.judge(None, 0);
                track.issue(None, 0);
            }
        }
        if rows > 0 {
            self.trajectories.finish(self.clock.index());
            self.peaks.skip();
        }
        self.advance(rows);
    }

    fn advance(&mut self, rows: i64) {
        self.clock.advance(rows);
        self.local_us = self.clock.local_us();
    }

    /// Judges what was forecast for the row that comes now, and moves on to the next.
    fn judge(&mut self, actual: Option<f64>) {
        if self.warp == Warp::Root && actual.is_some_and(|y| y < 0.0) {
            self.warp = Warp::Plain;
            (self.level, self.rows) = (0.0, 0.0);
            let usual = self.tracks.first().map_or(0.0, |track| track.usual_error().powi(2));
            self.begin_tracks(usual);
            self.peaks = Peaks::new(self.horizon);
            // As if forecast and not judged, so that every track is as far as it should be.
            self.tracks.iter_mut().for_each(|track| track.issue(None, 0));
        }
        let bent = actual.map(|y| self.warp.bend(y));
        let phase = phase(&self.clock, 1, self.horizon);
        let mut relative = (0.0, 0.0);
        let row = self.clock.index();
        for (knot, (track, steps)) in self.tracks.iter_mut().zip(self.knots.steps()).enumerate() {
            let Some(judged) = track.judge(bent, phase) else { continue };
            if let Some(error) = judged.relative {
                relative = (relative.0 + error, relative.1 + 1.0);
            }
            self.trajectories.score(row + 1 - *steps as i64, knot, judged.score);
        }
        self.trajectories.finish(row + 1 - self.knots.longest() as i64);
        self.peaks.judge(bent);
        if relative.1 > 0.0 {
            let error = relative.0 / relative.1;
            self.by_day.learn(self.local_us, error);
            self.by_hour.learn(self.local_us, error);
        }
        if let (Some(actual), Some(bent)) = (actual, bent) {
            self.last = Some(actual);
            self.take_level(bent);
        }
        self.advance(1);
    }

    fn take_level(&mut self, bent: f64) {
        let day = DAY_US / self.clock.step().as_micros() as f64;
        self.rows += 1.0;
        self.level += (bent.abs() - self.level) * (1.0 / self.rows).max(1.0 - 0.5_f64.powf(1.0 / day));
    }

    /// What is known of a forecast of `mean` made now for `steps` ahead; none if it is no number.
    fn context(&self, mean: f64, steps: usize) -> Option<Context> {
        let target = self.local_us + (steps as i64 - 1) * self.clock.step().as_micros() as i64;
        let center = self.warp.bend(mean);
        mean.is_finite().then(|| Context {
            center,
            last: self.last.map_or(center, |last| self.warp.bend(last)),
            level: self.level,
            time_of_day: self.by_day.at(target),
            time_of_hour: self.by_hour.at(target),
        })
    }

    /// Quantiles at [`LEVELS`] of a forecast of `mean` made now for `steps` ahead; all that value if it is no number.
    pub(super) fn quantiles(&self, mean: f64, steps: usize) -> Vec<f64> {
        let Some(context) = self.context(mean, steps) else {
            return vec![mean; LEVELS.len()];
        };
        let bent = self.bent(context, steps);
        let mut quantiles: Vec<f64> = LEVELS.iter().map(|level| self.warp.unbend(bent.at(*level))).collect();
        // Corrections of either side may cross: sorting is the isotonic projection (Chernozhukov et al., 2010).
        quantiles.sort_by(f64::total_cmp);
        quantiles
    }

    fn bent(&self, context: Context, steps: usize) -> Bent<'_> {
        let (below, above, weight) = self.knots.around(steps);
        let wider = (steps as f64 / self.horizon as f64).sqrt().max(1.0);
        let phase = phase(&self.clock, steps, self.horizon);
        let scale = |knot: usize| self.tracks[knot].scale(&context);
        let scale = if weight > 0.0 { scale(below) * (1.0 - weight) + scale(above) * weight } else { scale(below) };
        let curve = |knot: usize| self.tracks[knot].curve(phase);
        Bent { center: context.center, scale: scale * wider, curves: [curve(below), curve(above)], weight }
    }

    /// The steps of a forecast of `means` made now, each with a value a draw: that of a trajectory, by its number, at the
    /// share of its rank's levels that is given beside it, in [0, 1).
    pub(super) fn paths<'a>(
        &'a self,
        means: &'a [f64],
        draws: &'a [(usize, f64)],
    ) -> impl Iterator<Item = Vec<f64>> + 'a {
        let count = self.trajectories.count() as f64;
        means.iter().enumerate().map(move |(step, mean)| {
            let Some(context) = self.context(*mean, step + 1) else {
                return vec![*mean; draws.len()];
            };
            let bent = self.bent(context, step + 1);
            let ranks = self.ranks(step + 1);
            let value = |(path, within): &(usize, f64)| {
                let rank = ranks.map_or(*path, |ranks| usize::from(ranks[*path]));
                self.warp.unbend(bent.at((rank as f64 + within) / count))
            };
            draws.iter().map(value).collect()
        })
    }

    fn ranks(&self, steps: usize) -> Option<&[u16]> {
        let (below, above, weight) = self.knots.around(steps);
        self.trajectories.ranks(if weight > 0.5 { above } else { below })
    }

    /// Trajectories to draw from.
    pub(super) fn path_count(&self) -> usize {
        self.trajectories.count()
    }

    /// Middle and spread of the greatest value, from step `from` (counted from 0) on, of the paths of a forecast of `means`
    /// made now; up to each of `ends`, which ascend.
    fn path_peaks(&self, means: &[f64], from: usize, ends: &[usize]) -> Vec<Peak> {
        let count = self.trajectories.count();
        let mut greatest = vec![f64::NEG_INFINITY; count];
        let mut by_rank = vec![0.0; count];
        let mut peaks = Vec::with_capacity(ends.len());
        let mut sorted = Vec::with_capacity(count);
        for step in from..ends.last().copied().unwrap_or(from) {
            if let Some(context) = means.get(step).and_then(|mean| self.context(*mean, step + 1)) {
                let bent = self.bent(context, step + 1);
                let mut least = f64::NEG_INFINITY;
                for (rank, value) in by_rank.iter_mut().enumerate() {
                    least = bent.at((rank as f64 + 0.5) / count as f64).max(least);
                    *value = least;
                }
                match self.ranks(step + 1) {
                    Some(ranks) => {
                        greatest.iter_mut().zip(ranks).for_each(|(g, r)| *g = g.max(by_rank[usize::from(*r)]));
                    }
                    None => greatest.iter_mut().zip(&by_rank).for_each(|(g, value)| *g = g.max(*value)),
                }
            }
            if ends.contains(&(step + 1)) {
                sorted.clone_from(&greatest);
                sorted.sort_unstable_by(f64::total_cmp);
                let middle = of_sorted(&sorted, 0.5);
                peaks.push(Peak { middle, spread: of_sorted(&sorted, 0.9) - middle });
            }
        }
        peaks
    }

    /// Quantiles, at `levels`, of the greatest value within `steps` (counted from 0, not empty) of a forecast of `means`
    /// made now.
    pub(super) fn max_quantiles(&self, means: &[f64], levels: &[f64], steps: Range<usize>) -> Vec<f64> {
        let Some(Peak { middle, spread }) = self.path_peaks(means, steps.start, &[steps.end]).first().copied() else {
            return vec![f64::NEG_INFINITY; levels.len()];
        };
        let score = |level: f64| self.peaks.score(steps.end, level).unwrap_or_else(|| normal(level));
        levels.iter().map(|level| self.warp.unbend(middle + spread * score(*level))).collect()
    }
}

/// What a score would be if the greatest value were normal, and its spread that of the 0.9 quantile; a fair guess
/// (Tukey's lambda approximation) until scores are known.
fn normal(level: f64) -> f64 {
    let p = level.clamp(1e-6, 1.0 - 1e-6);
    (p.powf(0.135) - (1.0 - p).powf(0.135)) / 0.1975 / 1.2816
}

/// The distribution of one step, on the bent scale.
struct Bent<'a> {
    center: f64,
    scale: f64,
    curves: [Curve<'a>; 2],
    weight: f64,
}

impl Bent<'_> {
    fn at(&self, level: f64) -> f64 {
        let mut score = self.curves[0].at(level);
        if self.weight > 0.0 {
            score += (self.curves[1].at(level) - score) * self.weight;
        }
        self.center + self.scale * score
    }
}
