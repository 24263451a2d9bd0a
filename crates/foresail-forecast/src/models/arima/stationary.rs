//! Where a stationary process is before anything was seen of it.

use super::polynomial::Taps;

/// An ARMA process with innovations of variance 1: `y = Σ ar·y + ε + Σ ma·ε`.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) ar: Taps,
    pub(super) ma: Taps,
    /// Rows of its state: the longest lag of `ar`, or that of `ma` and one.
    pub(super) rows: usize,
}

/// What the filter starts from.
pub(super) struct Start {
    /// Variance of a row.
    pub(super) variance: f64,
    /// What a first row tells of the `rows` rows after it, a unit of its error.
    pub(super) gain: Vec<f64>,
}

impl Process {
    pub(super) fn new(ar: Taps, ma: Taps) -> Self {
        let rows = ar.reach().max(ma.reach() + 1);
        Self { ar, ma, rows }
    }

    /// Responses to a shock 0, 1, … `count - 1` rows ago.
    pub(super) fn responses(&self, count: usize) -> Vec<f64> {
        let mut psi = vec![0.0; count];
        if let Some(first) = psi.first_mut() {
            *first = 1.0;
        }
        for (lag, c) in self.ma.0.iter().filter(|(lag, _)| *lag < count) {
            psi[*lag] = *c;
        }
        for t in 1..count {
            let before: f64 = self.ar.0.iter().take_while(|(lag, _)| *lag <= t).map(|(lag, c)| c * psi[t - lag]).sum();
            psi[t] += before;
        }
        psi
    }

    /// Variance and first gain; `None` if the process is not stationary as far as can be reckoned.
    pub(super) fn start(&self) -> Option<Start> {
        let (r, psi) = (self.rows, self.responses(self.rows));
        let gamma = self.autocovariances(r)?;
        let mut gain = vec![0.0; r];
        let mut add = |taps: &Taps, covariances: &[f64]| {
            for (lag, c) in &taps.0 {
                for (i, g) in gain[..*lag].iter_mut().enumerate() {
                    *g += c * covariances[lag - 1 - i];
                }
            }
        };
        add(&self.ar, &gamma);
        add(&self.ma, &psi);
        let variance = gamma[0];
        gain.iter_mut().for_each(|g| *g /= variance);
        (variance.is_finite() && variance >= 1.0 - 1e-6).then_some(Start { variance, gain })
    }

    /// Autocovariances at lags 0 to `last`.
    fn autocovariances(&self, last: usize) -> Option<Vec<f64>> {
        let q = self.ma.reach();
        let plain = autoregression(&self.ar, last + q)?;
        if q == 0 {
            return Some(plain);
        }
        let mut theta = vec![0.0; q + 1];
        theta[0] = 1.0;
        self.ma.0.iter().for_each(|(lag, c)| theta[*lag] = *c);
        // How the moving average correlates with itself, lag by lag: mostly zeros in a seasonal model.
        let mixed: Vec<(usize, f64)> = (0..=q)
            .map(|lag| (lag, theta.iter().zip(&theta[lag..]).map(|(a, b)| a * b).sum::<f64>()))
            .filter(|(_, c)| *c != 0.0)
            .collect();
        let at = |k: usize| -> f64 {
            mixed
                .iter()
                .map(|(lag, c)| {
                    let sides = if *lag == 0 { plain[k] } else { plain[k + lag] + plain[k.abs_diff(*lag)] };
                    c * sides
                })
                .sum()
        };
        Some((0..=last).map(at).collect())
    }
}

/// Autocovariances of `y = Σ ar·y + ε` at lags 0 to `last`: Durbin & Levinson's recursion down to the partial
/// autocorrelations, and up again. O(reach²).
fn autoregression(ar: &Taps, last: usize) -> Option<Vec<f64>> {
    let p = ar.reach();
    let mut a = vec![0.0; p];
    ar.0.iter().for_each(|(lag, c)| a[lag - 1] = *c);
    let mut partial = vec![0.0; p];
    let mut before = vec![0.0; p];
    for k in (0..p).rev() {
        partial[k] = a[k];
        if a[k] == 0.0 {
            continue;
        }
        let rest = 1.0 - a[k] * a[k];
        if rest <= 0.0 || rest.is_nan() {
            return None;
        }
        before[..k].copy_from_slice(&a[..k]);
        for j in 0..k {
            a[j] = (before[j] + partial[k] * before[k - 1 - j]) / rest;
        }
    }
    let mut gamma = Vec::with_capacity(last + 1);
    let mut error: f64 = partial.iter().map(|k| 1.0 - k * k).product::<f64>().recip();
    gamma.push(error);
    for k in 0..p.min(last) {
        let expected: f64 = (0..k).map(|j| a[j] * gamma[k - j]).sum();
        gamma.push(expected + partial[k] * error);
        error *= 1.0 - partial[k] * partial[k];
        before[..k].copy_from_slice(&a[..k]);
        for j in 0..k {
            a[j] = before[j] - partial[k] * before[k - 1 - j];
        }
        a[k] = partial[k];
    }
    for t in gamma.len()..=last {
        gamma.push(ar.0.iter().map(|(lag, c)| c * gamma[t - lag]).sum());
    }
    Some(gamma)
}

#[cfg(test)]
mod tests {
    use super::super::polynomial::Coefficients;
    use super::*;

    /// Autocovariances as sums over the responses to past shocks.
    fn check(coefficients: &Coefficients, season: usize) {
        let process = Process::new(coefficients.ar_taps(season), coefficients.ma_taps(season));
        let psi = process.responses(6000);
        let gamma = process.autocovariances(process.rows).unwrap();
        for (lag, got) in gamma.iter().enumerate() {
            let expected: f64 = psi.iter().zip(&psi[lag..]).map(|(a, b)| a * b).sum();
            assert!((got - expected).abs() < 1e-8 * gamma[0], "{lag}: {got}, not {expected}");
        }
        let start = process.start().unwrap();
        // A row's share of what follows: the correlation with the next row is its first gain, less what a later row adds.
        assert!((start.variance - gamma[0]).abs() < 1e-12 * gamma[0]);
        assert!((start.gain[0] - gamma[1] / gamma[0]).abs() < 1e-9);
    }

    #[test]
    fn autocovariances_are_those_of_the_shocks_summed_up() {
        check(&Coefficients { ar: vec![0.9], ..Coefficients::default() }, 1);
        check(&Coefficients { ma: vec![0.4, -0.7], ..Coefficients::default() }, 1);
        check(&Coefficients { ar: vec![1.2, -0.5], ma: vec![0.3], ..Coefficients::default() }, 1);
        let seasonal = Coefficients { ar: vec![0.8], ma: vec![-0.4], seasonal_ar: vec![0.9], seasonal_ma: vec![-0.5] };
        check(&seasonal, 12);
        check(&Coefficients { seasonal_ar: vec![0.3, 0.5], ..Coefficients::default() }, 7);
    }
}
