//! Stage 2: has the median moved, or the spread?

use super::baseline::{Baseline, MEAN_MAGNITUDE};
use super::options::DriftOptions;
use super::{effective, median};

/// Standard error of a median over that of a mean, of normal values; and of the logarithm of a mean magnitude, a point.
const MEDIAN_ERROR: f64 = 1.253_314_137_315_5;
const SPREAD_ERROR: f64 = 0.755_510_639_3;
/// Deviations count as this many usual standard deviations at most.
const CLIP: f64 = 4.0;

/// What a window of residuals says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// The level moved by so many standard deviations, the spread by a ratio.
    Permanent { size: f64, ratio: f64 },
    /// The spread alone changed, by a ratio.
    Spread { ratio: f64 },
    /// Neither, any more.
    Spike,
    /// Not enough for either, and not as it used to be yet: more points would tell.
    Undecided,
}

/// How far a window lies from the baseline.
struct Distance {
    /// Median, in usual standard deviations from the usual location.
    shift: f64,
    /// Logarithm of the ratio of spreads.
    log_ratio: f64,
}

/// Standard errors by which the later half must be back for a change to be dismissed at first sight.
const BACK: f64 = 1.5;

/// Judges the points since the suspicion. Not only all of them must have changed but the last of them too: a spike is over by
/// then.
pub(super) fn judge(window: &[f64], baseline: &Baseline, options: &DriftOptions) -> Verdict {
    let scores: Vec<f64> = window.iter().map(|v| baseline.score(*v)).collect();
    let whole = distance(&scores);
    let later = distance(&scores[scores.len() / 2..]);
    let last = distance(&scores[2 * scores.len() / 3..]);
    // A window that goes up and down slowly within itself says less than its points.
    let phi = baseline.phi().max(autocorrelation(&scores, whole.shift));
    let points = scores.len() as f64;
    let errors = |phi: f64| (1.0 / effective(points, phi), 1.0 / effective(baseline.count, phi));
    // The median of a window that scatters more is known less well.
    let (window_error, usual_error) = errors(phi);
    let spreads = whole.log_ratio.exp().powi(2);
    let median_error = MEDIAN_ERROR * (spreads * window_error + usual_error).sqrt();
    let later_error = MEDIAN_ERROR * (2.0 * spreads * window_error + usual_error).sqrt();
    let (window_error, usual_error) = errors(phi * phi);
    let spread_error = SPREAD_ERROR * (window_error + usual_error).sqrt();
    let moved = whole.shift.abs() >= options.least_shift.max(options.confidence * median_error)
        && later.shift * whole.shift.signum() >= 0.5 * whole.shift.abs();
    let changed = whole.log_ratio.abs() >= options.least_ratio.ln().max(options.confidence * spread_error)
        && last.log_ratio * whole.log_ratio.signum() >= 0.5 * whole.log_ratio.abs();
    let ratio = later.log_ratio.exp();
    if moved {
        Verdict::Permanent { size: whole.shift, ratio }
    } else if changed {
        Verdict::Spread { ratio }
    } else if later.shift.abs() >= options.least_shift.max(BACK * later_error) {
        Verdict::Undecided
    } else {
        Verdict::Spike
    }
}

fn distance(scores: &[f64]) -> Distance {
    let shift = median(&mut scores.to_vec());
    let magnitude = scores.iter().map(|z| (z - shift).abs().min(CLIP)).sum::<f64>() / scores.len().max(1) as f64;
    Distance { shift, log_ratio: (magnitude / MEAN_MAGNITUDE).max(1e-9).ln() }
}

/// Of neighbours about `centre`, clipped, 0 to 0.95.
fn autocorrelation(scores: &[f64], centre: f64) -> f64 {
    let clipped: Vec<f64> = scores.iter().map(|z| (z - centre).clamp(-CLIP, CLIP)).collect();
    let squares: f64 = clipped.iter().map(|z| z * z).sum();
    let products: f64 = clipped.windows(2).map(|w| w[0] * w[1]).sum();
    if squares > 0.0 { (products / squares).clamp(0.0, 0.95) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    fn check(law: impl Fn(usize, f64) -> f64, expected: impl Fn(Verdict) -> bool) {
        let options = DriftOptions::default();
        for seed in 0..20 {
            let mut rng = SeededRng::seed_from_u64(seed);
            let usual: Vec<f64> = (0..500).map(|_| 10.0 + 2.0 * rng.normal()).collect();
            let baseline = Baseline::of(&usual, 1_000.0);
            let window: Vec<f64> = (0..60).map(|i| 10.0 + 2.0 * law(i, rng.normal())).collect();
            let verdict = judge(&window, &baseline, &options);
            assert!(expected(verdict), "seed {seed}: {verdict:?}");
        }
    }

    #[test]
    fn what_lasts_is_told_from_what_passes() {
        check(|_, noise| noise, |v| matches!(v, Verdict::Spike | Verdict::Undecided));
        check(|i, noise| noise + if i < 18 { 6.0 } else { 0.0 }, |v| matches!(v, Verdict::Spike | Verdict::Undecided));
        check(|_, noise| noise + 1.5, |v| matches!(v, Verdict::Permanent { size, .. } if (0.9..2.1).contains(&size)));
        check(|_, noise| noise - 1.5, |v| matches!(v, Verdict::Permanent { size, .. } if (-2.1..-0.9).contains(&size)));
        check(|_, noise| 3.0 * noise, |v| matches!(v, Verdict::Spread { ratio } if ratio > 1.8));
        check(|_, noise| 0.2 * noise, |v| matches!(v, Verdict::Spread { ratio } if ratio < 0.4));
        check(|_, _| 0.0, |v| matches!(v, Verdict::Spread { ratio } if ratio < 1e-3));
    }
}
