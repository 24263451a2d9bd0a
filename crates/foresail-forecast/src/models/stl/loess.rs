//! Local regression on a regular grid (loess: Cleveland 1979), the smoother of STL.
//!
//! Without robustness weights the weights of neighbours hang on the distance alone. So they are reckoned once, for the
//! middle of a series and for each place near its ends, and smoothing is a row of inner products.

/// A smoother of series of some length.
pub(super) struct Loess {
    rows: usize,
    window: usize,
    /// Every so many rows are smoothed; straight lines join them.
    jump: usize,
    /// Weights of the rows around one that has `reach` neighbours on both sides.
    centre: Vec<f64>,
    reach: usize,
    /// Rows at either end that have not.
    edge: usize,
    /// For each smoothed row of the first `edge`, and for each of the last, counted from the end: weights of the `window`
    /// rows from that end.
    first: Vec<Vec<f64>>,
    last: Vec<Vec<f64>>,
    /// Weights that give the row one before the first, for the `window` rows from there.
    beyond: Vec<f64>,
}

impl Loess {
    /// Smooths `rows` rows by polynomials of `degree` 0 or 1 over windows of `window` rows (odd, at least 3).
    pub(super) fn new(rows: usize, window: usize, degree: usize, jump: usize) -> Self {
        let width = window.min(rows);
        let half = window.div_ceil(2) - 1;
        let jump = jump.clamp(1, rows.saturating_sub(1).max(1));
        // With too few rows for one full window there is no middle.
        let edge = if window >= rows { rows } else { half };
        let at = |row: usize| weights(row as f64 + 1.0, width, window, degree);
        let smoothed = |row: &usize| row.is_multiple_of(jump);
        let first = (0..edge).map(|row| if smoothed(&row) { at(row) } else { Vec::new() }).collect();
        let from_end = |back: usize| smoothed(&(rows - 1 - back)) || back == 0;
        let last = if window >= rows {
            vec![at(0)]
        } else {
            (0..edge).map(|back| if from_end(back) { at(back) } else { Vec::new() }).collect()
        };
        let (centre, reach) = if window >= rows {
            (Vec::new(), 0)
        } else {
            // Rows at the very ends of the window weigh nothing.
            let reach = half.saturating_sub(1);
            let all = weights(half as f64 + 1.0, window, window, degree);
            (all[half - reach..=half + reach].to_vec(), reach)
        };
        Self { rows, window: width, jump, centre, reach, edge, first, last, beyond: weights(0.0, width, window, 0) }
    }

    /// Smooths `values` into `smooth`; both have the length told.
    pub(super) fn smooth(&self, values: &[f64], smooth: &mut [f64]) {
        debug_assert!(values.len() == self.rows && smooth.len() == self.rows);
        if self.rows < 2 {
            smooth.copy_from_slice(values);
            return;
        }
        for row in (0..self.rows).step_by(self.jump) {
            smooth[row] = self.at(row, values);
        }
        let end = self.rows - 1;
        if self.jump > 1 {
            if !end.is_multiple_of(self.jump) {
                smooth[end] = self.at_end(0, values);
            }
            for from in (0..end).step_by(self.jump) {
                let to = (from + self.jump).min(end);
                let slope = (smooth[to] - smooth[from]) / (to - from) as f64;
                for row in from + 1..to {
                    smooth[row] = smooth[from] + slope * (row - from) as f64;
                }
            }
        }
    }

    /// What the row before the first and the one after the last would be, by a polynomial of degree 0.
    pub(super) fn around(&self, values: &[f64]) -> (f64, f64) {
        let before = dot(&self.beyond, &values[..self.window]);
        let after = dot_back(&self.beyond, &values[self.rows - self.window..]);
        (before, after)
    }

    /// The weight that the newest row has in what the next is taken to be: how fast a repeated fit follows.
    pub(super) fn newest(&self) -> f64 {
        self.beyond.first().copied().unwrap_or(1.0)
    }

    fn at(&self, row: usize, values: &[f64]) -> f64 {
        if row < self.edge {
            dot(&self.first[row], &values[..self.window])
        } else if self.rows - 1 - row < self.edge {
            self.at_end(self.rows - 1 - row, values)
        } else {
            dot(&self.centre, &values[row - self.reach..=row + self.reach])
        }
    }

    fn at_end(&self, back: usize, values: &[f64]) -> f64 {
        dot_back(&self.last[back], &values[self.rows - self.window..])
    }
}

/// Weights of the rows 1 to `width` in the local regression at `place` (which may lie beside them): tricube, of `degree` 0 or
/// 1; a `window` longer than `width` weighs more evenly (Cleveland et al. 1990, §2).
fn weights(place: f64, width: usize, window: usize, degree: usize) -> Vec<f64> {
    let rows = (1..=width).map(|row| row as f64);
    let farthest = (place - 1.0).abs().max((width as f64 - place).abs()) + ((window - width) / 2) as f64;
    let tricube = |distance: f64| {
        if distance <= 0.001 * farthest {
            1.0
        } else if distance <= 0.999 * farthest {
            (1.0 - (distance / farthest).powi(3)).powi(3)
        } else {
            0.0
        }
    };
    let mut weights: Vec<f64> = rows.clone().map(|row| tricube((row - place).abs())).collect();
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 {
        // Only the nearest is near enough to say anything.
        weights.fill(0.0);
        weights[if place < 1.0 { 0 } else { width - 1 }] = 1.0;
        return weights;
    }
    weights.iter_mut().for_each(|weight| *weight /= sum);
    if degree > 0 {
        let mean: f64 = weights.iter().zip(rows.clone()).map(|(weight, row)| weight * row).sum();
        let spread: f64 = weights.iter().zip(rows.clone()).map(|(weight, row)| weight * (row - mean).powi(2)).sum();
        if spread.sqrt() > 0.001 * (width as f64 - 1.0) {
            let lean = (place - mean) / spread;
            weights.iter_mut().zip(rows).for_each(|(weight, row)| *weight *= lean * (row - mean) + 1.0);
        }
    }
    weights
}

/// The inner product, summed in eight parts that can be added at once.
fn dot(weights: &[f64], values: &[f64]) -> f64 {
    let (mut sums, whole) = ([0.0; 8], weights.len() / 8 * 8);
    for (w, v) in weights[..whole].chunks_exact(8).zip(values.chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += w[i] * v[i];
        }
    }
    let rest: f64 = weights[whole..].iter().zip(&values[whole..]).map(|(w, v)| w * v).sum();
    sums.iter().sum::<f64>() + rest
}

/// The inner product with the values in reverse.
fn dot_back(weights: &[f64], values: &[f64]) -> f64 {
    weights.iter().zip(values.iter().rev()).map(|(w, v)| w * v).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    /// Weighted least squares at every row, by the book.
    fn plain(values: &[f64], window: usize, degree: usize) -> Vec<f64> {
        let rows = values.len();
        let width = window.min(rows);
        (0..rows)
            .map(|row| {
                let from = if window >= rows { 0 } else { row.saturating_sub(window / 2).min(rows - width) };
                let place = row as f64 - from as f64;
                let reach = place.max(width as f64 - 1.0 - place) + ((window - width) / 2) as f64;
                let (mut s, mut sx, mut sxx, mut sy, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
                for (i, y) in values[from..from + width].iter().enumerate() {
                    let x = i as f64 - place;
                    let share = x.abs() / reach;
                    let w = if share > 0.999 { 0.0 } else { (1.0 - share.powi(3)).powi(3) };
                    s += w;
                    sx += w * x;
                    sxx += w * x * x;
                    sy += w * y;
                    sxy += w * x * y;
                }
                let determinant = s * sxx - sx * sx;
                if degree == 0 || determinant.abs() < 1e-12 { sy / s } else { (sxx * sy - sx * sxy) / determinant }
            })
            .collect()
    }

    #[test]
    fn smoothing_is_local_regression() {
        let mut rng = SeededRng::seed_from_u64(2);
        let values: Vec<f64> = (0..60).map(|i| f64::from(i % 13) + rng.normal()).collect();
        for degree in [0, 1] {
            for (rows, window) in [(60, 7), (60, 25), (60, 59), (60, 61), (20, 41), (5, 11), (2, 7), (60, 3)] {
                let mut smooth = vec![0.0; rows];
                Loess::new(rows, window, degree, 1).smooth(&values[..rows], &mut smooth);
                for (i, (got, expected)) in smooth.iter().zip(plain(&values[..rows], window, degree)).enumerate() {
                    // A tiny distance counts as none, by the book not.
                    assert!((got - expected).abs() < 1e-6, "{rows} {window} {degree} {i}: {got} {expected}");
                }
            }
        }
    }

    #[test]
    fn jumps_change_little_and_lines_nothing() {
        let values: Vec<f64> = (0..500).map(|i| (f64::from(i) / 60.0).sin()).collect();
        let line: Vec<f64> = (0..500).map(|i| 3.0 - 0.1 * f64::from(i)).collect();
        for (rows, jump) in [(500, 7), (500, 20), (137, 9), (81, 9)] {
            let (mut all, mut some) = (vec![0.0; rows], vec![0.0; rows]);
            Loess::new(rows, 101, 1, 1).smooth(&values[..rows], &mut all);
            let jumping = Loess::new(rows, 101, 1, jump);
            jumping.smooth(&values[..rows], &mut some);
            assert!(all.iter().zip(&some).all(|(a, b)| (a - b).abs() < 0.02), "{rows} {jump}");
            jumping.smooth(&line[..rows], &mut some);
            assert!(line.iter().zip(&some).all(|(a, b)| (a - b).abs() < 1e-9), "{rows} {jump}");
        }
    }

    #[test]
    fn a_line_is_followed_and_a_level_kept() {
        let line: Vec<f64> = (0..20).map(|i| 3.0 + 2.0 * f64::from(i)).collect();
        let mut smooth = vec![0.0; 20];
        Loess::new(20, 7, 1, 1).smooth(&line, &mut smooth);
        assert!(line.iter().zip(&smooth).all(|(y, s)| (y - s).abs() < 1e-9), "{smooth:?}");
        let (before, after) = Loess::new(9, 11, 0, 1).around(&[4.0; 9]);
        assert!((before - 4.0).abs() < 1e-12 && (after - 4.0).abs() < 1e-12, "{before} {after}");
    }

    #[test]
    fn what_lies_around_a_series_is_a_mean_of_its_ends() {
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        let (before, after) = Loess::new(30, 11, 0, 1).around(&values);
        assert!((before + after - 29.0).abs() < 1e-9 && before > 0.0 && before < 4.0, "{before} {after}");
        assert_eq!(Loess::new(1, 11, 0, 1).around(&[5.0]), (5.0, 5.0));
    }
}
