//! Load against its forecast: spikes and drops that the forecaster did not see coming.
//!
//! The error of each tick is standardised twice: by the width of the forecast (no less than chance alone, a Poisson count),
//! then by how large such errors have been in the past (median and the greater of the median absolute deviation and the
//! 1 % tail, so that neither a forecaster that is too sure of itself nor a bursty load raises anything). Two cumulative
//! sums with slack (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954) gather evidence over ticks. They
//! saturate, as much evidence ends a finding as raises it, and one tick moves them by no more than the slack.

use foresail_core::Timestamp;
use foresail_core::online::LogHistogram;
use serde::{Deserialize, Serialize};

use super::finding::{DiscrepancyKind, Finding, Severity, Verdict, figure};
use super::options::LoadOptions;
use super::reading::{ForecastBand, Reading, sane};

/// Standard deviations from the median to the quantiles of a [`ForecastBand`], and to the tail of past errors.
const BAND_SD: f64 = 1.645;
const TAIL: f64 = 0.99;
const TAIL_SD: f64 = 2.326;
/// Standard deviation of a normal distribution whose median absolute deviation is 1.
const NORMAL: f64 = 1.4826;
/// Errors remembered: two days of ticks of 15 s. Older ones fade.
const REMEMBERED: u32 = 12_000;
/// A forecast that is too modest is believed by no more than this: the least scale of past errors.
const LEAST_SCALE: f64 = 0.5;
/// No error teaches more than this many of the scale: a spike must not make the next one usual.
const TAUGHT: f64 = 4.0;
/// Evidence is forgotten after so many ticks without a load or a forecast.
const GAP_TICKS: f64 = 20.0;

/// Past errors and present evidence. Plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LoadWatch {
    /// In units of the forecast's width.
    errors: LogHistogram,
    learned: u64,
    middle: f64,
    scale_up: f64,
    scale_down: f64,
    up: f64,
    down: f64,
    scored: Option<Timestamp>,
    held_from: Option<Timestamp>,
}

impl Default for LoadWatch {
    fn default() -> Self {
        Self {
            errors: LogHistogram::signed(REMEMBERED),
            learned: 0,
            middle: 0.0,
            scale_up: 1.0,
            scale_down: 1.0,
            up: 0.0,
            down: 0.0,
            scored: None,
            held_from: None,
        }
    }
}

/// What is known of a tick's load.
struct Tick {
    load: f64,
    band: ForecastBand,
    /// Standard deviation by the forecast alone, above and below the median.
    sd_up: f64,
    sd_down: f64,
}

impl Tick {
    fn of(reading: &Reading, options: &LoadOptions) -> Option<Self> {
        let load = sane(reading.load_rps)?;
        let band = reading.forecast?.sane()?;
        let seconds = reading.seconds();
        let chance = (band.median.max(1.0 / seconds) / seconds).sqrt().max(options.least_error * band.median);
        let sd_up = ((band.high - band.median) / BAND_SD).max(chance);
        let sd_down = ((band.median - band.low) / BAND_SD).max(chance);
        Some(Self { load, band, sd_up, sd_down })
    }

    /// Error in units of the forecast's width.
    fn error(&self) -> f64 {
        let by = if self.load >= self.band.median { self.sd_up } else { self.sd_down };
        (self.load - self.band.median) / by
    }
}

impl LoadWatch {
    /// Takes in a reading at `now`; `held` says whether a spike and a drop hold. Verdicts on a spike and on a drop.
    pub(super) fn observe(
        &mut self,
        now: Timestamp,
        reading: &Reading,
        options: &LoadOptions,
        held: (bool, bool),
    ) -> (Verdict, Verdict) {
        let gap = self.scored.map_or(0.0, |last| now.since(last).as_secs_f64());
        let Some(tick) = Tick::of(reading, options) else { return self.silent(gap, options, held) };
        self.scored = Some(now);
        if gap > GAP_TICKS * reading.seconds() && held == (false, false) {
            (self.up, self.down) = (0.0, 0.0);
        }
        let error = tick.error();
        let scale = if error >= self.middle { self.scale_up } else { self.scale_down };
        let score = (error - self.middle) / scale;
        if self.learned >= u64::from(options.warm_up) {
            self.weigh(&tick, score, options);
        }
        let now_held = (self.holds(self.up, held.0, options), self.holds(self.down, held.1, options));
        let any = now_held.0 || now_held.1;
        self.held_from = any.then(|| self.held_from.unwrap_or(now));
        // What is told is not learned from, unless it has become the usual.
        if self.held_from.is_none_or(|from| now.since(from) > options.usual_after) {
            self.learn(self.middle + score.clamp(-TAUGHT, TAUGHT) * scale);
        }
        let verdict = |holds: bool, held: bool, up: bool| match (holds, held) {
            (true, _) => Verdict::Holds(self.finding(&tick, score, up)),
            (false, true) => Verdict::Absent,
            (false, false) => Verdict::Unchanged,
        };
        (verdict(now_held.0, held.0, true), verdict(now_held.1, held.1, false))
    }

    /// Without a load or a forecast nothing changes, but what held does not hold for ever.
    fn silent(&mut self, gap: f64, options: &LoadOptions, held: (bool, bool)) -> (Verdict, Verdict) {
        if gap <= options.usual_after.as_secs_f64() {
            return (Verdict::Unchanged, Verdict::Unchanged);
        }
        (self.up, self.down, self.held_from) = (0.0, 0.0, None);
        let gone = |held: bool| if held { Verdict::Absent } else { Verdict::Unchanged };
        (gone(held.0), gone(held.1))
    }

    fn weigh(&mut self, tick: &Tick, score: f64, options: &LoadOptions) {
        let slack = options.slack_sd;
        let matters = if score > 0.0 {
            tick.load > tick.band.high && tick.load >= options.spike_ratio * tick.band.median
        } else {
            tick.load < tick.band.low && tick.load <= options.drop_ratio * tick.band.median
        };
        // What is unusual but small speaks against neither for long nor for.
        let most = if matters { 2.0 * slack } else { 0.5 * slack };
        let score = score.clamp(-most, most);
        let full = 2.0 * options.evidence_sd;
        self.up = (self.up + (score - slack).max(-slack)).clamp(0.0, full);
        self.down = (self.down + (-score - slack).max(-slack)).clamp(0.0, full);
    }

    fn holds(&self, evidence: f64, held: bool, options: &LoadOptions) -> bool {
        if held { evidence > 0.0 } else { evidence >= options.evidence_sd }
    }

    fn learn(&mut self, error: f64) {
        self.errors.push(Some(error));
        self.learned = self.learned.saturating_add(1);
        if self.learned >= 32 && !self.learned.is_multiple_of(8) {
            return;
        }
        let tail = (self.errors.quantile(1.0 - TAIL), self.errors.quantile(TAIL));
        if let (Some((middle, deviation)), (Some(low), Some(high))) = (self.errors.median_and_mad(), tail) {
            let usual = (NORMAL * deviation).max(LEAST_SCALE);
            // A tail so long that it is of single wild ticks is cut: they are no measure of what lasts.
            let scale = |tail: f64| (tail.abs() / TAIL_SD).clamp(usual, TAUGHT * usual);
            (self.middle, self.scale_up, self.scale_down) = (middle, scale(high - middle), scale(middle - low));
        }
    }

    fn finding(&self, tick: &Tick, score: f64, up: bool) -> Finding {
        let median = tick.band.median;
        // Where 98 % of the loads have been, given such a forecast.
        let at = |error: f64| (median + error * if error >= 0.0 { tick.sd_up } else { tick.sd_down }).max(0.0);
        let low = at(self.middle - TAIL_SD * self.scale_down);
        let high = at(self.middle + TAIL_SD * self.scale_up);
        let ratio = tick.load / median;
        let text = format!(
            "the load is {:.1} rps where {median:.1} was forecast and {low:.1} to {high:.1} is usual",
            tick.load
        );
        let action = if up {
            "the replicas follow by themselves: see whether the maximum leaves room, find where the traffic comes from \
             (release, campaign, retries, attack), and announce it as an event if it will come again"
        } else {
            "look upstream (name service, load balancer, clients, the last release) before replicas are removed: pause \
             scaling down until it is clear that the load has really gone"
        };
        let severity = match (up, ratio) {
            (true, ratio) if ratio >= 3.0 => Severity::Critical,
            (false, ratio) if ratio <= 0.1 => Severity::Critical,
            _ => Severity::Warning,
        };
        let figures = [
            figure("load_rps", tick.load, "rps"),
            figure("forecast_rps", median, "rps"),
            figure("usual_low_rps", low, "rps"),
            figure("usual_high_rps", high, "rps"),
            figure("times_forecast", ratio, "×"),
            figure("standard_errors", score, "sd"),
            figure("ticks_learned", self.learned as f64, ""),
        ];
        Finding { severity, text, action, figures: figures.into_iter().flatten().collect() }
    }

    /// Kinds its verdicts are on.
    pub(super) const KINDS: (DiscrepancyKind, DiscrepancyKind) =
        (DiscrepancyKind::UnexpectedSpike, DiscrepancyKind::UnexpectedDrop);

    /// Whether restored state keeps what the code relies on.
    pub(super) fn is_sound(&self) -> bool {
        let scales = self.scale_up >= LEAST_SCALE && self.scale_down >= LEAST_SCALE;
        scales && [self.middle, self.up, self.down, self.scale_up, self.scale_down].iter().all(|v| v.is_finite())
    }
}
