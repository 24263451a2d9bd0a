//! How a series usually runs through its day and its week.

use serde::{Deserialize, Serialize};

use super::season::Season;

/// Places that a season longer than the first is divided into at most: quarters of an hour, for a week. The first has
/// the grid's own resolution, up to [`FINEST`], so jobs that run on the minute are not smeared.
const COARSE: usize = 672;
const FINEST: usize = 2880;
/// Visits after which a place's memory has halved, for the first season and for the longer ones.
const HALF_LIVES: (f64, f64) = (7.0, 4.0);
/// Visits' worth of trust that a place deviates no more than the shorter seasons say.
const TRUST: (f64, f64) = (0.05, 1.0);
/// Values are expected in units of their magnitude; what is beyond is cut, so that sums stay finite.
const CUT: f64 = 1e15;

/// How the seasons join what they modify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Joined {
    /// Added to it: any series.
    Added,
    /// Multiplied with it: series that are nowhere negative. A place's factor is a ratio of sums, so zeros and noise do
    /// not bias it.
    Multiplied,
}

/// Nested seasonal profiles with exponentially decaying memory: the first season modifies a base level, each longer one
/// what the shorter ones make of it. Time is local, so a day has its shape in any zone and season of the year. Both
/// calls are O(seasons).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Profile {
    joined: Joined,
    cycles: Vec<Cycle>,
}

/// One season's places: what was seen there, and what had been expected without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cycle {
    period_us: i64,
    /// Whether a place is one row, or many that are joined by straight lines between the places' middles.
    coarse: bool,
    trust: f64,
    /// What a visit leaves of the memory.
    keep: f64,
    sum: Vec<f32>,
    mass: Vec<f32>,
}

impl Profile {
    /// Knows nothing yet. Without seasons, the base level is all there is.
    pub(super) fn new(joined: Joined, seasons: &[Season]) -> Self {
        let cycles = seasons.iter().enumerate().map(|(i, season)| Cycle::new(*season, i == 0)).collect();
        Self { joined, cycles }
    }

    /// The value expected at a local time when the base level is `base`.
    pub(super) fn expected(&self, local_us: i64, base: f64) -> f64 {
        self.cycles.iter().fold(base, |value, cycle| cycle.join(self.joined, local_us, value))
    }

    /// Learns that `value` was seen at a local time when the base level was `base`.
    pub(super) fn learn(&mut self, local_us: i64, base: f64, value: f64) {
        let value = value.clamp(-CUT, CUT);
        let mut before = base.clamp(-CUT, CUT);
        for cycle in &mut self.cycles {
            let joined = cycle.join(self.joined, local_us, before);
            cycle.learn(self.joined, local_us, before, value);
            before = joined.clamp(-CUT, CUT);
        }
    }

    /// Whether restored state can be indexed.
    pub(super) fn is_sound(&self) -> bool {
        self.cycles.iter().all(|c| c.period_us > 0 && !c.sum.is_empty() && c.sum.len() == c.mass.len())
    }
}

impl Cycle {
    fn new(season: Season, first: bool) -> Self {
        let places = season.rows.min(if first { FINEST } else { COARSE });
        let pick = |pair: (f64, f64)| if first { pair.0 } else { pair.1 };
        let rows_a_place = season.rows as f64 / places as f64;
        Self {
            period_us: (season.period.as_micros() as i64).max(1),
            coarse: places < season.rows,
            trust: pick(TRUST),
            keep: 0.5_f64.powf(1.0 / (pick(HALF_LIVES) * rows_a_place)),
            sum: vec![0.0; places],
            mass: vec![0.0; places],
        }
    }

    /// Where a local time falls: a place and how far into it, within [0, 1).
    fn place(&self, local_us: i64) -> (usize, f64) {
        let share = local_us.rem_euclid(self.period_us) as f64 / self.period_us as f64 * self.sum.len() as f64;
        ((share as usize).min(self.sum.len() - 1), share.fract())
    }

    /// `value` as this season modifies it.
    fn join(&self, joined: Joined, local_us: i64, value: f64) -> f64 {
        let (place, into) = self.place(local_us);
        let at = |place: usize| {
            let (sum, mass) = (f64::from(self.sum[place]), f64::from(self.mass[place]));
            match joined {
                Joined::Added => value + if mass > 0.0 { sum / (mass + self.trust) } else { 0.0 },
                Joined::Multiplied => {
                    let trust = self.trust * value;
                    if mass + trust > 0.0 { value * ((sum + trust) / (mass + trust)) } else { value }
                }
            }
        };
        if !self.coarse {
            return at(place);
        }
        let places = self.sum.len();
        let (low, share) = if into < 0.5 { ((place + places - 1) % places, into + 0.5) } else { (place, into - 0.5) };
        at(low) * (1.0 - share) + at((low + 1) % places) * share
    }

    fn learn(&mut self, joined: Joined, local_us: i64, before: f64, value: f64) {
        let (place, _) = self.place(local_us);
        let (sum, mass) = match joined {
            Joined::Added => (value - before, 1.0),
            Joined::Multiplied => (value, before),
        };
        let keep = self.keep as f32;
        self.sum[place] = self.sum[place] * keep + sum as f32;
        self.mass[place] = self.mass[place] * keep + mass as f32;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    fn season(hours: u64, rows: usize) -> Season {
        Season { period: Duration::from_secs(hours * 3600), rows }
    }

    /// Learns weeks of hourly values of `law(hour of the day, day)` around `base`, and gives the next week.
    fn learned(joined: Joined, base: f64, law: impl Fn(i64, i64) -> f64) -> Vec<f64> {
        let mut profile = Profile::new(joined, &[season(24, 24), season(168, 168)]);
        let weeks = 8 * 168;
        for hour in 0..weeks {
            profile.learn(hour * HOUR_US, base, law(hour % 24, hour / 24 % 7));
        }
        (weeks..weeks + 168).map(|hour| profile.expected(hour * HOUR_US, base)).collect()
    }

    #[test]
    fn a_day_and_a_week_are_told_apart() {
        let law = |hour: i64, day: i64| (10.0 + hour as f64) * if day >= 5 { 0.5 } else { 1.0 };
        for joined in [Joined::Added, Joined::Multiplied] {
            let got = learned(joined, 20.0, law);
            for (i, value) in got.iter().enumerate() {
                let expected = law(i as i64 % 24, i as i64 / 24);
                assert!((value / expected - 1.0).abs() < 0.25, "{joined:?} hour {i}: {value}, not {expected}");
            }
        }
    }

    #[test]
    fn what_was_never_seen_is_the_base() {
        for joined in [Joined::Added, Joined::Multiplied] {
            let profile = Profile::new(joined, &[season(24, 24)]);
            assert_eq!(profile.expected(5 * HOUR_US, 7.0), 7.0);
            assert_eq!(Profile::new(joined, &[]).expected(0, 7.0), 7.0);
            assert_eq!(profile.expected(0, 0.0), 0.0);
        }
    }

    #[test]
    fn zeros_and_huge_values_stay_finite() {
        for joined in [Joined::Added, Joined::Multiplied] {
            let mut profile = Profile::new(joined, &[season(24, 24), season(168, 7000)]);
            for value in [0.0, 1e300, 0.0, 1e300] {
                profile.learn(0, 0.0, value);
                profile.learn(0, 1.0, value);
                assert!(profile.expected(0, 1.0).is_finite(), "{joined:?} {value}");
            }
        }
    }

    #[test]
    fn a_coarse_season_is_joined_by_straight_lines() {
        let mut profile = Profile::new(Joined::Added, &[season(24, 1), season(168, 2 * 672)]);
        let place = 7 * 24 * HOUR_US / 672;
        for _ in 0..200 {
            profile.learn(place / 2, 0.0, 0.0);
            profile.learn(place / 2 + place, 0.0, 8.0);
        }
        let quarter = |n: i64| profile.cycles[1].join(Joined::Added, n * place / 4, 0.0);
        let (low, high) = (quarter(2), quarter(6));
        assert!((quarter(4) - (low + high) / 2.0).abs() < 1e-6 && high > low);
    }
}
