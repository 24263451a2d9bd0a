//! A series taken apart as it arrives: trend, daily and weekly season, residual.

use serde::{Deserialize, Serialize};

use super::{EwVariance, Holt, SeasonalProfile, admit};

/// How a [`Decomposition`] learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecompositionConfig {
    /// Ticks in a day, above 0.
    pub ticks_per_day: f64,
    /// Slots of the daily profile, at least 1 and no more than there are ticks in a day.
    pub daily_slots: usize,
    /// Slots of the weekly profile, at least 1 and no more than there are ticks in a week.
    pub weekly_slots: usize,
    /// Half-life of the level, days.
    pub level_days: f64,
    /// Half-life of a daily slot, days.
    pub daily_days: f64,
    /// Half-life of a weekly slot, weeks.
    pub weekly_weeks: f64,
}

impl DecompositionConfig {
    /// Quarter-hour slots in a day, hourly ones in a week (fewer where the ticks are longer); a level that halves in a
    /// day, a daily shape in a week and a weekly one in four.
    pub fn for_day(ticks_per_day: f64) -> Self {
        let whole = ticks_per_day.max(1.0) as usize;
        Self {
            ticks_per_day,
            daily_slots: whole.min(96),
            weekly_slots: (7 * whole).min(168),
            level_days: 1.0,
            daily_days: 7.0,
            weekly_weeks: 4.0,
        }
    }
}

/// One tick taken apart. What was expected is `trend + daily + weekly`, learned from the ticks before it alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// The level, the mean of both seasons included.
    pub trend: f64,
    /// What the time of day adds to it.
    pub daily: f64,
    /// What the time of week adds to that.
    pub weekly: f64,
    /// Observed minus expected; `None` on a gap.
    pub residual: Option<f64>,
}

impl Components {
    /// What was expected at this tick.
    #[inline]
    pub fn expected(&self) -> f64 {
        self.trend + self.daily + self.weekly
    }
}

/// Additive online decomposition: a damped Holt level and two seasonal profiles that correct, one after the other, what
/// the one before has left of the one-step error (double seasonal exponential smoothing: J. W. Taylor, J. Oper. Res.
/// Soc. 54, 2003, with profiles in slots coarser than a tick and gains that start at those of plain means).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decomposition {
    level: Holt,
    daily: SeasonalProfile,
    weekly: SeasonalProfile,
    residual: EwVariance,
    detrended: EwVariance,
}

impl Decomposition {
    /// One that has seen nothing.
    pub fn new(config: &DecompositionConfig) -> Self {
        let per_slot = |slots: usize, days: f64| (config.ticks_per_day * days / slots.max(1) as f64).max(1.0);
        let spread = 2.0 * config.ticks_per_day;
        Self {
            level: Holt::new(config.level_days * config.ticks_per_day),
            daily: SeasonalProfile::new(config.daily_slots, config.daily_days * per_slot(config.daily_slots, 1.0)),
            weekly: SeasonalProfile::new(config.weekly_slots, config.weekly_weeks * per_slot(config.weekly_slots, 7.0)),
            residual: EwVariance::new(spread),
            detrended: EwVariance::new(spread),
        }
    }

    /// Takes in one tick that falls into the given slots of day and week. `None` until there has been a value.
    #[inline]
    pub fn update(&mut self, value: Option<f64>, daily_slot: usize, weekly_slot: usize) -> Option<Components> {
        let value = admit(value);
        if !self.level.is_started() {
            let Some(value) = value else {
                self.skip(1);
                return None;
            };
            self.level.start(value);
        }
        let (daily_mean, weekly_mean) = (self.daily.mean(), self.weekly.mean());
        let mut parts = Components {
            trend: self.level.expected() + daily_mean + weekly_mean,
            daily: self.daily.value(daily_slot) - daily_mean,
            weekly: self.weekly.value(weekly_slot) - weekly_mean,
            residual: None,
        };
        let Some(value) = value else {
            self.skip(1);
            return Some(parts);
        };
        let error = value - parts.expected();
        parts.residual = Some(error);
        self.residual.push(Some(error));
        self.detrended.push(Some(value - parts.trend));
        let left = self.level.correct(error);
        let left = self.daily.correct(daily_slot, left);
        self.weekly.correct(weekly_slot, left);
        Some(parts)
    }

    /// Takes in `ticks` missing ones at once.
    pub fn skip(&mut self, ticks: u64) {
        self.residual.skip(ticks);
        self.detrended.skip(ticks);
    }

    /// How much of the movement about the trend the seasons explain, 0 to 1: `1 − var(residual) / var(detrended)`
    /// (Hyndman & Athanasopoulos, FPP3, §4.3), over the last days. `None` before the second value.
    #[inline]
    pub fn seasonal_strength(&self) -> Option<f64> {
        let (residual, detrended) = (self.residual.variance()?, self.detrended.variance()?);
        Some(if detrended > 0.0 { (1.0 - residual / detrended).clamp(0.0, 1.0) } else { 0.0 })
    }

    /// Slots of day and week.
    pub fn slots(&self) -> (usize, usize) {
        (self.daily.slots(), self.weekly.slots())
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.daily.heap_bytes() + self.weekly.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    /// Hourly ticks: a daily sine of 20, weekends 15 lower, level 100 and a rise of 0.5 a day.
    fn law(t: usize) -> f64 {
        let (hour, day) = (t % 24, t / 24);
        let weekend = if day % 7 >= 5 { -15.0 } else { 0.0 };
        100.0 + t as f64 * 0.5 / 24.0 + 20.0 * (hour as f64 * std::f64::consts::TAU / 24.0).sin() + weekend
    }

    fn run(weeks: usize, noise: f64) -> (Decomposition, Vec<(f64, Components)>) {
        let mut rng = SeededRng::seed_from_u64(3);
        let mut online = Decomposition::new(&DecompositionConfig::for_day(24.0));
        let parts = (0..weeks * 168)
            .filter_map(|t| {
                let value = law(t) + noise * rng.normal();
                Some((value, online.update(Some(value), t % 24, t % 168)?))
            })
            .collect();
        (online, parts)
    }

    #[test]
    fn a_known_law_is_taken_apart() {
        let (online, parts) = run(12, 1.0);
        let last = &parts[parts.len() - 168..];
        let rmse = (last.iter().map(|(_, c)| c.residual.unwrap().powi(2)).sum::<f64>() / 168.0).sqrt();
        assert!(rmse < 1.0 * 2.5, "{rmse}");
        assert!(online.seasonal_strength().unwrap() > 0.9);
        let noon_to_midnight = last[6].1.daily - last[18].1.daily;
        assert!((noon_to_midnight - 40.0).abs() < 5.0, "{noon_to_midnight}");
        assert!(last[12].1.weekly > last[6 * 24 + 12].1.weekly + 5.0);
    }

    #[test]
    fn components_add_up_and_gaps_keep_their_expectation() {
        let (mut online, parts) = run(2, 3.0);
        for (value, part) in parts {
            let total = part.expected() + part.residual.unwrap();
            assert!((total - value).abs() < 1e-9 * value.abs());
        }
        let gap = online.update(None, 0, 0).unwrap();
        assert!(gap.residual.is_none() && (gap.expected() - law(336)).abs() < 20.0);
        assert!(Decomposition::new(&DecompositionConfig::for_day(24.0)).update(None, 0, 0).is_none());
    }

    #[test]
    fn a_constant_leaves_no_residual() {
        let mut online = Decomposition::new(&DecompositionConfig::for_day(24.0));
        for t in 0..500 {
            let parts = online.update(Some(0.3), t % 24, t % 168).unwrap();
            assert_eq!((parts.trend, parts.daily, parts.weekly, parts.residual), (0.3, 0.0, 0.0, Some(0.0)));
        }
        assert_eq!(online.seasonal_strength(), Some(0.0));
    }
}
