//! The weights that make the one-step errors of a theta model smallest.
//!
//! Given alpha, a one-step error is linear in the level's start and in the weight of the line. So these two are solved for
//! exactly, as a least-squares problem in a box, and alpha alone is searched: a grid, then golden sections. This finds the
//! lowest sum of squares to some nine digits in about fifty passes, where a simplex search over all three needs hundreds
//! and may stop short of it.

use super::recursion::{Line, Recursion, Weights};

/// The first errors say more of the start than of the model and are not counted (as statsforecast does).
const SKIPPED: usize = 3;
const ALPHA: (f64, f64) = (0.1, 0.99);
const GRID: usize = 16;
const SECTIONS: usize = 34;
/// The level may start at most so far from zero, in the series' greatest magnitudes: with few rows and a fast level its
/// start hardly shows and could be anything.
const START: f64 = 2.0;

/// One of the four models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether the line is fitted anew at every row, or once to all.
    pub(super) dynamic: bool,
    /// Whether θ is searched for, or 2.
    pub(super) optimised: bool,
}

/// A form fitted to a series.
pub(super) struct Fit {
    pub(super) state: Recursion,
    /// Sum of the squared one-step errors from the fourth row on.
    pub(super) squares: f64,
}

/// A series without season, its gaps filled, and the lines through it.
pub(super) struct Series<'a> {
    values: &'a [f64],
    /// Which of them were observed.
    seen: &'a [bool],
    /// The line through the rows up to each.
    lines: Vec<Line>,
    /// Bound of the level's start.
    bound: f64,
}

/// What least squares needs to know at some alpha: inner products of the errors with neither start nor line (`r`), of
/// what the start explains (`c`) and of what the line explains (`d`).
#[derive(Default)]
struct Products {
    rr: f64,
    rc: f64,
    rd: f64,
    cc: f64,
    cd: f64,
    dd: f64,
}

impl<'a> Series<'a> {
    pub(super) fn new(values: &'a [f64], seen: &'a [bool]) -> Self {
        let mut line = Line::default();
        let lines = values.iter().map(|value| {
            line.push(*value);
            line
        });
        let bound = START * values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        Self { values, seen, lines: lines.collect(), bound }
    }

    /// One pass at `alpha`.
    fn products(&self, alpha: f64, dynamic: bool) -> Products {
        let whole = self.lines.last().copied().unwrap_or_default();
        let (mut level, mut decay) = (0.0, 1.0);
        let mut products = Products::default();
        for (i, value) in self.values.iter().enumerate() {
            if i >= SKIPPED && self.seen[i] {
                let line = if dynamic { &self.lines[i - 1] } else { &whole };
                let (r, d) = (value - level, line.drift(alpha, decay));
                products.rr += r * r;
                products.rc += r * decay;
                products.rd += r * d;
                products.cc += decay * decay;
                products.cd += decay * d;
                products.dd += d * d;
            }
            level += alpha * (value - level);
            decay *= 1.0 - alpha;
            // What has decayed so far adds nothing, but would be reckoned with slowly.
            decay = if decay < 1e-200 { 0.0 } else { decay };
        }
        products
    }

    /// The best start and weight of the line at `alpha`, with the squares they leave.
    fn solve(&self, alpha: f64, form: Form) -> (f64, f64, f64) {
        let p = self.products(alpha, form.dynamic);
        let squares = |start: f64, line: f64| {
            let linear = p.rr - 2.0 * (start * p.rc + line * p.rd);
            (linear + start * start * p.cc + 2.0 * start * line * p.cd + line * line * p.dd).max(0.0)
        };
        let ratio = |over: f64, under: f64| if under > 0.0 { over / under } else { 0.0 };
        let start_at = |line: f64| ratio(p.rc - line * p.cd, p.cc).clamp(-self.bound, self.bound);
        let line_at = |start: f64| ratio(p.rd - start * p.cd, p.dd).clamp(0.0, 1.0);
        let candidate = |start: f64, line: f64| (start, line, squares(start, line));
        if !form.optimised {
            return candidate(start_at(0.5), 0.5);
        }
        let determinant = p.cc * p.dd - p.cd * p.cd;
        let free = ratio(p.rd * p.cc - p.rc * p.cd, determinant.max(0.0));
        let inside = (0.0..=1.0).contains(&free) && determinant > 1e-12 * p.cc * p.dd;
        let (start, line) = (ratio(p.rc - free * p.cd, p.cc), free);
        if inside && start.abs() <= self.bound {
            return candidate(start, line);
        }
        // A convex cost whose lowest point lies outside the box (or is a valley) has its lowest in the box on an edge.
        let edges = [
            candidate(start_at(0.5), 0.5),
            candidate(start_at(0.0), 0.0),
            candidate(start_at(1.0), 1.0),
            candidate(-self.bound, line_at(-self.bound)),
            candidate(self.bound, line_at(self.bound)),
        ];
        edges.into_iter().min_by(|a, b| a.2.total_cmp(&b.2)).expect("there are edges")
    }

    /// Fits `form`.
    pub(super) fn fit(&self, form: Form) -> Fit {
        let cost = |alpha: f64| {
            let squares = self.solve(alpha, form).2;
            if squares.is_finite() { squares } else { f64::MAX }
        };
        let apart = (ALPHA.1 - ALPHA.0) / (GRID - 1) as f64;
        let at = |i: usize| ALPHA.0 + apart * i as f64;
        let (best, lowest) =
            (0..GRID).map(|i| (i, cost(at(i)))).min_by(|a, b| a.1.total_cmp(&b.1)).expect("the grid is not empty");
        let (found, squares) = golden_section((at(best) - apart).max(ALPHA.0), (at(best) + apart).min(ALPHA.1), cost);
        let alpha = if squares < lowest { found } else { at(best).min(ALPHA.1) };
        let (start, line, squares) = self.solve(alpha, form);
        Fit { state: self.at_end(Weights { alpha, line }, start, form.dynamic), squares }
    }

    /// The recursion after all rows, from `start`.
    pub(super) fn at_end(&self, weights: Weights, start: f64, dynamic: bool) -> Recursion {
        let level = self.values.iter().fold(start, |level, value| level + weights.alpha * (value - level));
        let line = self.lines.last().copied().unwrap_or_default();
        let decay = (1.0 - weights.alpha).powf(line.rows);
        Recursion { weights, dynamic, level, line, decay }
    }
}

/// The lowest point of `cost` between `low` and `high`, where it has one, and the cost there.
fn golden_section(mut low: f64, mut high: f64, cost: impl Fn(f64) -> f64) -> (f64, f64) {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut left, mut right) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_left, mut at_right) = (cost(left), cost(right));
    for _ in 0..SECTIONS {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - RATIO * (high - low);
            at_left = cost(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + RATIO * (high - low);
            at_right = cost(right);
        }
    }
    // The lowest may lie at an end of the range, which sections only approach.
    [(low, cost(low)), (left, at_left), (right, at_right), (high, cost(high))]
        .into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there are four")
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    const FORMS: [Form; 4] = [
        Form { dynamic: false, optimised: false },
        Form { dynamic: false, optimised: true },
        Form { dynamic: true, optimised: false },
        Form { dynamic: true, optimised: true },
    ];

    /// Squares of the one-step errors by plain stepping.
    fn stepped(values: &[f64], weights: Weights, start: f64, dynamic: bool) -> f64 {
        let seen = vec![true; values.len()];
        let series = Series::new(values, &seen);
        let mut state = Recursion { weights, dynamic, level: start, line: Line::default(), decay: 1.0 };
        let whole = *series.lines.last().unwrap();
        let mut squares = 0.0;
        for (i, value) in values.iter().enumerate() {
            let line = if dynamic { state.line } else { whole };
            let expected = state.level + weights.line * line.drift(weights.alpha, state.decay);
            squares += if i >= SKIPPED { (value - expected).powi(2) } else { 0.0 };
            state.step(Some(*value));
        }
        squares
    }

    #[test]
    fn no_weights_on_a_fine_grid_are_better() {
        let mut rng = SeededRng::seed_from_u64(3);
        for trend in [0.0, 0.5, -2.0] {
            let values: Vec<f64> = (0..40).map(|i| 20.0 + trend * f64::from(i) + 3.0 * rng.normal()).collect();
            let seen = vec![true; values.len()];
            for form in FORMS {
                let fit = Series::new(&values, &seen).fit(form);
                for a in 0..30 {
                    for s in -20..=20 {
                        for line in if form.optimised { 0..=10 } else { 5..=5 } {
                            let weights =
                                Weights { alpha: 0.1 + 0.89 * f64::from(a) / 29.0, line: f64::from(line) / 10.0 };
                            let other = stepped(&values, weights, f64::from(s) * 4.0, form.dynamic);
                            assert!(fit.squares <= other * (1.0 + 1e-9), "{form:?} {weights:?}: {other}");
                        }
                    }
                }
            }
        }
    }
}
