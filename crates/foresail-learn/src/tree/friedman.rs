//! What trees are tested on.

use foresail_core::SeededRng;

/// Friedman's first benchmark (*Multivariate adaptive regression splines*, 1991): five features matter, five do not.
pub(crate) fn friedman(rows: usize, rng: &mut SeededRng) -> (Vec<f32>, Vec<f64>) {
    let mut features = Vec::new();
    let mut targets = Vec::new();
    for _ in 0..rows {
        let x: Vec<f64> = (0..10).map(|_| rng.uniform()).collect();
        let wave = 10.0 * (std::f64::consts::PI * x[0] * x[1]).sin();
        targets.push(wave + 20.0 * (x[2] - 0.5).powi(2) + 10.0 * x[3] + 5.0 * x[4] + rng.normal());
        features.extend(x.iter().map(|v| *v as f32));
    }
    (features, targets)
}
