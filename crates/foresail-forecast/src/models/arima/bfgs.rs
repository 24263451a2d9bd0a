//! Quasi-Newton search.

/// Steps of the numerical derivatives.
const APART: f64 = 1e-4;
/// Trials along a line.
const TRIALS: usize = 12;
/// Longest step, in coordinates whose hyperbolic tangent is a correlation.
const LONGEST: f64 = 2.0;

/// What a search found.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) point: Vec<f64>,
    pub(super) value: f64,
}

/// The lowest point of `cost` near `start`, by the method of Broyden, Fletcher, Goldfarb & Shanno with central differences.
/// `inverse` is a first guess of the inverse of the second derivatives (`size × size`). Ends where a further step promises
/// less than `gain`, or after `steps` steps. A cost that is not finite is never stepped to.
pub(super) fn minimise(
    start: Vec<f64>,
    mut inverse: Vec<f64>,
    gain: f64,
    steps: usize,
    mut cost: impl FnMut(&[f64]) -> f64,
) -> Found {
    let size = start.len();
    let value = cost(&start);
    let mut best = Found { point: start, value };
    if size == 0 || !best.value.is_finite() {
        return best;
    }
    let mut slope = gradient(&best.point, best.value, &mut cost);
    let mut renewed = false;
    for _ in 0..steps {
        let mut step: Vec<f64> =
            inverse.chunks_exact(size).map(|row| -row.iter().zip(&slope).map(|(h, g)| h * g).sum::<f64>()).collect();
        let mut promised = -dot(&step, &slope);
        if promised <= 0.0 || promised.is_nan() {
            inverse = identity(size);
            step = slope.iter().map(|g| -g).collect();
            promised = dot(&slope, &slope);
        }
        if promised < gain {
            // The guess may be blind to a slope: before it is believed, the plain slope is asked once.
            if renewed || dot(&slope, &slope) < gain {
                break;
            }
            renewed = true;
            inverse = identity(size);
            continue;
        }
        let length = dot(&step, &step).sqrt();
        let mut share = (LONGEST / length).min(1.0);
        let mut next = None;
        for _ in 0..TRIALS {
            let point: Vec<f64> = best.point.iter().zip(&step).map(|(x, s)| x + share * s).collect();
            let value = cost(&point);
            if value.is_finite() && value <= best.value - 1e-4 * share * promised {
                next = Some(Found { point, value });
                break;
            }
            // The lowest point of the parabola through what is known, within bounds.
            let bend = value - best.value + share * promised;
            let parabola = if bend.is_finite() && bend > 0.0 { 0.5 * share * share * promised / bend } else { 0.0 };
            share = parabola.clamp(0.1 * share, 0.5 * share);
        }
        let Some(next) = next else {
            if renewed {
                break;
            }
            renewed = true;
            inverse = identity(size);
            continue;
        };
        let next_slope = gradient(&next.point, next.value, &mut cost);
        let moved: Vec<f64> = next.point.iter().zip(&best.point).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next_slope.iter().zip(&slope).map(|(a, b)| a - b).collect();
        update(&mut inverse, &moved, &turned);
        (best, slope) = (next, next_slope);
    }
    best
}

/// Broyden, Fletcher, Goldfarb & Shanno's rule, where the curvature along the step is positive.
fn update(inverse: &mut [f64], moved: &[f64], turned: &[f64]) {
    let size = moved.len();
    let curvature = dot(moved, turned);
    if curvature <= 1e-14 || curvature.is_nan() {
        return;
    }
    let pushed: Vec<f64> = inverse.chunks_exact(size).map(|row| dot(row, turned)).collect();
    let scale = (1.0 + dot(turned, &pushed) / curvature) / curvature;
    for i in 0..size {
        for j in 0..size {
            inverse[i * size + j] +=
                scale * moved[i] * moved[j] - (pushed[i] * moved[j] + moved[i] * pushed[j]) / curvature;
        }
    }
}

/// Central differences; where one side is not finite, the other's.
fn gradient(point: &[f64], value: f64, cost: &mut impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let mut at = point.to_vec();
    (0..point.len())
        .map(|i| {
            at[i] = point[i] + APART;
            let above = cost(&at);
            at[i] = point[i] - APART;
            let below = cost(&at);
            at[i] = point[i];
            match (above.is_finite(), below.is_finite()) {
                (true, true) => (above - below) / (2.0 * APART),
                (true, false) => (above - value) / APART,
                (false, true) => (value - below) / APART,
                (false, false) => 0.0,
            }
        })
        .collect()
}

/// The identity, `size × size`.
pub(super) fn identity(size: usize) -> Vec<f64> {
    (0..size * size).map(|i| f64::from(u8::from(i % (size + 1) == 0))).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bent_valley_is_followed_to_its_end() {
        let rosenbrock = |p: &[f64]| (1.0 - p[0]).powi(2) + 100.0 * (p[1] - p[0] * p[0]).powi(2);
        let found = minimise(vec![-1.2, 1.0], identity(2), 1e-14, 200, rosenbrock);
        assert!(found.point.iter().all(|x| (x - 1.0).abs() < 1e-4), "{:?}", found.point);
    }

    #[test]
    fn a_cliff_is_not_stepped_over() {
        let cliff = |p: &[f64]| if p[0] > 0.5 { f64::NAN } else { (p[0] - 2.0).powi(2) };
        let found = minimise(vec![0.0], identity(1), 1e-12, 50, cliff);
        assert!((0.4..=0.5).contains(&found.point[0]), "{:?}", found.point);
        assert_eq!(minimise(vec![], vec![], 1e-9, 9, |_| 3.0).value, 3.0);
    }
}
