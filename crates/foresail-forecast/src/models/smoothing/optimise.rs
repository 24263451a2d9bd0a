//! The weights that make the one-step errors smallest, at a bounded cost.

use foresail_core::Frame;

use super::form::{Form, Seasonal, Trend, Weights, logit};
use super::initial::initial;
use super::nelder_mead::minimise;
use super::state::Smoothing;

/// Rows a fit looks back at most, or three seasons if that is more.
const MAX_ROWS: usize = 20_000;
/// Below this length the start of level and slope is searched for too, as textbooks do; above, it has been forgotten.
const SMALL: usize = 256;
/// Calls of the search a free coordinate.
const CALLS: usize = 40;

/// The end of a history, ready to be smoothed.
pub(in super::super) struct Window {
    /// Values over `scale`.
    values: Vec<Option<f64>>,
    scale: f64,
    /// Rows of the season, 0 for none.
    rows: usize,
    /// Place of the first row in the season.
    slot: usize,
}

/// A form fitted to a window: the state at its end, and how well it did.
pub(in super::super) struct Fit {
    pub(in super::super) state: Smoothing,
    /// Akaike's criterion, corrected for short samples (FPP3, §8.6); infinite if there are too few rows to judge.
    pub(in super::super) aicc: f64,
    /// Sum of the squared one-step errors, in the window's scale.
    pub(in super::super) squares: f64,
}

impl Window {
    /// The last rows of `history`, over `scale`, with a season of `rows` (0 for none), places counted as
    /// [`Clock::slot`](super::super::clock::Clock::slot) does: `end_slot` is that of the first row after the history.
    pub(in super::super) fn of(history: &Frame, scale: f64, rows: usize, end_slot: usize) -> Self {
        let length = history.len().min(MAX_ROWS.max(3 * rows));
        let from = history.len() - length;
        let seen = history.target()[from..].iter().zip(&history.target_mask()[from..]);
        let values = seen.map(|(value, valid)| valid.then_some(value / scale)).collect();
        let slot = if rows == 0 { 0 } else { (end_slot + rows - length % rows) % rows };
        Self { values, scale, rows, slot }
    }

    /// There is a season.
    pub(in super::super) fn has_season(&self) -> bool {
        self.rows > 0
    }

    /// Whether a model of this kind can be fitted: ratios need every value above zero, by a margin that keeps them sane.
    pub(super) fn admits(&self, seasonal: Seasonal) -> bool {
        match seasonal {
            Seasonal::None => true,
            Seasonal::Additive => self.has_season(),
            Seasonal::Multiplicative => self.has_season() && self.values.iter().flatten().all(|v| *v > 1e-6),
        }
    }

    /// The unit of a state fitted here.
    pub(in super::super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Runs `state` over the window; the sum of squared errors and their number.
    fn run(&self, state: &mut Smoothing) -> (f64, usize) {
        let rows = self.rows.max(1);
        let (mut slot, mut squares, mut count) = (self.slot, 0.0, 0);
        for value in &self.values {
            if let Some(error) = state.step(slot, *value) {
                squares += error * error;
                count += 1;
            }
            slot += 1;
            if slot == rows {
                slot = 0;
            }
        }
        (squares, count)
    }
}

/// Finds the weights of `form` (and, in short windows, the start of level and slope) by a coarse grid and Nelder-Mead
/// on the sum of squared errors. At most about 200 passes over the window.
pub(in super::super) fn fit(window: &Window, form: Form) -> Fit {
    let start = initial(&window.values, form, window.slot, window.rows);
    let searched = if window.values.len() > SMALL { 0 } else { 1 + usize::from(form.trend != Trend::None) };
    let spread = spread(&window.values);
    let mut work = start.clone();
    let mut cost = |point: &[f64]| {
        prepare(&mut work, &start, point, searched, spread);
        window.run(&mut work).0
    };

    let mut best: Option<(f64, Vec<f64>)> = None;
    for alpha in [0.05, 0.3, 0.8] {
        for slow in [0.01, 0.15] {
            let mut point = vec![logit(alpha)];
            point.resize(form.weights(), logit(slow));
            if form.trend == Trend::Damped {
                *point.last_mut().expect("alpha is there") = logit(0.7);
            }
            point.resize(form.weights() + searched, 0.0);
            let found = cost(&point);
            if best.as_ref().is_none_or(|(lowest, _)| found < *lowest) {
                best = Some((found, point));
            }
            if form.weights() == 1 {
                break;
            }
        }
    }
    let (_, grid_point) = best.expect("the grid is not empty");
    let (point, _) = minimise(&grid_point, 0.8, CALLS * grid_point.len(), &mut cost);

    let mut state = start.clone();
    prepare(&mut state, &start, &point, searched, spread);
    let (squares, count) = window.run(&mut state);
    let aicc = aicc(squares, count, form.parameters(window.rows));
    Fit { state, aicc, squares }
}

/// Puts `state` back to `start` with the weights of `point`, whose last `searched` coordinates move the start.
fn prepare(state: &mut Smoothing, start: &Smoothing, point: &[f64], searched: usize, spread: f64) {
    let (weights, moved) = point.split_at(point.len() - searched);
    state.weights = start.form.weights_at(weights);
    state.level = start.level + moved.first().map_or(0.0, |x| x * spread);
    state.slope = start.slope + moved.get(1).map_or(0.0, |x| x * spread * 0.1);
    state.season.copy_from_slice(&start.season);
}

/// Standard deviation of the changes from row to row: the unit in which the start is searched.
fn spread(values: &[Option<f64>]) -> f64 {
    let changes: Vec<f64> = values.windows(2).filter_map(|pair| Some(pair[1]? - pair[0]?)).collect();
    (changes.iter().map(|c| c * c).sum::<f64>() / changes.len().max(1) as f64).sqrt().max(1e-12)
}

fn aicc(squares: f64, count: usize, parameters: usize) -> f64 {
    let (n, k) = (count as f64, parameters as f64);
    if n - k - 1.0 <= 0.0 {
        return f64::INFINITY;
    }
    // A perfect fit would drown the parameter count in minus infinity; values are of magnitude one here.
    let variance = (squares / n).max(1e-24);
    n * variance.ln() + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0)
}

impl Weights {
    /// For tests: the weights in the form textbooks print.
    #[cfg(test)]
    fn beta_star(self) -> f64 {
        self.beta / self.alpha
    }
}

#[cfg(test)]
mod tests {
    use super::super::textbook::{AIR, OIL};
    use super::*;

    fn window(values: &[f64], rows: usize) -> Window {
        let history = Frame::from_values(values.iter().copied());
        Window::of(&history, 1.0, rows, values.len() % rows.max(1))
    }

    /// FPP2, §7.1 and §7.2: the weights that R's `ses` and `holt` find.
    #[test]
    fn the_textbook_weights_are_found() {
        let form = Form { trend: Trend::None, seasonal: Seasonal::None };
        let found = fit(&window(&OIL, 0), form);
        assert!((found.state.weights.alpha - 0.8339).abs() < 0.01, "{:?}", found.state);

        let found = fit(&window(&AIR, 0), Form { trend: Trend::Additive, seasonal: Seasonal::None });
        let weights = found.state.weights;
        assert!((weights.alpha - 0.8302).abs() < 0.05 && weights.beta_star() < 0.05, "{weights:?}");
    }

    #[test]
    fn a_season_is_found_from_any_place_in_it() {
        let values: Vec<f64> = (0..120).map(|i| 10.0 + [3.0, -1.0, -2.0][i % 3]).collect();
        for cut in 0..3 {
            let found =
                fit(&window(&values[..120 - cut], 3), Form { trend: Trend::None, seasonal: Seasonal::Additive });
            let next = found.state.ahead((120 - cut) % 3, 3);
            let expected: Vec<f64> = (0..3).map(|h| 10.0 + [3.0, -1.0, -2.0][(120 - cut + h) % 3]).collect();
            assert!(next.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{next:?} {expected:?}");
            assert!(found.squares < 1e-12);
        }
    }

    #[test]
    fn more_parameters_must_earn_their_place() {
        assert!(aicc(10.0, 100, 4) > aicc(10.0, 100, 3));
        assert_eq!(aicc(10.0, 5, 4), f64::INFINITY);
        assert!(aicc(0.0, 100, 3).is_finite());
    }
}
