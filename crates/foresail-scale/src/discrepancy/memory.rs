//! Memory of each copy against time: leaks.
//!
//! Memory is averaged over slots. In the last 48 of them a copy leaks if its memory grows by a slope that is surely above 0
//! ([`trend`]), large enough, and as steep lately as before (a cache that fills flattens), found in several looks in a row.
//! What the load of a copy and the highest load since its start explain is no leak. A restart begins a new level, and what
//! was seen before it still counts. The finding goes when a copy that could show it is surely flat.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Figure, Finding, Severity, Verdict, figure};
use super::options::MemoryOptions;
use super::reading::{CopyMemory, Reading};
use super::trend::{Point, Trend, median, trend};

/// Slots kept a copy.
const KEPT: usize = 48;
/// Copies looked at: the first that came, until they go.
const COPIES: usize = 128;
/// Standard errors by which the slope of a copy that no longer leaks must be below what is one.
const CLEAN_SD: f64 = 2.0;
/// Share of the whole slope that the newer half must keep.
const STEADY: f64 = 0.5;
/// A copy that has not been seen for so many slots is gone.
const GONE_SLOTS: f64 = 2.0;
/// A leak whose copies are all gone is told for so many slots more, unless others prove that it has gone.
const MOURNED_SLOTS: u32 = 144;
const MB: f64 = 1e6;

fn hours(span: Duration) -> f64 {
    span.as_secs_f64() / 3_600.0
}

/// All copies. Plain data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct MemoryWatch {
    copies: BTreeMap<u64, Copy>,
    leaked: Option<Timestamp>,
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Copy {
    /// Counts restarts as they were noticed.
    start: u32,
    restarts: u32,
    born: Timestamp,
    since: Timestamp,
    seen: Timestamp,
    bytes: f64,
    peak: f64,
    open: Slot,
    slots: VecDeque<Kept>,
    agreed: u32,
    leaks: bool,
    clean: bool,
    /// Slope of the leak, bytes an hour, with its lower bound.
    slope: (f64, f64),
}

/// An average in the making.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Slot {
    from: Timestamp,
    bytes: f64,
    load: f64,
    samples: u32,
}

/// An average. A tuple, for there are many: start, hours since the copy was first seen, bytes, load of the copy, highest
/// such load since the start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Kept(u32, f64, f64, f64, f64);

impl MemoryWatch {
    /// Takes in a reading at `now`; `held` says whether a leak holds.
    pub(super) fn observe(
        &mut self,
        now: Timestamp,
        reading: &Reading,
        options: &MemoryOptions,
        held: bool,
    ) -> Verdict {
        let load = reading.load_each().unwrap_or(0.0);
        let mut looked = false;
        for memory in &reading.memory {
            if !self.copies.contains_key(&memory.copy) && self.copies.len() >= COPIES {
                continue;
            }
            let copy = self.copies.entry(memory.copy).or_insert_with(|| Copy::new(now, memory));
            looked |= copy.observe(now, memory, load, options);
        }
        let gone_after = options.slot.mul_f64(GONE_SLOTS).max(4 * reading.tick);
        let before = self.copies.len();
        self.copies.retain(|_, copy| now.since(copy.seen) <= gone_after);
        looked |= self.copies.len() < before;
        if self.copies.values().any(|c| c.leaks) {
            self.leaked = Some(now);
            return if looked || !held { Verdict::Holds(self.finding(reading, options)) } else { Verdict::Unchanged };
        }
        let proved = self.copies.values().any(|c| c.clean);
        let forgotten = self.leaked.is_none_or(|last| now.since(last) > options.slot * MOURNED_SLOTS);
        if held && (proved || forgotten) { Verdict::Absent } else { Verdict::Unchanged }
    }

    fn finding(&self, reading: &Reading, options: &MemoryOptions) -> Finding {
        let leaking = || self.copies.iter().filter(|(_, c)| c.leaks);
        let (id, worst) =
            leaking().max_by(|a, b| a.1.slope.0.total_cmp(&b.1.slope.0)).expect("called while a copy leaks");
        let (slope, least) = worst.slope;
        let count = leaking().count();
        let share = 100.0 * slope / worst.bytes.max(1.0);
        let span = worst.span_hours();
        let left = reading.memory_limit_bytes.map(|limit| (limit as f64 - worst.bytes).max(0.0) / slope);
        let mut text = format!(
            "memory of copy {id} grows by {:.1} MB an hour ({share:.1} %), surely by {:.1}, whatever the load, for {span:.1} h",
            slope / MB,
            least / MB
        );
        if count > 1 {
            text.push_str(&format!("; {count} of {} copies leak", self.copies.len()));
        }
        if let Some(left) = left {
            text.push_str(&format!("; the limit is reached in {left:.1} h"));
        }
        let soon = left.is_some_and(|left| left <= hours(options.critical_within));
        let severity = if soon { Severity::Critical } else { Severity::Warning };
        let mut figures: Vec<Figure> = Vec::new();
        figures.extend(figure("slope_mb_per_h", slope / MB, "MB/h"));
        figures.extend(figure("slope_least_mb_per_h", least / MB, "MB/h"));
        figures.extend(figure("growth_percent_per_h", share, "%/h"));
        figures.extend(figure("memory_mb", worst.bytes / MB, "MB"));
        figures.extend(figure("copies_leaking", count as f64, ""));
        figures.extend(figure("copies_measured", self.copies.len() as f64, ""));
        figures.extend(figure("observed_h", span, "h"));
        figures.extend(reading.memory_limit_bytes.and_then(|l| figure("limit_mb", l as f64 / MB, "MB")));
        figures.extend(left.and_then(|left| figure("hours_to_limit", left, "h")));
        let action = "restart the leaking copies one at a time before memory runs out, and compare memory profiles with the \
                      release before the last; if it is a cache, bound it";
        Finding { severity, text, action, figures }
    }
}

impl Copy {
    fn new(now: Timestamp, memory: &CopyMemory) -> Self {
        let open = Slot { from: now, bytes: 0.0, load: 0.0, samples: 0 };
        Self {
            start: 0,
            restarts: memory.restarts,
            born: now,
            since: now,
            seen: now,
            bytes: memory.bytes as f64,
            peak: 0.0,
            open,
            slots: VecDeque::new(),
            agreed: 0,
            leaks: false,
            clean: false,
            slope: (0.0, 0.0),
        }
    }

    /// Takes in a sample; true if it completed an average, so that what is known may have changed.
    fn observe(&mut self, now: Timestamp, memory: &CopyMemory, load: f64, options: &MemoryOptions) -> bool {
        let bytes = memory.bytes as f64;
        let usual = if self.open.samples > 0 { self.open.bytes / f64::from(self.open.samples) } else { self.bytes };
        if memory.restarts != self.restarts || bytes < 0.5 * usual {
            self.restarts = memory.restarts;
            self.start = self.start.wrapping_add(1);
            (self.since, self.peak) = (now, 0.0);
            self.open = Slot { from: now, bytes: 0.0, load: 0.0, samples: 0 };
        }
        (self.seen, self.bytes) = (now, bytes);
        self.peak = self.peak.max(load);
        if now.since(self.since) < options.warm_up {
            self.open.from = now;
            return false;
        }
        let full = now.since(self.open.from) >= options.slot && self.open.samples > 0;
        if full {
            self.close(now);
            self.judge(options);
        }
        self.open.bytes += bytes;
        self.open.load += load;
        self.open.samples = self.open.samples.saturating_add(1);
        full
    }

    fn close(&mut self, now: Timestamp) {
        let n = f64::from(self.open.samples);
        if self.slots.len() >= KEPT {
            self.slots.pop_front();
        }
        let hours = hours(self.open.from.since(self.born));
        self.slots.push_back(Kept(self.start, hours, self.open.bytes / n, self.open.load / n, self.peak));
        self.open = Slot { from: now, bytes: 0.0, load: 0.0, samples: 0 };
    }

    /// Whether it leaks, after a new average.
    fn judge(&mut self, options: &MemoryOptions) {
        let (n, least) = (self.slots.len(), options.least_slots as usize);
        self.clean = false;
        if n < least {
            return;
        }
        let level = median(&mut self.slots.iter().map(|k| k.2).collect::<Vec<f64>>()).unwrap_or(0.0);
        let much = options.least_growth * level.max(1.0);
        let leaks = self.over(n).filter(|whole| {
            let steady = self.over((n / 2).max(8)).is_none_or(|lately| lately.high(1.0) >= STEADY * whole.slope);
            whole.low(options.sure_sd) > 0.0 && whole.slope >= much && steady
        });
        self.agreed = if leaks.is_some() { self.agreed.saturating_add(1) } else { 0 };
        if let Some(whole) = leaks.filter(|_| self.agreed >= options.agreeing) {
            self.leaks = true;
            self.slope = (whole.slope, whole.low(CLEAN_SD));
        }
        if self.agreed == 0 {
            let flat = |count: usize| self.over(count).is_some_and(|lately| lately.high(CLEAN_SD) < much);
            self.clean = [least, 2 * least, 3 * least].into_iter().any(|count| count <= n && flat(count));
            self.leaks &= !self.clean;
        }
    }

    /// Trend over the newest `count` averages.
    fn over(&self, count: usize) -> Option<Trend> {
        let point = |kept: &Kept| {
            let Kept(group, hours, value, load, peak) = *kept;
            Point { group, hours, value, explains: [load, peak] }
        };
        let newest: Vec<Point> = self.slots.iter().skip(self.slots.len().saturating_sub(count)).map(point).collect();
        trend(&newest)
    }

    fn span_hours(&self) -> f64 {
        self.slots.front().map_or(0.0, |kept| hours(self.seen.since(self.born)) - kept.1)
    }
}
