//! The choice of the orders.

use std::collections::BTreeSet;

use super::estimate::{Effort, Estimate, LEAST_ROOT, estimate};
use super::form::ArimaForm;
use super::polynomial::Limits;
use super::sample::Window;
use super::unit_roots::{differences, is_constant, seasonal_differences};

/// Highest orders tried: p and q, P and Q.
const HIGHEST: (usize, usize) = (5, 2);
/// Forms fitted at most.
const MOST: usize = 94;
/// What a candidate's fit may cost.
const CANDIDATE: Effort = Effort { gain: 1e-3, steps: 40, gaps: 16, starts: 1, limits: Limits::OPEN };
/// What the fit of a given or chosen form may cost.
pub(super) const CHOSEN: Effort = Effort { gain: 1e-7, steps: 150, gaps: 200, starts: 4, limits: Limits::OPEN };

/// The form with the smallest corrected Akaike criterion that a stepwise search finds (Hyndman & Khandakar 2008, §3.2), for
/// a season of `season` rows (1 for none): differences by tests, as statsforecast makes them, then from four simple forms
/// to better neighbours as long as there are any. Every candidate is fitted by exact likelihood. Where theirs refuses a model
/// with a root within 1 % of the unit circle, seasonal coefficients here are kept from there in the first place.
pub(super) fn search(window: &Window, season: usize) -> Option<Estimate> {
    let mut form = ArimaForm::default();
    if is_constant(&window.values) {
        form.constant = true;
        return estimate(window, form, season, None, CHOSEN);
    }
    form.seasonal_differences = seasonal_differences(&window.values, season);
    let taken = difference(&window.values, form, season);
    form.differences = differences(&taken);
    form.constant = true;
    form.constant = form.has_constant();
    let left = difference(&window.values, form, season);
    if left.is_empty() || is_constant(&left) {
        return estimate(window, form, season, None, CHOSEN);
    }
    let third = window.values.len() / 3;
    let limits = (HIGHEST.0.min(third), if season > 1 { HIGHEST.1.min(third / season) } else { 0 });
    let limits = (if season > 1 { limits.0.min(season - 1) } else { limits.0 }, limits.1);
    // Seasonal coefficients whose roots come as near to the unit circle as is asked of no other keep the season of weeks
    // ago; forecasts are better without, so the search stays within.
    let seasonal = LEAST_ROOT.powi(-i32::try_from(season).unwrap_or(i32::MAX));
    let bounded = Limits { seasonal, ..Limits::OPEN };
    let (effort, chosen) = (Effort { limits: bounded, ..CANDIDATE }, Effort { limits: bounded, ..CHOSEN });
    let mut search = Search { window, season, limits, effort, tried: BTreeSet::new(), best: None };
    search.run(form);
    let best = search.best?;
    let refined = estimate(window, best.form, season, Some((best.form, &best.point)), chosen);
    refined.filter(|refined| refined.is_clear() && refined.aicc <= best.aicc).or(Some(best))
}

fn difference(values: &[f64], form: ArimaForm, season: usize) -> Vec<f64> {
    super::sample::difference(values, &super::polynomial::Taps::differencing(form, season))
}

struct Search<'a> {
    window: &'a Window,
    season: usize,
    limits: (usize, usize),
    effort: Effort,
    tried: BTreeSet<ArimaForm>,
    best: Option<Estimate>,
}

impl Search<'_> {
    fn run(&mut self, plain: ArimaForm) {
        let small = self.window.values.len() < 10;
        let seasonal = usize::from(self.season > 1 && !small);
        let high = if small { 1 } else { 2 };
        let with = |ar, ma, seasonal_ar, seasonal_ma| ArimaForm { ar, ma, seasonal_ar, seasonal_ma, ..plain };
        for form in [
            plain,
            with(1, 0, seasonal, 0),
            with(0, 1, 0, seasonal),
            with(high, high, seasonal, seasonal),
            ArimaForm { constant: false, ..plain },
        ] {
            self.attempt(form);
        }
        while let Some(best) = self.best.as_ref().map(|best| best.form) {
            let better = neighbours(best).any(|form| self.attempt(form));
            if !better || self.tried.len() >= MOST {
                return;
            }
        }
    }

    /// Fits `form` if that was not done; whether it is the best so far.
    fn attempt(&mut self, form: ArimaForm) -> bool {
        let (plain, seasonal) = self.limits;
        let within = form.ar.max(form.ma) <= plain && form.seasonal_ar.max(form.seasonal_ma) <= seasonal;
        if !within || self.tried.len() >= MOST || !self.tried.insert(form) {
            return false;
        }
        let near = self.best.as_ref().map(|best| (best.form, &best.point[..]));
        let Some(found) = estimate(self.window, form, self.season, near, self.effort) else { return false };
        // With too few rows for the criterion, the first (the simplest) stays.
        let better = self.best.as_ref().is_none_or(|best| found.aicc < best.aicc);
        let accepted = better && found.is_clear();
        if accepted {
            self.best = Some(found);
        }
        accepted
    }
}

/// Forms that differ by one in one or two orders, or in the constant.
fn neighbours(form: ArimaForm) -> impl Iterator<Item = ArimaForm> {
    const STEPS: [(isize, isize); 8] = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)];
    let moved = |order: usize, by: isize| order.checked_add_signed(by);
    let seasonal = STEPS.into_iter().filter_map(move |(ar, ma)| {
        Some(ArimaForm { seasonal_ar: moved(form.seasonal_ar, ar)?, seasonal_ma: moved(form.seasonal_ma, ma)?, ..form })
    });
    let plain = STEPS
        .into_iter()
        .filter_map(move |(ar, ma)| Some(ArimaForm { ar: moved(form.ar, ar)?, ma: moved(form.ma, ma)?, ..form }));
    let other = ArimaForm { constant: !form.constant, ..form };
    let toggled = (form.differences + form.seasonal_differences <= 1).then_some(other);
    seasonal.chain(plain).chain(toggled)
}

#[cfg(test)]
mod tests {
    use foresail_core::{Frame, SeededRng};

    use super::*;

    #[test]
    fn a_form_has_neighbours_on_all_sides() {
        let all: Vec<ArimaForm> = neighbours(ArimaForm::new([1, 0, 1], [1, 0, 1], true)).collect();
        assert_eq!(all.len(), 17);
        assert_eq!(neighbours(ArimaForm::new([0, 1, 0], [0, 1, 0], false)).count(), 6);
    }

    #[test]
    fn a_plain_process_gets_few_orders() {
        let mut rng = SeededRng::seed_from_u64(2);
        let mut last = 0.0;
        let values = (0..400).map(|_| {
            last = 0.8 * last + rng.normal();
            50.0 + last
        });
        let window = Window::of(&Frame::from_values(values), 1, 999).unwrap();
        let found = search(&window, 1).unwrap();
        let true_form = ArimaForm::new([1, 0, 0], [0, 0, 0], true);
        let fitted = estimate(&window, true_form, 1, None, CHOSEN).unwrap();
        assert!((fitted.coefficients.ar[0] - 0.8).abs() < 0.08);
        assert!(found.form.differences == 0 && found.form.constant && found.form.coefficients() <= 2, "{}", found.form);
        assert!(found.aicc <= fitted.aicc, "{}: {} {}", found.form, found.aicc, fitted.aicc);
    }
}
