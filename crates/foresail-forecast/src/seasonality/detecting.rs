//! A model whose seasons are looked for at every fit.

use foresail_core::{Frame, Known, SeededRng};

use super::detect;
use crate::registry::{ModelOptions, build_as_told};
use crate::{Error, Fitted, Forecaster};

/// The model of a name in the registry, told the seasons that the history shows. What it fits is that model alone, so its
/// snapshots are too.
pub(crate) struct Detecting {
    name: &'static str,
    options: ModelOptions,
}

impl Detecting {
    /// `name` has to be one of the registry's.
    pub(crate) fn new(name: &'static str, options: ModelOptions) -> Self {
        Self { name, options }
    }

    fn told(&self, history: &Frame) -> Result<Box<dyn Forecaster>, Error> {
        build_as_told(self.name, &ModelOptions { seasons: detect(history), ..self.options.clone() })
    }
}

impl Forecaster for Detecting {
    fn name(&self) -> &str {
        self.name
    }

    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        self.told(history)?.fit(history, known, rng)
    }

    fn refit(
        &self,
        fitted: &mut Box<dyn Fitted>,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &mut SeededRng,
    ) -> Result<(), Error> {
        self.told(&history.slice(0..train))?.refit(fitted, history, train, known, rng)
    }
}
