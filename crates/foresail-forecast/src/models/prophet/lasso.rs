//! Least squares with an absolute penalty, for a handful of unknowns.

use super::super::cholesky::Cholesky;

/// Steps without which the search ends in practice long before.
const MOST_STEPS: usize = 1000;
/// Share of itself added to each diagonal element.
const TRACE: f64 = 1e-11;

/// Minimises ½ x'Sx − c'x + λ Σ|x| from where `x` stands, by feature-sign search (Lee, Battle, Raina & Ng 2006, algorithm
/// 1): guesses which unknowns are zero and the signs of the others, solves for these as if the guess held, and corrects
/// it along the way there. Each step goes strictly down, so it ends; the answer is exact.
///
/// `matrix` is S: symmetric, positive semidefinite, `size × size` row by row. O(size³) a step, a few steps an unknown.
pub(super) fn lasso(matrix: &[f64], linear: &[f64], penalty: f64, x: &mut [f64]) {
    let problem = Problem { matrix, linear, penalty, size: x.len() };
    let largest = linear.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let tolerance = 1e-9 * penalty + 1e-14 * largest;
    let mut active: Vec<usize> = (0..x.len()).filter(|i| x[*i] != 0.0).collect();
    let mut signs: Vec<f64> = active.iter().map(|i| x[*i].signum()).collect();
    let mut step = 0;
    loop {
        while !active.is_empty() && step < MOST_STEPS {
            step += 1;
            if problem.settle(&mut active, &mut signs, x) {
                break;
            }
        }
        let slope = |i: usize| problem.row(i).iter().zip(&*x).map(|(s, x)| s * x).sum::<f64>() - linear[i];
        let worst = (0..x.len())
            .filter(|i| x[*i] == 0.0 && !active.contains(i))
            .map(|i| (i, slope(i)))
            .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        match worst {
            Some((i, slope)) if slope.abs() > penalty + tolerance && step < MOST_STEPS => {
                active.push(i);
                signs.push(-slope.signum());
            }
            _ => return,
        }
    }
}

struct Problem<'a> {
    matrix: &'a [f64],
    linear: &'a [f64],
    penalty: f64,
    size: usize,
}

impl Problem<'_> {
    fn row(&self, i: usize) -> &[f64] {
        &self.matrix[i * self.size..(i + 1) * self.size]
    }

    /// Moves towards the solution for the present guess, no farther than is good. True once the guess has held.
    fn settle(&self, active: &mut Vec<usize>, signs: &mut Vec<f64>, x: &mut [f64]) -> bool {
        let Some(solution) = self.solve(active, signs) else {
            // Not a number anywhere, or a matrix that is none: stay.
            return true;
        };
        let from: Vec<f64> = active.iter().map(|i| x[*i]).collect();
        let holds = solution.iter().zip(&*signs).all(|(v, sign)| v * sign > 0.0);
        let place = if holds {
            solution
        } else {
            // The objective is a parabola between the places where an unknown changes its sign; the best of these
            // places and the end is at least as good as any before the first.
            let crossings = from.iter().zip(&solution).filter(|(a, b)| **a * **b < 0.0).map(|(a, b)| a / (a - b));
            let at = |share: f64| -> Vec<f64> {
                let between = |(a, b): (&f64, &f64)| {
                    let v = a + share * (b - a);
                    if v.abs() <= 1e-12 * a.abs() { 0.0 } else { v }
                };
                from.iter().zip(&solution).map(between).collect()
            };
            crossings
                .chain([1.0])
                .map(at)
                .map(|place| (self.objective(active, &place), place))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or_else(|| from.clone(), |(_, place)| place)
        };
        let stuck = place == from;
        for (i, v) in active.iter().zip(&place) {
            x[*i] = *v;
        }
        active.retain(|i| x[*i] != 0.0);
        *signs = active.iter().map(|i| x[*i].signum()).collect();
        holds || stuck
    }

    /// Where the gradient is zero if the unknowns of `active` have these signs and the others are zero.
    fn solve(&self, active: &[usize], signs: &[f64]) -> Option<Vec<f64>> {
        let size = active.len();
        let mut part = vec![0.0; size * size];
        for (a, i) in active.iter().enumerate() {
            let row = self.row(*i);
            for (b, j) in active[..=a].iter().enumerate() {
                part[a * size + b] = row[*j];
            }
            // Two changepoints between which nothing was seen have one column; a trace of a penalty tells them apart.
            part[a * size + a] *= 1.0 + TRACE;
        }
        let mut side: Vec<f64> =
            active.iter().zip(signs).map(|(i, sign)| self.linear[*i] - self.penalty * sign).collect();
        Cholesky::new(part, size)?.solve(&mut side);
        side.iter().all(|v| v.is_finite()).then_some(side)
    }

    fn objective(&self, active: &[usize], place: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (i, v) in active.iter().zip(place) {
            let row = self.row(*i);
            let product: f64 = active.iter().zip(place).map(|(j, w)| row[*j] * w).sum();
            sum += v * (0.5 * product - self.linear[*i]) + self.penalty * v.abs();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_unknown_is_shrunk_towards_zero() {
        // ½·2x² − 3x + |x| is least at x = 1; with a penalty of 4 at zero.
        let mut x = [0.0];
        lasso(&[2.0], &[3.0], 1.0, &mut x);
        assert!((x[0] - 1.0).abs() < 2.0 * TRACE, "{x:?}");
        lasso(&[2.0], &[3.0], 4.0, &mut x);
        assert_eq!(x, [0.0]);
        lasso(&[2.0], &[-3.0], 1.0, &mut x);
        assert!((x[0] + 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_a_number_ends_all_the_same() {
        let mut x = [0.0, 1.0];
        lasso(&[f64::NAN; 4], &[1.0, 2.0], 0.1, &mut x);
        lasso(&[0.0; 4], &[1.0, 2.0], 0.1, &mut x);
    }

    proptest! {
        /// Wherever it starts, it ends where the subgradient holds zero.
        #[test]
        fn the_answer_is_a_minimum(seed in 0_u64..500, size in 1_usize..26, share in 0.001..1.0_f64, warm in any::<bool>()) {
            let mut rng = SeededRng::seed_from_u64(seed);
            // Hinges, as the model has them: neighbours are nearly alike.
            let rows = 200;
            let hinge = |row: usize, i: usize| (row as f64 / rows as f64 - 0.8 * i as f64 / size as f64).max(0.0);
            let mut matrix = vec![0.0; size * size];
            let mut linear = vec![0.0; size];
            let mut level = 0.0;
            for row in 0..rows {
                level += rng.normal();
                for i in 0..size {
                    linear[i] += hinge(row, i) * level;
                    for j in 0..size {
                        matrix[i * size + j] += hinge(row, i) * hinge(row, j);
                    }
                }
            }
            let largest = linear.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            let penalty = share * largest;
            let mut x: Vec<f64> = (0..size).map(|_| if warm { rng.normal() } else { 0.0 }).collect();
            lasso(&matrix, &linear, penalty, &mut x);
            for i in 0..size {
                let slope: f64 = (0..size).map(|j| matrix[i * size + j] * x[j]).sum::<f64>() - linear[i];
                let off = if x[i] == 0.0 { (slope.abs() - penalty).max(0.0) } else { (slope + penalty * x[i].signum()).abs() };
                prop_assert!(off < 1e-6 * penalty, "unknown {i} of {size}: slope {slope}, penalty {penalty}, x {:?}", x);
            }
        }
    }
}
