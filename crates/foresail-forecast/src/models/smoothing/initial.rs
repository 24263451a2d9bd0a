//! Where a recursion starts: level, slope and season read off the beginning of the window.

use super::form::{Form, Seasonal, Trend, Weights};
use super::state::Smoothing;

/// Observed rows that the first level and slope are read from, without a season (as R's `ets` does).
const HEAD: usize = 10;

/// Starting states for `values`, the first of them at `slot` of a season of `rows` (0 for none). The season is the mean
/// pattern over all whole seasons of the window, each taken against its own mean (FPP3, §3.4, classical decomposition
/// without the moving average); level and slope come from the first two.
pub(super) fn initial(values: &[Option<f64>], form: Form, slot: usize, rows: usize) -> Smoothing {
    let weights = Weights { alpha: 0.5, beta: 0.0, gamma: 0.0, phi: 1.0 };
    let mut state = Smoothing { form, weights, level: 0.0, slope: 0.0, season: Vec::new() };
    if form.seasonal == Seasonal::None {
        (state.level, state.slope) = line(values);
    } else {
        state.season = pattern(values, form.seasonal, slot, rows);
        let mean = |from: usize| mean(values[from..].iter().take(rows).flatten().copied());
        let first = mean(0).unwrap_or(0.0);
        state.slope = (mean(rows).unwrap_or(first) - first) / rows as f64;
        // The mean belongs to the middle of the season, the start lies one row before its first.
        state.level = first - state.slope * (rows as f64 + 1.0) / 2.0;
    }
    if form.trend == Trend::None {
        let head = if form.seasonal == Seasonal::None { HEAD } else { rows };
        state.level = mean(values.iter().flatten().copied().take(head)).unwrap_or(0.0);
        state.slope = 0.0;
    }
    state
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// The least-squares line through the first observed rows: its value one row before the window, and its slope.
fn line(values: &[Option<f64>]) -> (f64, f64) {
    let head: Vec<(f64, f64)> =
        values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i as f64 + 1.0, v))).take(HEAD).collect();
    let Some(mean_x) = mean(head.iter().map(|p| p.0)) else { return (0.0, 0.0) };
    let mean_y = mean(head.iter().map(|p| p.1)).unwrap_or(0.0);
    let xx: f64 = head.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let xy: f64 = head.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    (mean_y - slope * mean_x, slope)
}

/// Mean effect of each place over all whole seasons, against a straight line through each season's mean: the trend from
/// one season to the next is none of the season's.
fn pattern(values: &[Option<f64>], seasonal: Seasonal, slot: usize, rows: usize) -> Vec<f64> {
    let multiplicative = seasonal == Seasonal::Multiplicative;
    let means: Vec<Option<f64>> = values.chunks_exact(rows).map(|s| mean(s.iter().flatten().copied())).collect();
    let known: Vec<(f64, f64)> = means.iter().enumerate().filter_map(|(i, m)| m.map(|m| (i as f64, m))).collect();
    let slope = match (known.first(), known.last()) {
        (Some((i, first)), Some((j, last))) if j > i => (last - first) / ((j - i) * rows as f64),
        _ => 0.0,
    };
    let (mut sums, mut counts) = (vec![0.0; rows], vec![0.0; rows]);
    for (number, (season, mean)) in values.chunks_exact(rows).zip(&means).enumerate() {
        let Some(mean) = mean else { continue };
        for (i, value) in season.iter().enumerate() {
            let base = mean + slope * (i as f64 - (rows as f64 - 1.0) / 2.0);
            let Some(value) = value.filter(|_| !multiplicative || base > 0.0) else { continue };
            let place = (slot + number * rows + i) % rows;
            sums[place] += if multiplicative { value / base } else { value - base };
            counts[place] += 1.0;
        }
    }
    let neutral = f64::from(u8::from(multiplicative));
    let mut season: Vec<f64> =
        sums.iter().zip(&counts).map(|(sum, count)| if *count > 0.0 { sum / count } else { neutral }).collect();
    let mean = season.iter().sum::<f64>() / rows as f64;
    for effect in &mut season {
        *effect = if !multiplicative {
            *effect - mean
        } else if mean > 0.0 {
            *effect / mean
        } else {
            1.0
        };
    }
    season
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: (Trend, Seasonal), values: &[f64], slot: usize, level: f64, slope: f64, season: &[f64]) {
        let values: Vec<Option<f64>> = values.iter().map(|v| Some(*v)).collect();
        let form = Form { trend: form.0, seasonal: form.1 };
        let state = initial(&values, form, slot, season.len());
        assert!((state.level - level).abs() < 1e-12 && (state.slope - slope).abs() < 1e-12, "{state:?}");
        assert!(state.season.iter().zip(season).all(|(a, b)| (a - b).abs() < 1e-12), "{state:?}");
    }

    #[test]
    fn the_start_is_read_off_the_first_rows() {
        check((Trend::Additive, Seasonal::None), &[3.0, 5.0, 7.0], 0, 1.0, 2.0, &[]);
        check((Trend::None, Seasonal::None), &[3.0, 5.0, 7.0], 0, 5.0, 0.0, &[]);
        check((Trend::None, Seasonal::Additive), &[8.0, 12.0, 8.0, 12.0], 0, 10.0, 0.0, &[-2.0, 2.0]);
        check((Trend::None, Seasonal::Additive), &[8.0, 12.0, 8.0, 12.0], 1, 10.0, 0.0, &[2.0, -2.0]);
        check((Trend::None, Seasonal::Multiplicative), &[8.0, 12.0, 8.0, 12.0], 0, 10.0, 0.0, &[0.8, 1.2]);
        // Seasons of mean 10 and 14: a slope of 2 a row. The start lies 1.5 rows before the first season's middle; of the
        // 4 that a season gains from its first row to its second, the slope explains 2.
        check((Trend::Additive, Seasonal::Additive), &[8.0, 12.0, 12.0, 16.0], 0, 7.0, 2.0, &[-1.0, 1.0]);
    }
}
