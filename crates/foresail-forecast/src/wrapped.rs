//! What wrappers of a [`Forecaster`] share when they fit anew what they hold.

use std::any::Any;

use foresail_core::{Frame, Known, SeededRng};

use crate::{Error, Fitted, Forecaster};

/// `fitted` as what the wrapper itself fits, if it is that; else nothing of it can be kept.
pub(crate) fn own<T: Fitted>(fitted: &mut Box<dyn Fitted>) -> Option<&mut T> {
    (fitted.as_mut() as &mut dyn Any).downcast_mut()
}

/// `model` fitted on the first `train` rows of `history` and led through those after them.
///
/// # Errors
/// As [`Forecaster::fit`].
pub(crate) fn fit_and_lead<M: Forecaster + ?Sized>(
    model: &M,
    history: &Frame,
    train: usize,
    known: &Known,
    rng: &mut SeededRng,
) -> Result<Box<dyn Fitted>, Error> {
    let mut fitted = model.fit(&history.slice(0..train), known, rng)?;
    (train..history.len()).for_each(|row| fitted.update(&history.row(row)));
    Ok(fitted)
}
