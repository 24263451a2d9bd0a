//! What a request takes of a replica, against its own past: what a leak or a slower release looks like without memory
//! figures.
//!
//! The work of a request is the busy time of all replicas over the requests they answered; where busy time is not
//! measured, the latency of the replicas themselves, as long as they are not so loaded that waiting makes most of it. Either
//! rises with load, so a parabola in the load of a replica, fitted on the past, says what is usual at each load. A sudden
//! loss: the newest hour is surely above the day before it, by medians, with an error that knows how neighbours repeat one
//! another (Bayley & Hammersley 1946). A slow one: the work has surely risen over the last half day ([`trend`]), to where it
//! was not in the half day before. While a loss holds its hours do not become part of the past.

use std::collections::VecDeque;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Severity, Verdict, figure};
use super::options::EfficiencyOptions;
use super::reading::{Reading, sane};
use super::trend::{Point, median, repetition, trend};

/// Averages compared, and averages they are compared with.
const RECENT: usize = 12;
const PAST: usize = 288;
/// Averages over which a slow loss is looked for, the newest, and those before that it must rise above.
const SLOW: usize = 144;
const BEFORE_SLOW: usize = 72;
/// A latency tells of work up to this utilisation.
const WAITING: f64 = 0.8;
/// Requests in a tick below which it tells nothing.
const LEAST_REQUESTS: f64 = 20.0;
/// Standard error of a median over that of a mean.
const MEDIAN_ERROR: f64 = 1.2533;
/// A source that has fallen silent for so many averages is replaced by another.
const SILENT_SLOTS: u32 = 12;
/// Share of the loss from which it has recovered.
const RECOVERED: f64 = 0.5;

/// Where the work of a request is read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Latency,
    Busy,
}

/// An average: load of a replica, requests a second, and the logarithm of the work of a request, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Work(f64, f64);

/// Past and present. Plain data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct EfficiencyWatch {
    source: Option<(Source, Timestamp)>,
    /// Start of the open average, sums of load and work, samples.
    open: Option<(Timestamp, f64, f64, u32)>,
    recent: VecDeque<Work>,
    past: VecDeque<Work>,
    agreed: u32,
    held_from: Option<Timestamp>,
}

impl EfficiencyWatch {
    /// Takes in a reading at `now`; `held` says whether a loss holds.
    pub(super) fn observe(
        &mut self,
        now: Timestamp,
        reading: &Reading,
        options: &EfficiencyOptions,
        held: bool,
    ) -> Verdict {
        let unchanged = Verdict::Unchanged;
        let Some((source, load, work)) = sample(reading) else { return unchanged };
        match &mut self.source {
            Some((used, last)) if *used == source => *last = now,
            Some((used, last)) if source < *used && now.since(*last) <= options.slot * SILENT_SLOTS => {
                return unchanged;
            }
            _ => {
                // Another way of measuring is another quantity.
                *self = Self { source: Some((source, now)), ..Self::default() };
                if held {
                    return Verdict::Absent;
                }
            }
        }
        let (from, loads, works, samples) = self.open.get_or_insert((now, 0.0, 0.0, 0));
        if now.since(*from) < options.slot || *samples == 0 {
            (*loads, *works, *samples) = (*loads + load, *works + work, samples.saturating_add(1));
            return unchanged;
        }
        let n = f64::from(*samples);
        let average = Work(*loads / n, (*works / n).ln());
        self.open = Some((now, load, work, 1));
        self.recent.push_back(average);
        if self.recent.len() > RECENT {
            let oldest = self.recent.pop_front();
            if !held {
                self.past.extend(oldest);
            }
            if self.past.len() > PAST {
                self.past.pop_front();
            }
        }
        self.judge(now, reading, options, held)
    }

    /// What follows from a new average.
    fn judge(&mut self, now: Timestamp, reading: &Reading, options: &EfficiencyOptions, held: bool) -> Verdict {
        if self.recent.len() < RECENT || self.past.len() < options.least_past as usize {
            return Verdict::Unchanged;
        }
        if self.held_from.is_some_and(|from| now.since(from) > options.usual_after) {
            // A new normal, learned from here on.
            self.past.clear();
            (self.agreed, self.held_from) = (0, None);
            return Verdict::Absent;
        }
        let Some(shift) = self.shift() else { return Verdict::Unchanged };
        let loss = shift.by.exp() - 1.0;
        let agrees = if held {
            loss < RECOVERED * options.least_loss
        } else {
            (loss >= options.least_loss && shift.by > options.sure_sd * shift.error) || self.creeps(options)
        };
        self.agreed = if agrees { self.agreed.saturating_add(1) } else { 0 };
        let turns = self.agreed >= options.agreeing;
        if turns {
            self.agreed = 0;
            self.held_from = (!held).then_some(now);
        }
        match (held, turns) {
            (true, true) => Verdict::Absent,
            (true, false) | (false, true) => Verdict::Holds(self.finding(&shift, reading)),
            (false, false) => Verdict::Unchanged,
        }
    }

    /// How far the newest averages lie above what is usual at their loads, in logarithms.
    fn shift(&self) -> Option<Shift> {
        let usual = Parabola::fit(&self.past)?;
        let over = |work: &Work| work.1 - usual.at(work.0);
        let past: Vec<f64> = self.past.iter().map(over).collect();
        let mut recent: Vec<f64> = self.recent.iter().map(over).collect();
        let n = past.len() as f64;
        let variance = past.iter().map(|r| r * r).sum::<f64>() / (n - 3.0).max(1.0);
        let repeats = repetition(&vec![0; past.len()], &past);
        let error = MEDIAN_ERROR * (variance * (1.0 / RECENT as f64 + 1.0 / n)).sqrt() * repeats;
        let load = self.recent.iter().map(|w| w.0).sum::<f64>() / RECENT as f64;
        let by = median(&mut recent)? - median(&mut past.clone())?;
        (by.is_finite() && error.is_finite()).then(|| Shift { by, error, load, usual: usual.at(load).exp() })
    }

    /// Whether the work has risen steadily over the last half day, to where it was not before.
    fn creeps(&self, options: &EfficiencyOptions) -> bool {
        let Some(before) = (self.past.len() + RECENT).checked_sub(SLOW).filter(|n| *n >= BEFORE_SLOW) else {
            return false;
        };
        let newest = self.past.iter().chain(&self.recent).skip(before);
        // A slot is the unit of time here.
        let point = |(slot, work): (usize, &Work)| {
            let Work(load, value) = *work;
            Point { group: 0, hours: slot as f64, value, explains: [load, load * load] }
        };
        let points: Vec<Point> = newest.enumerate().map(point).collect();
        let Some(rise) = trend(&points) else { return false };
        let Some(usual) = Parabola::fit(&self.past) else { return false };
        let over = |work: &Work| work.1 - usual.at(work.0);
        let mut earlier: Vec<f64> = self.past.iter().take(before).map(over).collect();
        earlier.sort_by(f64::total_cmp);
        let highest = earlier[earlier.len() * 19 / 20];
        let lately = median(&mut self.recent.iter().map(over).collect::<Vec<f64>>());
        let total = (rise.slope * SLOW as f64).exp() - 1.0;
        rise.low(options.sure_sd) > 0.0 && total >= options.least_loss && lately.is_some_and(|l| l > highest)
    }

    fn finding(&self, shift: &Shift, reading: &Reading) -> Finding {
        let percent = 100.0 * (shift.by.exp() - 1.0);
        let (usual, now) = (1_000.0 * shift.usual, 1_000.0 * shift.usual * shift.by.exp());
        let what = match self.source {
            Some((Source::Busy, _)) => "busy time of a replica",
            _ => "latency of a replica",
        };
        let text = format!(
            "a request takes {percent:.0} % more than it did under the same load: {now:.2} ms {what} where {usual:.2} ms was \
             usual"
        );
        let action = "compare with the last release and with what the service depends on, and look for a leak; until then \
                      more replicas are needed for the same load";
        let severity = if percent >= 50.0 { Severity::Critical } else { Severity::Warning };
        let figures = [
            figure("loss_percent", percent, "%"),
            figure("work_ms", now, "ms"),
            figure("usual_work_ms", usual, "ms"),
            figure("error_percent", 100.0 * shift.error, "%"),
            figure("load_each_rps", shift.load, "rps"),
            figure("utilisation", reading.utilisation().unwrap_or(f64::NAN), ""),
        ];
        Finding { severity, text, action, figures: figures.into_iter().flatten().collect() }
    }
}

struct Shift {
    by: f64,
    error: f64,
    load: f64,
    usual: f64,
}

/// Load of a replica and work of a request, where the tick tells.
fn sample(reading: &Reading) -> Option<(Source, f64, f64)> {
    let rate = sane(reading.served_rps).or_else(|| sane(reading.load_rps))?;
    let load = reading.load_each()?;
    if rate * reading.seconds() < LEAST_REQUESTS {
        return None;
    }
    let told = |work: f64| (1e-9..1e9).contains(&work).then_some(work);
    if let Some(busy) = sane(reading.busy).filter(|b| *b <= 1.0) {
        return Some((Source::Busy, load, told(busy * f64::from(reading.ready) / rate)?));
    }
    let latency = told(reading.latency_s?)?;
    let waits = reading.utilisation().is_some_and(|u| u > WAITING);
    (!waits).then_some((Source::Latency, load, latency))
}

/// A parabola by least squares, on orthogonal terms; flat beyond the loads it was fitted on.
struct Parabola {
    range: (f64, f64),
    mean: f64,
    middle: f64,
    /// Mean of the squares of `load − middle`, and what of the square the linear term explains.
    square: f64,
    linear_in_square: f64,
    linear: f64,
    quadratic: f64,
}

impl Parabola {
    fn fit(points: &VecDeque<Work>) -> Option<Self> {
        let n = points.len() as f64;
        if points.is_empty() {
            return None;
        }
        let mean_of = |f: &dyn Fn(&Work) -> f64| points.iter().map(f).sum::<f64>() / n;
        let (middle, mean) = (mean_of(&|w| w.0), mean_of(&|w| w.1));
        let square = mean_of(&|w| (w.0 - middle).powi(2));
        let share = |with: f64, own: f64, scale: f64| if own > 1e-9 * scale { with / own } else { 0.0 };
        let linear_in_square = share(mean_of(&|w| (w.0 - middle).powi(3)), square, middle * middle);
        let bend = |load: f64| (load - middle).powi(2) - square - linear_in_square * (load - middle);
        let linear = share(mean_of(&|w| (w.0 - middle) * (w.1 - mean)), square, middle * middle);
        let quadratic = share(mean_of(&|w| bend(w.0) * (w.1 - mean)), mean_of(&|w| bend(w.0).powi(2)), square * square);
        let least = points.iter().map(|w| w.0).fold(f64::INFINITY, f64::min);
        let most = points.iter().map(|w| w.0).fold(f64::NEG_INFINITY, f64::max);
        Some(Self { range: (least, most), mean, middle, square, linear_in_square, linear, quadratic })
    }

    fn at(&self, load: f64) -> f64 {
        let off = load.max(self.range.0).min(self.range.1) - self.middle;
        self.mean + self.linear * off + self.quadratic * (off * off - self.square - self.linear_in_square * off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parabola_is_found_again_and_is_flat_beyond_its_range() {
        let truth = |x: f64| 2.0 - 0.3 * x + 0.05 * x * x;
        let points: VecDeque<Work> = (0..50).map(|i| f64::from(i * i) / 250.0).map(|x| Work(x, truth(x))).collect();
        let fitted = Parabola::fit(&points).expect("points");
        for x in [0.0, 1.0, 4.5, 9.0] {
            assert!((fitted.at(x) - truth(x)).abs() < 1e-9, "{x}: {}", fitted.at(x));
        }
        assert_eq!((fitted.at(-5.0), fitted.at(99.0)), (fitted.at(0.0), fitted.at(2401.0 / 250.0)));
        let same: VecDeque<Work> = (0..9).map(|i| Work(3.0, f64::from(i))).collect();
        assert!((Parabola::fit(&same).expect("points").at(7.0) - 4.0).abs() < 1e-12);
    }
}
