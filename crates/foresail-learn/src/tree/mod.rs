//! The tree core under [`forest`](crate::forest) and [`boosting`](crate::boosting).
//!
//! Features are cut once into at most 255 quantile bins, so that a split is searched over bins and not over sorted values
//! (Chen & Guestrin, *XGBoost*, KDD 2016, §3; Ke et al., *LightGBM*, NIPS 2017, §2.1). A missing value (NaN) has a bin of
//! its own and is sent, at every split, to the side where that lowers the error more. Gradients and weights are summed as
//! one integer ([`signal`]), which no order of summing changes: a tree is the same on any number of threads.

mod binner;
#[cfg(test)]
mod friedman;
mod grow;
mod histogram;
mod matrix;
mod nodes;
mod scaling;
mod signal;
mod split;

use crate::Error;

/// Rows at most: sums of gradients must fit their integers.
const MAX_ROWS: usize = 1 << 30;

pub(crate) use binner::Binned;
#[cfg(test)]
pub(crate) use friedman::friedman;
pub(crate) use grow::{Grower, Grown, Limits, Order};
pub use matrix::Matrix;
pub(crate) use nodes::Tree;
pub(crate) use scaling::Scaling;
pub(crate) use signal::Signal;

/// Refuses what nothing can be learned from.
pub(crate) fn check_rows(rows: Matrix<'_>, targets: &[f64]) -> Result<(), Error> {
    if rows.is_empty() {
        return Err(Error::NoRows);
    }
    if rows.len() != targets.len() {
        return Err(Error::LengthMismatch { rows: rows.len(), targets: targets.len() });
    }
    if rows.len() > MAX_ROWS {
        return Err(Error::BadParameter { parameter: "rows", value: rows.len().to_string(), range: "up to 2^30" });
    }
    match targets.iter().position(|t| !t.is_finite()) {
        Some(row) => Err(Error::NonFiniteTarget { row }),
        None => Ok(()),
    }
}
