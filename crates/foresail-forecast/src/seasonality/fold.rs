//! A series laid over itself at some season length.

/// What a season of some length explains.
pub(super) struct Folded {
    pub(super) rows: usize,
    /// How often the season was seen.
    pub(super) cycles: f64,
    /// Share of the variance around a moving average that the season explains, less what it would explain by chance (the
    /// adjusted coefficient of determination).
    pub(super) share: f64,
    /// Variance that the season explains.
    pub(super) variance: f64,
    effects: Vec<f64>,
}

impl Folded {
    /// Of `values` with a season of `rows`, at least 2 and at most half of them.
    pub(super) fn of(values: &[f64], rows: usize) -> Self {
        let half = rows / 2;
        let (mut sums, mut counts) = (vec![0.0; rows], vec![0.0; rows]);
        let mut squares = 0.0;
        let mut window: f64 = values[..2 * half + 1].iter().sum();
        for middle in half..values.len() - half {
            if middle > half {
                window += values[middle + half] - values[middle - half - 1];
            }
            let ends = if rows.is_multiple_of(2) { (values[middle - half] + values[middle + half]) / 2.0 } else { 0.0 };
            let rest = values[middle] - (window - ends) / rows as f64;
            sums[middle % rows] += rest;
            counts[middle % rows] += 1.0;
            squares += rest * rest;
        }
        let count: f64 = counts.iter().sum();
        let between: f64 = sums.iter().zip(&counts).filter(|(_, n)| **n > 0.0).map(|(sum, n)| sum * sum / n).sum();
        let (freedom, within) = ((count - rows as f64).max(1.0), (squares - between).max(0.0));
        // Sums of squares that are rounding errors explain nothing.
        let share = if squares > 1e-18 * count { 1.0 - within / freedom * (count - 1.0) / squares } else { 0.0 };
        let effects = sums.iter().zip(&counts).map(|(sum, n)| if *n > 0.0 { sum / n } else { 0.0 }).collect();
        Self { rows, cycles: values.len() as f64 / rows as f64, share, variance: between / count.max(1.0), effects }
    }

    /// Takes the season out of `values`.
    pub(super) fn take_from(&self, values: &mut [f64]) {
        for (i, value) in values.iter_mut().enumerate() {
            *value -= self.effects[i % self.rows];
        }
    }
}
