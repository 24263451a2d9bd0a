//! A form fitted to a window.

use super::bfgs::{identity, minimise};
use super::css::conditional;
use super::form::ArimaForm;
use super::likelihood::{Likelihood, likelihood};
use super::polynomial::{Coefficients, Limits};
use super::sample::{Sample, Window};

/// A model whose AR or MA polynomial has a root closer to the unit circle than this is not chosen (Hyndman & Khandakar 2008).
pub(super) const LEAST_ROOT: f64 = 1.01;

/// How much work a fit may be.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// A step of the search that promises less of the log likelihood is the last.
    pub(super) gain: f64,
    pub(super) steps: usize,
    /// Gaps taken for unknowns; those before them count as seen.
    pub(super) gaps: usize,
    /// Places to start from, the best of which is followed.
    pub(super) starts: usize,
    pub(super) limits: Limits,
}

/// A fitted form.
#[derive(Clone)]
pub(super) struct Estimate {
    pub(super) form: ArimaForm,
    /// Where the search ended, in coordinates without bounds.
    pub(super) point: Vec<f64>,
    pub(super) coefficients: Coefficients,
    /// Of the window's values over its scale.
    pub(super) log_likelihood: f64,
    /// Akaike's criterion, corrected for short samples; infinite with too few rows to judge.
    pub(super) aicc: f64,
}

/// Fits `form` by exact maximum likelihood: from where conditional least squares leads, by a quasi-Newton search. `near`
/// is a point of a form alike, if one is known. `None` if the window is too short for the form.
pub(super) fn estimate(
    window: &Window,
    form: ArimaForm,
    season: usize,
    near: Option<(ArimaForm, &[f64])>,
    effort: Effort,
) -> Option<Estimate> {
    let sample = Sample::new(window, form, season, effort.gaps)?;
    if sample.used < form.parameters() {
        return None;
    }
    let cost = |point: &[f64]| {
        likelihood(&sample, &Coefficients::at(form, point, effort.limits), season)
            .map_or(f64::INFINITY, |found| found.cost)
    };
    let mut best: Option<(f64, Vec<f64>, Vec<f64>)> = None;
    let mut consider = |point: Vec<f64>, inverse: Vec<f64>| {
        let value = cost(&point);
        if value.is_finite() && best.as_ref().is_none_or(|(lowest, ..)| value < *lowest) {
            best = Some((value, point, inverse));
        }
    };
    for start in starts(form).into_iter().take(effort.starts) {
        let found = conditional(&sample, form, season, &start, effort.limits);
        consider(found.point, found.inverse);
    }
    if let Some((other, point)) = near {
        let start = adapted(other, point, form);
        let found = conditional(&sample, form, season, &start, effort.limits);
        consider(start, identity(form.coefficients()));
        consider(found.point, found.inverse);
    }
    let used = sample.used as f64;
    let (_, point, inverse) = best?;
    let found = minimise(point, inverse, effort.gain / used, effort.steps, cost);
    let log_likelihood = -used * (found.value + 0.5 + 0.5 * std::f64::consts::TAU.ln());
    let coefficients = Coefficients::at(form, &found.point, effort.limits);
    let aicc = criterion(log_likelihood, form.parameters() as f64, used);
    Some(Estimate { form, point: found.point, coefficients, log_likelihood, aicc })
}

/// Akaike's criterion, corrected (Hurvich & Tsai 1989).
fn criterion(log_likelihood: f64, parameters: f64, used: f64) -> f64 {
    let left = used - parameters - 1.0;
    if left > 0.0 {
        -2.0 * log_likelihood + 2.0 * parameters + 2.0 * parameters * (parameters + 1.0) / left
    } else {
        f64::INFINITY
    }
}

/// Places to start from: nowhere, a smoothing model, a slowly returning one.
fn starts(form: ArimaForm) -> Vec<Vec<f64>> {
    let place = |ar: f64, ma: f64, seasonal_ar: f64, seasonal_ma: f64| {
        let of = |order: usize, first: f64| (0..order).map(move |i| if i == 0 { first } else { 0.0 });
        of(form.ar, ar)
            .chain(of(form.ma, ma))
            .chain(of(form.seasonal_ar, seasonal_ar))
            .chain(of(form.seasonal_ma, seasonal_ma))
            .collect()
    };
    if form.coefficients() == 0 {
        return vec![Vec::new()];
    }
    vec![place(0.0, 0.0, 0.0, 0.0), place(1.5, 0.5, 1.5, 0.8), place(0.5, -0.5, 0.0, 0.6), place(1.5, 0.0, 4.0, 0.6)]
}

/// The point of `other` as a place to start for `form`: orders it lacks are zero.
fn adapted(other: ArimaForm, point: &[f64], form: ArimaForm) -> Vec<f64> {
    let mut rest = point;
    let mut taken = Vec::with_capacity(form.coefficients());
    let orders = [
        (other.ar, form.ar),
        (other.ma, form.ma),
        (other.seasonal_ar, form.seasonal_ar),
        (other.seasonal_ma, form.seasonal_ma),
    ];
    for (have, want) in orders {
        let (own, after) = rest.split_at(have);
        // The edge is a bad place to start from: slopes are flat there.
        taken.extend((0..want).map(|i| own.get(i).map_or(0.0, |x| x.clamp(-3.0, 3.0))));
        rest = after;
    }
    taken
}

impl Estimate {
    /// The likelihood at the end of the search.
    pub(super) fn likelihood(&self, sample: &Sample, season: usize) -> Option<Likelihood> {
        likelihood(sample, &self.coefficients, season)
    }

    /// Whether all roots stay clear of the unit circle, so that the model does not hinge on what rounding makes of it.
    pub(super) fn is_clear(&self) -> bool {
        let c = &self.coefficients;
        // Of a seasonal factor it is asked in the season's own steps.
        [&c.ar, &c.ma, &c.seasonal_ar, &c.seasonal_ma].into_iter().all(|factor| clears(factor))
    }
}

/// Whether the polynomial `1 ± Σ` has no root within [`LEAST_ROOT`]: with its variable scaled by that, it is still
/// stationary, which its partial autocorrelations tell.
fn clears(factor: &[f64]) -> bool {
    let scaled: Vec<f64> = factor.iter().zip(1..).map(|(c, lag)| c * LEAST_ROOT.powi(lag)).collect();
    let mut left = scaled;
    for order in (0..left.len()).rev() {
        let partial = left[order];
        if partial.abs() >= 1.0 || partial.is_nan() {
            return false;
        }
        let before = left[..order].to_vec();
        for (c, mirrored) in left.iter_mut().zip(before.iter().rev()) {
            *c = (*c + partial * mirrored) / (1.0 - partial * partial);
        }
    }
    true
}
