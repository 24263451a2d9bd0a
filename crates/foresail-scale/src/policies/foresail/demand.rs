//! The recent load as the planner remembers it: a week on the series' own steps.

use std::collections::VecDeque;

/// Days of history kept.
pub(super) const DAYS: usize = 7;

/// A ring of the last week of load, with the running statistics that every lead shares. Steps are numbered from the first.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    /// Steps in a day.
    day: usize,
    /// Minutes in a step.
    step_min: f64,
    values: VecDeque<f32>,
    /// Number of the step behind the newest value.
    next: usize,
    /// Exponentially weighted levels of half-lives 1, 3, 8 and 30 steps.
    levels: [f64; 4],
    /// Long-run mean.
    long: f64,
    /// Mean load of each step of the day, recent days counting more, and how often it was seen.
    profile: Vec<f32>,
    seen: Vec<u8>,
    /// Highest load of each of the last days, the current one last.
    peaks: VecDeque<f64>,
}

const HALF_LIVES: [f64; 4] = [1.0, 3.0, 8.0, 30.0];

impl Demand {
    pub(super) fn new(step_s: f64) -> Self {
        let day = ((86_400.0 / step_s).round() as usize).max(1);
        Self {
            day,
            step_min: step_s / 60.0,
            values: VecDeque::new(),
            next: 0,
            levels: [0.0; 4],
            long: 0.0,
            profile: vec![0.0; day],
            seen: vec![0; day],
            peaks: VecDeque::new(),
        }
    }

    /// Takes in the load of the next step.
    pub(super) fn push(&mut self, load: f64) {
        let first = self.next == 0;
        if self.next.is_multiple_of(self.day) {
            self.peaks.push_back(0.0);
            if self.peaks.len() > DAYS + 1 {
                self.peaks.pop_front();
            }
        }
        if let Some(peak) = self.peaks.back_mut() {
            *peak = peak.max(load);
        }
        for (level, half_life) in self.levels.iter_mut().zip(HALF_LIVES) {
            *level = if first { load } else { *level + (1.0 - 0.5_f64.powf(1.0 / half_life)) * (load - *level) };
        }
        self.long += (load - self.long) * (1.0 / (self.next + 1) as f64).max(5e-4);
        let slot = self.next % self.day;
        self.seen[slot] = self.seen[slot].saturating_add(1);
        let pace = (1.0 / f64::from(self.seen[slot])).max(0.3);
        let mean = f64::from(self.profile[slot]);
        self.profile[slot] = (mean + pace * (load - mean)) as f32;
        self.values.push_back(load as f32);
        if self.values.len() > DAYS * self.day + 64 {
            self.values.pop_front();
        }
        self.next += 1;
    }

    /// Replaces the load of the newest step: its first part told less than all of it.
    pub(super) fn amend(&mut self, load: f64) {
        if let Some(newest) = self.values.back_mut() {
            *newest = load as f32;
        }
        if let Some(peak) = self.peaks.back_mut() {
            *peak = peak.max(load);
        }
    }

    /// Steps seen.
    pub(super) fn len(&self) -> usize {
        self.next
    }

    pub(super) fn day(&self) -> usize {
        self.day
    }

    /// Steps in `minutes`, at least 1.
    pub(super) fn steps(&self, minutes: f64) -> usize {
        ((minutes / self.step_min).round() as usize).max(1)
    }

    /// Load of step `index`; of the oldest kept, if it is older.
    fn at(&self, index: usize) -> f64 {
        let oldest = self.next - self.values.len();
        self.values.get(index.max(oldest) - oldest).copied().map_or(0.0, f64::from)
    }

    /// Load `back` steps before the newest.
    pub(super) fn lag(&self, back: usize) -> f64 {
        self.at((self.next - 1).saturating_sub(back))
    }

    /// Highest load of steps `from..=to`.
    pub(super) fn highest(&self, from: usize, to: usize) -> f64 {
        let oldest = self.next - self.values.len();
        let (from, to) = (from.max(oldest) - oldest, to.min(self.next - 1).max(oldest) - oldest);
        if from > to {
            return 0.0;
        }
        f64::from(self.values.range(from..=to).copied().fold(0.0_f32, f32::max))
    }

    /// Highest load of the last `count` steps.
    pub(super) fn highest_of_last(&self, count: usize) -> f64 {
        self.highest(self.next.saturating_sub(count), self.next - 1)
    }

    /// Mean load of steps `from..=to`, of those kept.
    pub(super) fn mean(&self, from: usize, to: usize) -> f64 {
        let steps = to - from + 1;
        (from..=to).map(|i| self.at(i)).sum::<f64>() / steps as f64
    }

    /// Highest load of the last week.
    pub(super) fn week_peak(&self) -> f64 {
        self.peaks.iter().copied().fold(0.0, f64::max)
    }

    pub(super) fn levels(&self) -> &[f64; 4] {
        &self.levels
    }

    /// Long-run mean.
    pub(super) fn long(&self) -> f64 {
        self.long
    }

    /// Mean of the day's profile within `reach` steps of the step `ahead` of the newest; the long-run mean where nothing
    /// was seen.
    pub(super) fn profile(&self, ahead: usize, reach: usize) -> f64 {
        let centre = self.next - 1 + ahead + self.day;
        let (mut sum, mut count) = (0.0, 0.0);
        for index in centre.saturating_sub(reach)..=centre + reach {
            let slot = index % self.day;
            if self.seen[slot] > 0 {
                sum += f64::from(self.profile[slot]);
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { self.long }
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.values.len() * 4 + self.profile.len() * 5
    }
}
