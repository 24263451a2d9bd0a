//! Weights that are not negative and sum to one, of least squared error.

/// Steps at most; few are needed unless members are nearly alike, and then it does not matter which is taken.
const STEPS: usize = 300;

/// The weights `w` of least `w' G w + shrinkage · s · |w − prior|²` with `G` the gram matrix of the members' errors
/// (`n × n`, symmetric) and `s` its trace over `n`, by accelerated projected gradient (Beck & Teboulle, "A fast iterative
/// shrinkage-thresholding algorithm", 2009). The prior lies on the simplex.
pub(super) fn weights(gram: &[f64], shrinkage: f64, prior: &[f64]) -> Vec<f64> {
    let size = prior.len();
    let mut weights = prior.to_vec();
    let trace: f64 = (0..size).map(|i| gram[i * size + i]).sum();
    let pull = shrinkage * trace / size.max(1) as f64;
    if !(trace > 0.0 && (trace + pull).is_finite()) {
        return weights;
    }
    // The trace bounds the greatest eigenvalue.
    let rate = 1.0 / (trace + pull);
    let mut ahead = weights.clone();
    let mut momentum = 1.0_f64;
    for _ in 0..STEPS {
        let mut next: Vec<f64> = (0..size)
            .map(|i| {
                let row = &gram[i * size..(i + 1) * size];
                let slope: f64 = row.iter().zip(&ahead).map(|(g, w)| g * w).sum();
                ahead[i] - rate * (slope + pull * (ahead[i] - prior[i]))
            })
            .collect();
        project(&mut next);
        let faster = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
        let carry = (momentum - 1.0) / faster;
        let moved: f64 = next.iter().zip(&weights).map(|(new, old)| (new - old).abs()).sum();
        ahead = next.iter().zip(&weights).map(|(new, old)| new + carry * (new - old)).collect();
        (weights, momentum) = (next, faster);
        if moved < 1e-9 {
            break;
        }
    }
    weights
}

/// The nearest point whose coordinates are not negative and sum to one (Duchi et al., "Efficient projections onto the
/// l1-ball", 2008).
fn project(point: &mut [f64]) {
    let mut sorted = point.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (i, value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = (sum - 1.0) / (i + 1) as f64;
        if *value > candidate {
            shift = candidate;
        }
    }
    point.iter_mut().for_each(|value| *value = (*value - shift).max(0.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposite_errors_are_balanced_and_a_bad_member_is_left_out() {
        // Errors (1, -1, 9) and (1, -0.5, -9): any mix with the third is worse.
        let errors = [[1.0, -1.0, 9.0], [1.0, -0.5, -9.0]];
        let gram: Vec<f64> = (0..9).map(|at| errors.iter().map(|e| e[at / 3] * e[at % 3]).sum::<f64>()).collect();
        let equal = [1.0 / 3.0; 3];
        let found = weights(&gram, 0.0, &equal);
        // The least of (w - (1 - w))² + (w - 0.5 (1 - w))².
        assert!((found[0] - 3.5 / 8.5 * 0.999).abs() < 0.02 && found[2] < 0.02, "{found:?}");
        for prior in [equal, [0.0, 1.0, 0.0]] {
            let shrunk = weights(&gram, 1e6, &prior);
            assert!(shrunk.iter().zip(prior).all(|(w, p)| (w - p).abs() < 1e-3), "{shrunk:?}");
        }
    }

    #[test]
    fn members_without_error_weigh_alike() {
        assert_eq!(weights(&[0.0; 4], 1.0, &[0.5, 0.5]), [0.5, 0.5]);
    }

    proptest::proptest! {
        /// The projection is on the simplex, and moves nothing that is there already.
        #[test]
        fn projected_points_are_on_the_simplex(mut point in proptest::collection::vec(-3.0..3.0_f64, 1..8)) {
            project(&mut point);
            proptest::prop_assert!((point.iter().sum::<f64>() - 1.0).abs() < 1e-9 && point.iter().all(|w| *w >= 0.0));
            let before = point.clone();
            project(&mut point);
            proptest::prop_assert!(point.iter().zip(before).all(|(a, b)| (a - b).abs() < 1e-9));
        }
    }
}
