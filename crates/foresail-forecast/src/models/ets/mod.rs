//! Exponential smoothing that chooses its own components.

#[cfg(test)]
mod golden;
mod pattern;
mod spread;

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, Quantiles, require};
use super::normal::normal_quantile;
use super::season::fitting;
use super::smoothing::{Fit, Form, Noise, Running, Seasonal, Trend, UPPER, Weights, Window, Workspace, fit, steady};
use crate::{Error, Fitted, Forecaster};
use pattern::Pattern;

/// Observed rows needed.
const LEAST: usize = 4;
/// Bounds of the level's weight that are tried for forecasts of more than a step.
const STEADY: [f64; 3] = [0.3, 0.1, 0.03];
/// In windows of more rows, or without a season, only the form chosen without a bound is tried under them.
const LONG: usize = 4_000;

/// Exponential smoothing in state-space form: an error (additive `A`, multiplicative `M`), a trend (none `N`, additive `A`,
/// multiplicative `M`, either damped with a `d`) and a season (none `N`, additive `A`, multiplicative `M`), thirty forms in
/// all (Hyndman, Koehler, Ord & Snyder, *Forecasting with Exponential Smoothing: the State Space Approach*, 2008).
///
/// Weights and starting states are those that make the history most likely; of several forms the one with the least
/// corrected Akaike criterion is taken (Hyndman & Khandakar 2008). Unless told otherwise the stable forms without a growing
/// trend are compared: fifteen where every value is above zero and a season fits, else fewer. The season is the shortest that
/// fits. A long one has to earn its many starting states, so on minute data the choice often falls on a form without:
/// [`HoltWinters`](super::HoltWinters) always keeps it.
///
/// What is most likely is what foretells the next row best. Rows further ahead may be foretold better by a level that is
/// slower to follow: [`Ets::with_horizon`] lets the history tell.
///
/// `fit` takes some ten to hundred passes a form, each O(rows), over at most 20,000 rows; an update is O(1).
#[derive(Clone, Debug)]
pub struct Ets {
    pattern: Pattern,
    seasons: Vec<Duration>,
    horizon: Option<usize>,
    levels: Vec<f64>,
}

/// How a form of exponential smoothing does on a history.
#[derive(Clone, Debug, PartialEq)]
pub struct EtsFit {
    /// Its name, as in `AAdM`.
    pub form: String,
    /// Parameters learned: weights, starting states and the error's variance.
    pub parameters: usize,
    /// Logarithm of the likelihood but for a constant that all forms share: `-n/2 ln Σe² - Σ ln|f|`, the second sum for
    /// multiplicative errors, as `forecast::ets` and statsforecast have it.
    pub log_likelihood: f64,
    /// Akaike's criterion, corrected for short samples, on that scale; infinite where rows are too few to judge.
    pub aicc: f64,
    /// Smoothing weights of level, slope and season and the damping of the slope: 0, 0 and 1 where the form has none.
    pub weights: [f64; 4],
}

impl Ets {
    /// Chooses among the stable forms, with the seasons to choose from.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { pattern: Pattern::ANY, seasons: seasons.to_vec(), horizon: None, levels: Vec::new() }
    }

    /// Of the form called `name`, as in `AAdM`, or chosen among those left open by a `Z`, as in `ZZN`. A form named in full
    /// is taken at its word; where there is a choice, unstable ones (additive errors beside factors) are left out.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for what is no such name, or one that asks for a season where there is none.
    pub fn of(name: &str, seasons: &[Duration]) -> Result<Self, Error> {
        let pattern = Pattern::read(name)?;
        if pattern.needs_season() && seasons.is_empty() {
            let value = "empty".to_owned();
            return Err(Error::BadParameter { parameter: "seasons", value, range: "one or more for a seasonal form" });
        }
        Ok(Self { pattern, ..Self::new(seasons) })
    }

    /// Tells how many steps ahead matter (at least 1). Besides the most likely parameters, those most likely with a level that
    /// takes up no more than some share of an error are found, for a few shares, each with its own choice of form; of these
    /// are taken the ones that would have forecast the history best, up to so many steps ahead.
    #[must_use]
    pub fn with_horizon(mut self, steps: usize) -> Self {
        self.horizon = Some(steps.max(1));
        self
    }

    /// Lets forecasts have quantiles at `levels` (those within (0, 1) are taken): the model's own, of normal errors, in
    /// closed form for forms of the classes 1 to 3 of Hyndman et al. (2008, chapter 6) and by 2000 simulated paths for the
    /// others. Forecasts have none unless asked for.
    #[must_use]
    pub fn with_levels(mut self, levels: &[f64]) -> Self {
        self.levels = levels.iter().copied().filter(|level| *level > 0.0 && *level < 1.0).collect();
        self.levels.sort_by(f64::total_cmp);
        self
    }

    /// Each of the forms compared, fitted to the end with no regard to the others, the best first.
    ///
    /// # Errors
    /// As [`Forecaster::fit`].
    pub fn compare(&self, history: &Frame) -> Result<Vec<EtsFit>, Error> {
        let (window, forms) = self.prepare(history)?;
        let mut fits = fit_all(&window, &forms, &UPPER, &[], false);
        fits.sort_by(|a, b| a.aicc.total_cmp(&b.aicc));
        Ok(fits.iter().map(|fit| EtsFit::of(fit, &window)).collect())
    }

    /// The form that [`Forecaster::fit`] takes.
    ///
    /// # Errors
    /// As [`Forecaster::fit`].
    pub fn choose(&self, history: &Frame) -> Result<EtsFit, Error> {
        let (window, forms) = self.prepare(history)?;
        Ok(EtsFit::of(&choose(&window, &forms, self.horizon), &window))
    }

    /// The window to fit to and the forms that it admits, in the order to fit them in.
    fn prepare(&self, history: &Frame) -> Result<(Window, Vec<Form>), Error> {
        require(history, LEAST)?;
        let rows = fitting(&self.seasons, history).first().map_or(0, |season| season.rows);
        let window = Window::of(history, rows);
        let forms = admitted(&window, self.pattern);
        if !forms.is_empty() {
            return Ok((window, forms));
        }
        if self.pattern.needs_season() && !window.has_season() {
            let step = history.step().as_micros().max(1);
            let shortest = self.seasons.iter().min().map_or(0, |season| season.as_micros() / step);
            let needed = usize::try_from(2 * shortest.max(2)).unwrap_or(usize::MAX);
            return Err(Error::TooShort { needed, got: history.len() });
        }
        Err(Error::NotPositive)
    }
}

/// The forms of `pattern` that make sense on `window`, in the order that serves the search best: a simple one first, to set
/// a mark, then those with a season, which are likely to beat it, from simple to rich.
fn admitted(window: &Window, pattern: Pattern) -> Vec<Form> {
    let is_admitted = |form: &Form| {
        (form.seasonal == Seasonal::None || window.has_season()) && (!form.needs_positive() || window.is_positive())
    };
    let mut forms: Vec<Form> = pattern.forms().into_iter().filter(is_admitted).collect();
    let simplest = Form { noise: Noise::Additive, trend: Trend::None, seasonal: Seasonal::None };
    let trend = |form: &Form| Trend::ALL.iter().position(|trend| *trend == form.trend);
    forms.sort_by_key(|form| (*form != simplest, form.seasonal == Seasonal::None, trend(form)));
    forms
}

impl EtsFit {
    fn of(fit: &Fit, window: &Window) -> Self {
        Self {
            form: fit.form.to_string(),
            parameters: fit.form.parameters(window.season_rows()),
            log_likelihood: -0.5 * fit.deviance,
            aicc: fit.aicc,
            weights: [fit.weights.alpha, fit.weights.beta, fit.weights.gamma, fit.weights.phi],
        }
    }
}

/// The best of the stable forms without a season and without a growing trend.
pub(super) fn choose_without_season(window: &Window, horizon: usize) -> Fit {
    choose(window, &admitted(window, Pattern::WITHOUT_SEASON), Some(horizon))
}

/// The one of `forms` (there is one) with the least criterion; of equals the first. If told a horizon, that under the bound
/// of the level's weight that forecasts so far ahead best.
fn choose(window: &Window, forms: &[Form], horizon: Option<usize>) -> Fit {
    let best = most_likely(window, forms, &UPPER, &[]);
    let Some(horizon) = horizon else { return best };
    let mut candidates = vec![best];
    let few = [candidates[0].form];
    let forms = if window.has_season() && window.rows_count() <= LONG { forms } else { &few[..] };
    for alpha in STEADY {
        let next = most_likely(window, forms, &steady(alpha), &candidates);
        candidates.push(next);
    }
    let judged = candidates.into_iter().map(|fit| (fit.error_ahead(window, horizon), fit));
    judged.reduce(|best, next| if next.0 < best.0 { next } else { best }).expect("there is a candidate").1
}

fn most_likely(window: &Window, forms: &[Form], upper: &Weights, known: &[Fit]) -> Fit {
    let fits = fit_all(window, forms, upper, known, true).into_iter();
    fits.reduce(|best, next| if next.aicc < best.aicc { next } else { best }).expect("there is a form")
}

/// Fits of `forms`, each begun from what is known of the ones before it and of `known`; where `hasty`, those that do not
/// seem able to be the best are given up on the way.
fn fit_all(window: &Window, forms: &[Form], upper: &Weights, known: &[Fit], hasty: bool) -> Vec<Fit> {
    let mut room = Workspace::default();
    let mut fits: Vec<Fit> = known.to_vec();
    if let ([form], []) = (forms, known)
        && form.noise == Noise::Multiplicative
    {
        // Relative errors leave steps in the likelihood where a forecast nears zero; additive ones lead past them.
        let sibling = Form { noise: Noise::Additive, ..*form };
        fits.push(fit(window, sibling, upper, &[], f64::INFINITY, &mut room));
    }
    let others = fits.len();
    let mut best = f64::INFINITY;
    for form in forms {
        let to_beat = if hasty { best } else { f64::INFINITY };
        let found = fit(window, *form, upper, &fits, to_beat, &mut room);
        best = best.min(found.aicc);
        fits.push(found);
    }
    fits.split_off(others)
}

impl Forecaster for Ets {
    fn name(&self) -> &str {
        State::NAME
    }

    /// # Errors
    /// [`Error::TooShort`] for fewer than four observed rows, or two seasons where the form has one;
    /// [`Error::NotPositive`] where the form has factors and not every value is above zero.
    fn fit(&self, history: &Frame, _known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let (window, forms) = self.prepare(history)?;
        let best = choose(&window, &forms, self.horizon);
        let state = State {
            running: Running::new(&window, &best),
            variance: best.variance,
            levels: self.levels.clone(),
            seed: rng.next_u64(),
        };
        Ok(Box::new(Live::at_end(history, state)))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    running: Running,
    /// Of the one-step errors in the state's scale, of the relative ones if noise is multiplicative.
    variance: f64,
    /// Of the quantiles asked for.
    levels: Vec<f64>,
    /// For simulated paths.
    seed: u64,
}

impl Model for State {
    const NAME: &'static str = "ets";
    const VERSION: u32 = 2;

    fn push(&mut self, clock: &Clock, row: &Row) {
        self.running.push(clock, row);
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        self.running.point(clock, horizon)
    }

    fn quantiles(&self, clock: &Clock, _known: &Known, mean: &[f64]) -> Option<Quantiles> {
        if self.levels.is_empty() {
            return None;
        }
        let Running { scale, smoothing } = &self.running;
        let slot = clock.slot(smoothing.season_rows());
        let scaled: Vec<f64> = mean.iter().map(|mean| mean / scale).collect();
        let mut rows: Vec<Vec<f64>> = match spread::variances(smoothing, self.variance, &scaled, slot) {
            Some(variances) => {
                let scores: Vec<f64> = self.levels.iter().map(|level| normal_quantile(*level)).collect();
                let around = |(mean, variance): (&f64, &f64)| {
                    let deviation = variance.max(0.0).sqrt();
                    scores.iter().map(|z| mean + z * deviation).collect()
                };
                scaled.iter().zip(&variances).map(around).collect()
            }
            None => {
                let mut rng = SeededRng::seed_from_u64(self.seed);
                spread::simulated(smoothing, self.variance, slot, mean.len(), &self.levels, &mut rng)
            }
        };
        rows.iter_mut().flatten().for_each(|value| *value *= scale);
        Some(Quantiles { levels: self.levels.clone(), rows })
    }

    fn is_sound(&self) -> bool {
        self.running.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEASON: [Duration; 1] = [Duration::from_secs(4 * 60)];

    fn fitted(model: &Ets, values: &[f64]) -> Result<Box<dyn Fitted>, Error> {
        model.fit(&Frame::from_values(values.iter().copied()), &Known::none(), &mut SeededRng::seed_from_u64(1))
    }

    fn noisy(law: fn(usize) -> f64) -> Vec<f64> {
        let mut rng = SeededRng::seed_from_u64(9);
        (0..160).map(|i| law(i) + 0.5 * rng.normal()).collect()
    }

    /// Checks what the chosen model predicts, which tells the components it chose.
    fn check(values: &[f64], tolerance: f64, expected: &[f64]) {
        let mean = fitted(&Ets::new(&SEASON), values).unwrap().predict(expected.len(), &Known::none()).mean;
        for (got, expected) in mean.iter().zip(expected) {
            assert!((got - expected).abs() < tolerance, "{mean:?}, not {expected:?}");
        }
    }

    #[test]
    fn the_components_of_the_series_are_chosen() {
        check(&noisy(|_| 50.0), 0.5, &[50.0; 12]);
        check(&noisy(|i| 10.0 + i as f64), 2.0, &[170.0, 171.0, 172.0, 173.0]);
        check(&noisy(|i| 50.0 + [9.0, -3.0, -6.0, 0.0][i % 4]), 1.0, &[59.0, 47.0, 44.0, 50.0]);
        check(
            &noisy(|i| (50.0 + i as f64) * [1.3, 0.9, 0.8, 1.0][i % 4]),
            5.0,
            &[210.0 * 1.3, 211.0 * 0.9, 212.0 * 0.8, 213.0],
        );
    }

    #[test]
    fn the_choice_is_the_best_of_those_compared() {
        let values = noisy(|i| (50.0 + 0.2 * i as f64) * [1.3, 0.9, 0.8, 1.0][i % 4]);
        let history = Frame::from_values(values.iter().copied());
        let compared = Ets::new(&SEASON).compare(&history).unwrap();
        assert_eq!(compared.len(), 15);
        assert!(compared.windows(2).all(|pair| pair[0].aicc <= pair[1].aicc));
        let named = Ets::of(&compared[0].form, &SEASON).unwrap();
        let ahead = |model: &Ets| fitted(model, &values).unwrap().predict(8, &Known::none()).mean;
        for (a, b) in ahead(&named).iter().zip(ahead(&Ets::new(&SEASON))) {
            assert!((a / b - 1.0).abs() < 1e-2, "{a} {b}");
        }
    }

    #[test]
    fn a_form_that_the_history_does_not_allow_is_refused() {
        let refused =
            |name: &str, values: &[f64]| fitted(&Ets::of(name, &SEASON).unwrap(), values).err().unwrap().to_string();
        assert_eq!(refused("MNN", &[1.0, 0.0, 2.0, 3.0]), "the model has factors, and not every value is above zero");
        assert_eq!(refused("ANA", &[1.0, 0.0, 2.0, 3.0]), "history has 4 observed rows, the model needs 8");
        let message = Ets::of("ANA", &[]).unwrap_err().to_string();
        assert_eq!(message, "seasons is empty, accepted is one or more for a seasonal form");
        assert!(fitted(&Ets::of("ZZZ", &[]).unwrap(), &[1.0, 0.0, 2.0, 3.0]).is_ok());
    }

    #[test]
    fn quantiles_are_given_where_asked_for() {
        let values = noisy(|i| 50.0 + [9.0, -3.0, -6.0, 0.0][i % 4]);
        for name in ["AAdA", "MAM", "MMM", "ANM"] {
            let model = Ets::of(name, &SEASON).unwrap();
            let plain = fitted(&model, &values).unwrap().predict(9, &Known::none());
            assert!(plain.levels.is_empty());
            let fitted = fitted(&model.with_levels(&[0.975, 0.5, 0.025, 1.0]), &values).unwrap();
            let forecast = fitted.predict(9, &Known::none());
            assert_eq!((forecast.levels.as_slice(), &forecast.mean), (&[0.025, 0.5, 0.975][..], &plain.mean));
            for (mean, row) in forecast.mean.iter().zip(&forecast.quantiles) {
                // Noise has a deviation of a half.
                let half = (row[2] - row[0]) / 2.0;
                assert!((row[1] - mean).abs() < 0.2 && (0.7..1.6).contains(&half), "{name}: {mean} {row:?}");
            }
            assert_eq!(forecast.quantiles, fitted.predict(9, &Known::none()).quantiles);
        }
    }
}
