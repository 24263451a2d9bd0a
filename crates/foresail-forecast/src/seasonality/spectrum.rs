//! Periodogram and autocorrelation, by one fast Fourier transform there and one back.

use std::f64::consts::{LN_2, TAU};

/// Chance that a series without a season shows some peak, if its background is as smooth as assumed.
const CHANCE: f64 = 0.01;
/// Cycles that the rows must hold of a frequency.
const LEAST_CYCLES: f64 = 3.0;
/// Peaks looked at most.
const MOST_PEAKS: usize = 24;
/// Least independent frequencies that a background is the median of.
const LEAST_BAND: f64 = 7.0;

/// What a series repeats.
pub(super) struct Spectrum {
    rows: usize,
    /// Squared magnitude at `k / (2 (len - 1))` cycles a row.
    power: Vec<f64>,
    /// At each lag, 1 at lag 0.
    autocorrelation: Vec<f64>,
}

/// A frequency that stands out, as the season lengths it may stand for.
pub(super) struct Peak {
    pub(super) shortest: usize,
    pub(super) longest: usize,
}

impl Spectrum {
    /// Of `values` without their least-squares line; zeros are put behind them, so that the autocorrelation does not wrap.
    pub(super) fn of(values: &[f64]) -> Self {
        let rows = values.len();
        let mut wave = vec![(0.0, 0.0); (2 * rows).next_power_of_two().max(4)];
        let (n, mean) = (rows as f64, values.iter().sum::<f64>() / rows as f64);
        let middle = (n - 1.0) / 2.0;
        let cross: f64 = values.iter().enumerate().map(|(i, v)| (i as f64 - middle) * (v - mean)).sum();
        let slope = cross * 12.0 / (n * (n * n - 1.0)).max(1.0);
        for (i, value) in values.iter().enumerate() {
            wave[i].0 = value - mean - slope * (i as f64 - middle);
        }
        transform(&mut wave);
        let power: Vec<f64> = wave.iter().map(|(re, im)| re * re + im * im).collect();
        wave.iter_mut().zip(&power).for_each(|(point, power)| *point = (*power, 0.0));
        transform(&mut wave);
        let whole = if wave[0].0 > 0.0 { wave[0].0 } else { 1.0 };
        let autocorrelation = wave[..rows].iter().map(|(re, _)| re / whole).collect();
        let half = power.len() / 2;
        Self { rows, power: power[..=half].to_vec(), autocorrelation }
    }

    /// Frequencies a cycle in all rows.
    fn apart(&self) -> f64 {
        (self.power.len() - 1) as f64 * 2.0 / self.rows as f64
    }

    /// Frequencies that stand out, the strongest against their background first.
    pub(super) fn peaks(&self) -> Vec<Peak> {
        let background = self.background();
        let threshold = (self.rows as f64 / 2.0 / CHANCE).ln();
        let first = (LEAST_CYCLES * self.apart()).floor() as usize;
        let mut peaks: Vec<(f64, usize)> = (first.max(1)..self.power.len() - 1)
            .filter(|k| self.power[*k] >= self.power[k - 1] && self.power[*k] > self.power[k + 1])
            .map(|k| (self.power[k] / level(&background, k), k))
            .filter(|(ratio, _)| *ratio > threshold)
            .collect();
        peaks.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        peaks.truncate(MOST_PEAKS);
        let whole = (self.power.len() - 1) as f64 * 2.0;
        let around = |k: usize| Peak {
            shortest: (whole / (k as f64 + 0.6 * self.apart())).ceil() as usize,
            longest: (whole / (k as f64 - 0.6 * self.apart()).max(1.0)).floor() as usize,
        };
        // A whole length near the peak need not lie within its width where lengths are short.
        let widened = |k: usize| {
            let (peak, nearest) = (around(k), (whole / k as f64).round() as usize);
            Peak { shortest: peak.shortest.min(nearest), longest: peak.longest.max(nearest) }
        };
        peaks.into_iter().map(|(_, k)| widened(k)).collect()
    }

    /// The background as a line of knots: logarithms of a frequency and of the mean power around it. The median of
    /// neighbours is used, which peaks do not move, placed at the middle one of them: where power falls or rises throughout
    /// a band, that is the frequency that has it.
    fn background(&self) -> Vec<(f64, f64)> {
        let last = self.power.len() - 1;
        let width = LEAST_BAND * self.apart();
        let mut knots: Vec<(f64, f64)> = Vec::new();
        let (mut low, mut high) = (self.apart().round().max(1.0), self.apart() + width);
        while (low as usize) < last {
            let band = low as usize..(high as usize).min(last) + 1;
            let mut sorted = self.power[band.clone()].to_vec();
            sorted.sort_by(f64::total_cmp);
            let median = sorted[sorted.len() / 2];
            let middle = (band.start + band.end - 1) as f64 / 2.0;
            // The power of noise is exponential: its mean is its median over ln 2.
            knots.push((middle.ln(), (median / LN_2).max(f64::MIN_POSITIVE).ln()));
            low = (low * 1.5).max(low + width / 2.0);
            high = (low * 2.5).max(low + width);
        }
        knots
    }

    /// The lag from `low` to `high` at which the series is most like itself, there and at the multiples.
    pub(super) fn repeats_best(&self, low: usize, high: usize) -> usize {
        let score = |lag: usize| {
            let times = (self.rows / 2 / lag).clamp(1, 6);
            (1..=times).map(|j| self.autocorrelation.get(j * lag).copied().unwrap_or(0.0)).sum::<f64>() / times as f64
        };
        (low..=high).max_by(|a, b| score(*a).total_cmp(&score(*b)).then(b.cmp(a))).unwrap_or(low)
    }
}

/// The background at frequency `k`, on the line through the knots beside it.
fn level(knots: &[(f64, f64)], k: usize) -> f64 {
    let x = (k as f64).ln();
    match knots {
        [] => f64::INFINITY,
        [(_, y)] => y.exp(),
        _ => {
            let right = knots.partition_point(|knot| knot.0 < x).clamp(1, knots.len() - 1);
            let ((x0, y0), (x1, y1)) = (knots[right - 1], knots[right]);
            (y0 + (y1 - y0) * (x - x0) / (x1 - x0).max(1e-9)).exp()
        }
    }
}

/// The discrete Fourier transform in place (Cooley & Tukey 1965); the length is a power of two.
fn transform(wave: &mut [(f64, f64)]) {
    let n = wave.len();
    let bits = n.trailing_zeros();
    for i in 0..n {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            wave.swap(i, j);
        }
    }
    let turns: Vec<(f64, f64)> = (0..n / 2)
        .map(|i| {
            let (sin, cos) = (TAU * i as f64 / n as f64).sin_cos();
            (cos, -sin)
        })
        .collect();
    let mut half = 1;
    while half < n {
        let stride = n / (2 * half);
        for block in wave.chunks_exact_mut(2 * half) {
            let (left, right) = block.split_at_mut(half);
            for ((a, b), turn) in left.iter_mut().zip(right).zip(turns.iter().step_by(stride)) {
                let turned = (b.0 * turn.0 - b.1 * turn.1, b.0 * turn.1 + b.1 * turn.0);
                (*a, *b) = ((a.0 + turned.0, a.1 + turned.1), (a.0 - turned.0, a.1 - turned.1));
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_that_of_the_definition() {
        let input: Vec<(f64, f64)> = (0..16).map(|i| ((f64::from(i) * 1.3).sin(), f64::from(i % 3))).collect();
        let mut fast = input.clone();
        transform(&mut fast);
        for (k, got) in fast.iter().enumerate() {
            let (mut re, mut im) = (0.0, 0.0);
            for (t, value) in input.iter().enumerate() {
                let (sin, cos) = (-TAU * (k * t) as f64 / 16.0).sin_cos();
                re += value.0 * cos - value.1 * sin;
                im += value.0 * sin + value.1 * cos;
            }
            assert!((got.0 - re).abs() < 1e-10 && (got.1 - im).abs() < 1e-10, "{k}");
        }
    }

    #[test]
    fn autocorrelation_is_that_of_the_definition() {
        let values: Vec<f64> = (0..40).map(|i| [1.0, -1.0, 2.0, -2.0, 0.0][i % 5]).collect();
        let found = Spectrum::of(&values);
        assert!((found.autocorrelation[0] - 1.0).abs() < 1e-12);
        assert!((found.autocorrelation[5] - 0.875).abs() < 0.01, "{}", found.autocorrelation[5]);
    }
}
