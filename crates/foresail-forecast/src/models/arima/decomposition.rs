//! How strong a season is, by seasonal-trend decomposition with local regression.

/// Cycles that a season is smoothed over.
const SEASONAL: usize = 11;
/// Rounds of the decomposition.
const ROUNDS: usize = 5;

/// The share of what is left after the trend that the season explains (Wang, Smith & Hyndman 2006), within [0, 1], from
/// the decomposition of Cleveland et al. (1990, STL) without its robust rounds, with the windows that the forecast
/// package takes. `values` must hold more than two seasons.
pub(super) fn seasonal_strength(values: &[f64], season: usize) -> f64 {
    let n = values.len();
    let odd = |rows: usize| rows + usize::from(rows.is_multiple_of(2));
    let trend_window = odd((1.5 * season as f64 / (1.0 - 1.5 / SEASONAL as f64)).ceil() as usize);
    let pass_window = odd(season + 1);
    let mut trend = vec![0.0; n];
    let mut seasonal = vec![0.0; n];
    for _ in 0..ROUNDS {
        // Each place of the season is smoothed over its cycles, and a cycle added at both ends.
        let mut cycles = vec![0.0; n + 2 * season];
        for place in 0..season {
            let own: Vec<f64> = (place..n).step_by(season).map(|t| values[t] - trend[t]).collect();
            for k in 0..own.len() + 2 {
                cycles[place + k * season] = local(&own, k as f64 - 1.0, SEASONAL, false);
            }
        }
        let passed = moving_average(&moving_average(&moving_average(&cycles, season), season), 3);
        let low: Vec<f64> = (0..n).map(|t| local(&passed, t as f64, pass_window, true)).collect();
        for t in 0..n {
            seasonal[t] = cycles[t + season] - low[t];
        }
        let rest: Vec<f64> = values.iter().zip(&seasonal).map(|(y, s)| y - s).collect();
        for (t, smooth) in trend.iter_mut().enumerate() {
            *smooth = local(&rest, t as f64, trend_window, true);
        }
    }
    let left: Vec<f64> = (0..n).map(|t| values[t] - seasonal[t] - trend[t]).collect();
    let both: Vec<f64> = left.iter().zip(&seasonal).map(|(l, s)| l + s).collect();
    (1.0 - scatter(&left) / scatter(&both)).clamp(0.0, 1.0)
}

/// Sum of squares around the mean.
fn scatter(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean).powi(2)).sum()
}

/// Means over `window` rows; shorter by `window - 1`.
fn moving_average(values: &[f64], window: usize) -> Vec<f64> {
    let mut sum: f64 = values[..window].iter().sum();
    let mut means = vec![sum / window as f64];
    for t in window..values.len() {
        sum += values[t] - values[t - window];
        means.push(sum / window as f64);
    }
    means
}

/// Local regression at `at` on the `window` nearest values, by tricube weights: a mean, or a line.
fn local(values: &[f64], at: f64, window: usize, line: bool) -> f64 {
    let n = values.len();
    let rows = window.min(n);
    // The nearest rows: around `at`, or those at an end.
    let from = (at - rows as f64 / 2.0 + 0.5).clamp(0.0, (n - rows) as f64) as usize;
    let farthest = (at - from as f64).max((from + rows - 1) as f64 - at);
    let reach = farthest + if window > n { ((window - n) / 2) as f64 } else { 0.0 };
    let (mut mass, mut mean_x, mut mean_y) = (0.0, 0.0, 0.0);
    let weight = |x: f64| {
        let r = (x - at).abs() / reach;
        if r <= 0.001 {
            1.0
        } else if r >= 0.999 {
            0.0
        } else {
            (1.0 - r * r * r).powi(3)
        }
    };
    for (i, y) in values[from..from + rows].iter().enumerate() {
        let x = (from + i) as f64;
        let w = if reach > 0.0 { weight(x) } else { 1.0 };
        mass += w;
        mean_x += w * x;
        mean_y += w * y;
    }
    if mass <= 0.0 {
        return values[from];
    }
    mean_x /= mass;
    mean_y /= mass;
    if !line {
        return mean_y;
    }
    let (mut xx, mut xy) = (0.0, 0.0);
    for (i, y) in values[from..from + rows].iter().enumerate() {
        let x = (from + i) as f64;
        let w = if reach > 0.0 { weight(x) } else { 1.0 };
        xx += w * (x - mean_x) * (x - mean_x);
        xy += w * (x - mean_x) * y;
    }
    if (xx / mass).sqrt() > 0.001 * (n as f64 - 1.0) { mean_y + xy / xx * (at - mean_x) } else { mean_y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_followed_and_a_level_kept() {
        let line: Vec<f64> = (0..20).map(|i| 3.0 + 2.0 * f64::from(i)).collect();
        for at in [-1.0, 0.0, 0.5, 9.0, 19.0, 20.0] {
            assert!((local(&line, at, 7, true) - 3.0 - 2.0 * at).abs() < 1e-9);
            assert!((local(&[4.0; 9], at, 11, false) - 4.0).abs() < 1e-12);
        }
        assert_eq!(moving_average(&[1.0, 2.0, 6.0, 4.0], 3), [3.0, 4.0]);
    }

    #[test]
    fn strength_runs_from_none_to_all() {
        let mut rng = foresail_core::SeededRng::seed_from_u64(1);
        let mut of = |height: f64, noise: f64| {
            let values: Vec<f64> = (0..200)
                .map(|i| 0.1 * f64::from(i) + height * f64::from(u8::from(i % 7 == 2)) + noise * rng.normal())
                .collect();
            seasonal_strength(&values, 7)
        };
        assert!(of(9.0, 0.01) > 0.99);
        let middling = of(3.0, 1.0);
        assert!((0.4..0.8).contains(&middling), "{middling}");
        assert!(of(0.0, 1.0) < 0.4);
    }
}
