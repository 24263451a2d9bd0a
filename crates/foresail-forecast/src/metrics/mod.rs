//! How good a forecast was: point, quantile and peak measures over scored points.
//!
//! A [`Scorer`] takes in one point at a time and can be merged with others, so the same sums give a model's figures over
//! everything, by horizon or by window. What a figure is measured against (the scale of MASE and MSIS, the threshold of a
//! peak, the floor of MAPE) is fixed before the first scored point, by [`Reference::in_sample`].
//!
//! ```
//! use foresail_forecast::metrics::{Point, Reference, Scorer};
//!
//! let history = [10.0, 20.0, 12.0, 22.0, 14.0, 24.0];
//! let reference = Reference::in_sample(&history, &[true; 6], &[2]);
//! assert_eq!(reference.scale, 2.0); // each value is 2 above the one a season before
//! let mut scorer = Scorer::new(reference, &[]);
//! scorer.push(&Point { actual: Some(16.0), origin: Some(24.0), mean: 17.0, quantiles: &[] });
//! assert_eq!(scorer.metrics().mase, Some(0.5));
//! ```

mod aggregate;
mod figures;
mod interval;
mod reference;
mod scorer;

pub use aggregate::{geometric_mean, median, relative, weighted_mean};
pub use figures::{Coverage, Metrics};
pub use interval::{IntervalScore, pinball};
pub(crate) use reference::percentile_of_sorted;
pub use reference::{Reference, percentile};
pub use scorer::{Point, Scorer};
