//! The theta models.

#[cfg(test)]
mod golden;

mod adjustment;
mod optimise;
mod recursion;

use std::marker::PhantomData;
use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::gaps::fill;
use super::live::{Live, Model, magnitude, require};
use super::season::fitting;
use crate::{Error, Fitted, Forecaster};
use adjustment::Adjustment;
use optimise::{Form, Series};
use recursion::Recursion;

/// Rows a fit looks back at most, or three seasons if that is more.
const MAX_ROWS: usize = 20_000;
/// Observed rows needed: the first three errors are not counted.
const LEAST: usize = 4;

/// Which theta model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThetaForm {
    /// The standard method (θ = 2): `theta`.
    Standard,
    /// θ searched for: `optimized_theta`.
    Optimized,
    /// θ = 2, its line fitted anew at every row: `dynamic_theta`.
    Dynamic,
    /// θ searched for, its line fitted anew at every row: `dynamic_optimized_theta`.
    DynamicOptimized,
    /// The one of these with the smallest in-sample squared error: `auto_theta`.
    Auto,
}

/// A smoothed level and a share of the least-squares line through the whole series (Assimakopoulos & Nikolopoulos 2000;
/// Hyndman & Billah 2003; Fiorucci et al. 2016), after a season has been taken out by classical decomposition where the
/// series has one: the shortest that fits, by ratios where every value is above zero, else by differences.
///
/// The models are those of statsforecast's `AutoTheta`; their weights are found more exactly (about fifty passes over at
/// most 20,000 rows a form). An update is O(1): level and line move on, θ, alpha and the season stay until the next fit. As
/// the line goes through all that was seen, these models suit series of some hundred rows, or steady growth.
#[derive(Clone, Debug)]
pub struct Theta {
    form: ThetaForm,
    seasons: Vec<Duration>,
}

impl Theta {
    /// With the seasons to choose from.
    pub fn new(form: ThetaForm, seasons: &[Duration]) -> Self {
        Self { form, seasons: seasons.to_vec() }
    }

    fn learn<V: Variant>(&self, history: &Frame) -> Result<Box<dyn Fitted>, Error> {
        require(history, LEAST)?;
        let rows = fitting(&self.seasons, history).first().map_or(0, |season| season.rows);
        let window = Window::of(history, rows)?;
        let mut state = window.fit(V::FORMS);
        // What was missing at the end lies between the last row learned and now.
        (window.end..history.len()).for_each(|_| state.recursion.step(None));
        Ok(Box::new(Live::at_end(history, State::<V> { running: state, variant: PhantomData })))
    }
}

impl Forecaster for Theta {
    fn name(&self) -> &str {
        match self.form {
            ThetaForm::Standard => State::<Standard>::NAME,
            ThetaForm::Optimized => State::<Optimized>::NAME,
            ThetaForm::Dynamic => State::<Dynamic>::NAME,
            ThetaForm::DynamicOptimized => State::<DynamicOptimized>::NAME,
            ThetaForm::Auto => State::<Auto>::NAME,
        }
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        match self.form {
            ThetaForm::Standard => self.learn::<Standard>(history),
            ThetaForm::Optimized => self.learn::<Optimized>(history),
            ThetaForm::Dynamic => self.learn::<Dynamic>(history),
            ThetaForm::DynamicOptimized => self.learn::<DynamicOptimized>(history),
            ThetaForm::Auto => self.learn::<Auto>(history),
        }
    }
}

/// A name in the registry, and the forms compared under it, the simplest first: of equals the first is taken.
pub(crate) trait Variant: Send + Sync + 'static {
    const NAME: &'static str;
    const FORMS: &'static [ThetaForm];
}

/// Declares the variants.
macro_rules! variants {
    ($($variant:ident $name:literal [$($form:ident),+];)+) => {$(
        /// The type-level name of a theta model.
        pub(crate) struct $variant;

        impl Variant for $variant {
            const NAME: &'static str = $name;
            const FORMS: &'static [ThetaForm] = &[$(ThetaForm::$form),+];
        }
    )+};
}

variants! {
    Standard "theta" [Standard];
    Optimized "optimized_theta" [Optimized];
    Dynamic "dynamic_theta" [Dynamic];
    DynamicOptimized "dynamic_optimized_theta" [DynamicOptimized];
    Auto "auto_theta" [Standard, Optimized, Dynamic, DynamicOptimized];
}

impl ThetaForm {
    fn components(self) -> Form {
        let dynamic = matches!(self, Self::Dynamic | Self::DynamicOptimized);
        Form { dynamic, optimised: matches!(self, Self::Optimized | Self::DynamicOptimized) }
    }
}

/// The part of a history that is learned: it begins and ends with an observed row.
struct Window {
    /// Values over `scale`, gaps filled by straight lines.
    values: Vec<f64>,
    seen: Vec<bool>,
    scale: f64,
    /// Place of the first row in the season.
    slot: usize,
    /// Rows of the season, 0 for none.
    rows: usize,
    /// Where it ends in the history.
    end: usize,
}

impl Window {
    fn of(history: &Frame, rows: usize) -> Result<Self, Error> {
        let mask = history.target_mask();
        let end = mask.iter().rposition(|seen| *seen).map_or(0, |last| last + 1);
        let earliest = end.saturating_sub(MAX_ROWS.max(3 * rows));
        let start = earliest + mask[earliest..end].iter().position(|seen| *seen).unwrap_or(0);
        let seen = mask[start..end].to_vec();
        let got = seen.iter().filter(|seen| **seen).count();
        if got < LEAST {
            return Err(Error::TooShort { needed: LEAST, got });
        }
        let scale = magnitude(history);
        let mut values: Vec<f64> = history.target()[start..end].iter().map(|value| value / scale).collect();
        fill(&mut values, &seen);
        let back = (history.len() - start) % rows.max(1);
        let slot = (Clock::at_end(history).slot(rows.max(1)) + rows.max(1) - back) % rows.max(1);
        Ok(Self { values, seen, scale, slot, rows, end })
    }

    fn fit(&self, forms: &[ThetaForm]) -> Running {
        let season = Adjustment::of(&self.values, &self.seen, self.slot, self.rows);
        let place = |i: usize| (self.slot + i) % season.rows();
        let adjusted: Vec<f64> = self.values.iter().enumerate().map(|(i, v)| season.remove(place(i), *v)).collect();
        let series = Series::new(&adjusted, &self.seen);
        let best = forms
            .iter()
            .map(|form| series.fit(form.components()))
            .reduce(|best, next| if next.squares < best.squares { next } else { best })
            .expect("every variant has a form");
        Running { scale: self.scale, season, recursion: best.state }
    }
}

/// A fitted theta model on its way.
#[derive(Serialize, Deserialize)]
struct Running {
    /// Values are divided by this.
    scale: f64,
    season: Adjustment,
    recursion: Recursion,
}

#[derive(Serialize, Deserialize)]
#[serde(bound = "", transparent)]
pub(crate) struct State<V: Variant> {
    running: Running,
    #[serde(skip)]
    variant: PhantomData<V>,
}

impl<V: Variant> Model for State<V> {
    const NAME: &'static str = V::NAME;
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let Running { scale, season, recursion } = &mut self.running;
        let slot = clock.slot(season.rows());
        recursion.step(row.target().map(|value| season.remove(slot, value / *scale)));
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let Running { scale, season, recursion } = &self.running;
        let (slot, rows) = (clock.slot(season.rows()), season.rows());
        let ahead = recursion.ahead(horizon).into_iter().enumerate();
        ahead.map(|(i, value)| season.restore((slot + i) % rows, value) * scale).collect()
    }

    fn is_sound(&self) -> bool {
        self.running.season.is_sound()
    }
}
