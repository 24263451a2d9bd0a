//! Where the search for a form's parameters begins.
//!
//! The season is the mean pattern over all whole seasons, each against the straight line through their means; level and
//! slope are a line through the first rows without it (Hyndman et al. 2008, §2.6.1). It need not be exact: the starting
//! states are searched for with the weights.

use super::form::{Form, Seasonal, Trend};
use super::recursion::Moving;
use super::window::Window;

/// Observed rows that the first level and slope are read from, or two seasons.
const HEAD: usize = 10;
/// The smallest factor a season starts with.
const LEAST_FACTOR: f64 = 0.01;

/// Level, slope and season one row before a window; the season begins with the window's first row.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Start {
    pub(in super::super) moving: Moving,
    /// Empty without a season.
    pub(in super::super) season: Vec<f64>,
}

impl Start {
    /// Read off `window`: level and slope off its first rows, or off all of it.
    pub(super) fn of(window: &Window, form: Form, whole: bool) -> Self {
        let season = match form.seasonal {
            Seasonal::None => Vec::new(),
            kind => pattern(window, kind == Seasonal::Multiplicative),
        };
        let head = if whole { window.values.len() } else { HEAD.max(2 * season.len()) };
        let adjusted = |(i, value): (usize, &f64)| match form.seasonal {
            Seasonal::None => *value,
            Seasonal::Additive => value - season[i % season.len()],
            Seasonal::Multiplicative => value / season[i % season.len()],
        };
        let rows = window.values.iter().enumerate().zip(&window.seen).filter(|(_, seen)| **seen > 0.0);
        let points: Vec<(f64, f64)> = rows.map(|(row, _)| (row.0 as f64 + 1.0, adjusted(row))).take(head).collect();
        Self { moving: moving(&points, form.trend), season }
    }

    /// Whether it can be gone on from.
    pub(super) fn is_finite(&self) -> bool {
        let Moving { level, slope } = self.moving;
        level.is_finite() && slope.is_finite() && self.season.iter().all(|effect| effect.is_finite())
    }

    /// The same place told in the components of `to`, if both have a season or neither; `typical` is a value of the series.
    pub(super) fn told_in(&self, from: Form, to: Form, typical: f64) -> Option<Self> {
        let season = match (from.seasonal, to.seasonal) {
            (a, b) if a == b => self.season.clone(),
            (Seasonal::Additive, Seasonal::Multiplicative) => {
                let factor = |effect: &f64| (1.0 + effect / typical).max(LEAST_FACTOR);
                levelled(self.season.iter().map(factor).collect(), true)
            }
            (Seasonal::Multiplicative, Seasonal::Additive) => {
                self.season.iter().map(|factor| (factor - 1.0) * typical).collect()
            }
            _ => return None,
        };
        let Moving { level, slope } = self.moving;
        let grows = to.trend.is_multiplicative();
        let slope = match (from.trend, to.trend) {
            (_, Trend::None) => 0.0,
            (Trend::None, _) => f64::from(u8::from(grows)),
            (from, _) if from.is_multiplicative() == grows => slope,
            _ if grows => 1.0 + slope / typical,
            _ => (slope - 1.0) * typical,
        };
        Some(Self { moving: Moving { level, slope }, season })
    }

    /// Brings the season to the sum that the form's parameters are counted with; level and slope take up what it gave, so
    /// that every forecast stays as it was. (Beside a growing level an added season cannot give: it is held at its sum.)
    pub(super) fn level_season(&mut self, form: Form) {
        let mean = self.season.iter().sum::<f64>() / self.season.len().max(1) as f64;
        match form.seasonal {
            Seasonal::Additive if !form.trend.is_multiplicative() => {
                self.season.iter_mut().for_each(|effect| *effect -= mean);
                self.moving.level += mean;
            }
            Seasonal::Multiplicative if mean > 0.0 => {
                self.season.iter_mut().for_each(|factor| *factor /= mean);
                self.moving.level *= mean;
                if !form.trend.is_multiplicative() {
                    self.moving.slope *= mean;
                }
            }
            _ => {}
        }
    }
}

/// Level and slope before the first of `points` (row number from 1, value).
fn moving(points: &[(f64, f64)], trend: Trend) -> Moving {
    let count = points.len().max(1) as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0 / count).sum::<f64>(), points.iter().map(|p| p.1 / count).sum::<f64>());
    let xx: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let xy: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    let level = mean_y - slope * mean_x;
    match trend {
        Trend::None => Moving { level: mean_y, slope: 0.0 },
        Trend::Additive | Trend::AdditiveDamped => Moving { level, slope },
        Trend::Multiplicative | Trend::MultiplicativeDamped => {
            let growth = (level + 2.0 * slope) / (level + slope);
            if level > 0.0 && (0.5..2.0).contains(&growth) {
                Moving { level, slope: growth }
            } else {
                Moving { level: mean_y, slope: 1.0 }
            }
        }
    }
}

/// Mean effect of each place over all whole seasons, against a straight line through the seasons' means: the trend from
/// one season to the next is none of the season's.
fn pattern(window: &Window, factors: bool) -> Vec<f64> {
    let rows = window.season_rows;
    let neutral = f64::from(u8::from(factors));
    let seasons = || window.values.chunks_exact(rows).zip(window.seen.chunks_exact(rows));
    let mean = |(values, seen): (&[f64], &[f64])| {
        let (sum, count) = values.iter().zip(seen).fold((0.0, 0.0), |(s, c), (v, w)| (s + v * w, c + w));
        (count > 0.0).then(|| sum / count)
    };
    let means: Vec<Option<f64>> = seasons().map(mean).collect();
    let known: Vec<(f64, f64)> = means.iter().enumerate().filter_map(|(i, m)| m.map(|m| (i as f64, m))).collect();
    let slope = match (known.first(), known.last()) {
        (Some((i, first)), Some((j, last))) if j > i => (last - first) / ((j - i) * rows as f64),
        _ => 0.0,
    };
    let (mut sums, mut counts) = (vec![0.0; rows], vec![0.0; rows]);
    for ((values, seen), mean) in seasons().zip(&means) {
        let Some(mean) = mean else { continue };
        for (i, (value, seen)) in values.iter().zip(seen).enumerate() {
            let base = mean + slope * (i as f64 - (rows as f64 - 1.0) / 2.0);
            if *seen > 0.0 && (!factors || base > 0.0) {
                sums[i] += if factors { value / base } else { value - base };
                counts[i] += 1.0;
            }
        }
    }
    let effects =
        sums.iter().zip(&counts).map(|(sum, count)| if *count > 0.0 { sum / count } else { neutral }).collect();
    levelled(effects, factors)
}

/// Effects brought to a mean of 0, factors to a mean of 1.
fn levelled(mut effects: Vec<f64>, factors: bool) -> Vec<f64> {
    if factors {
        effects.iter_mut().for_each(|effect| *effect = effect.max(LEAST_FACTOR));
    }
    let mean = effects.iter().sum::<f64>() / effects.len().max(1) as f64;
    effects.iter_mut().for_each(|effect| *effect = if factors { *effect / mean } else { *effect - mean });
    effects
}

#[cfg(test)]
mod tests {
    use super::super::form::Noise;
    use super::*;

    fn start(trend: Trend, seasonal: Seasonal, values: &[f64], rows: usize) -> Start {
        let window = Window::over(values.to_vec(), &vec![true; values.len()], 1.0, rows, 0);
        Start::of(&window, Form { noise: Noise::Additive, trend, seasonal }, false)
    }

    fn check(trend: Trend, seasonal: Seasonal, values: &[f64], level: f64, slope: f64, season: &[f64]) {
        let start = start(trend, seasonal, values, season.len());
        let Moving { level: a, slope: b } = start.moving;
        assert!((a - level).abs() < 1e-12 && (b - slope).abs() < 1e-12, "{start:?}");
        assert!(start.season.iter().zip(season).all(|(a, b)| (a - b).abs() < 1e-12), "{start:?}");
    }

    #[test]
    fn the_start_is_read_off_the_first_rows() {
        check(Trend::Additive, Seasonal::None, &[3.0, 5.0, 7.0], 1.0, 2.0, &[]);
        check(Trend::None, Seasonal::None, &[3.0, 5.0, 7.0], 5.0, 0.0, &[]);
        check(Trend::None, Seasonal::Additive, &[8.0, 12.0, 8.0, 12.0], 10.0, 0.0, &[-2.0, 2.0]);
        check(Trend::None, Seasonal::Multiplicative, &[8.0, 12.0, 8.0, 12.0], 10.0, 0.0, &[0.8, 1.2]);
        check(Trend::Multiplicative, Seasonal::None, &[3.0, 5.0, 7.0], 1.0, 5.0 / 3.0, &[]);
        // Seasons of mean 10 and 14: a slope of 2 a row, which explains 2 of the 4 that a season gains.
        check(Trend::Additive, Seasonal::Additive, &[8.0, 12.0, 12.0, 16.0], 7.0, 2.0, &[-1.0, 1.0]);
    }

    #[test]
    fn a_start_is_told_in_other_components() {
        let form = |trend, seasonal| Form { noise: Noise::Additive, trend, seasonal };
        let (from, to) =
            (form(Trend::Additive, Seasonal::Additive), form(Trend::Multiplicative, Seasonal::Multiplicative));
        let start = Start { moving: Moving { level: 10.0, slope: 1.0 }, season: vec![-2.0, 2.0] };
        let told = start.told_in(from, to, 10.0).unwrap();
        assert_eq!(told, Start { moving: Moving { level: 10.0, slope: 1.1 }, season: vec![0.8, 1.2] });
        let back = told.told_in(to, from, 10.0).unwrap();
        assert!((back.moving.slope - 1.0).abs() < 1e-12 && (back.season[1] - 2.0).abs() < 1e-12);
        assert_eq!(start.told_in(from, form(Trend::None, Seasonal::None), 10.0), None);
    }
}
