//! The default model: a mix of the others that never trails the best of them for long.
//!
//! Each step ahead has its own weights, learned from how the members did at that step. They are those of ML-Poly (Gaillard,
//! Stoltz & van Erven, "A second-order bound with excess losses", 2014, §3) on the gradient of the absolute error, so the
//! mix competes not with the best member but with the best convex combination of them, at a rate that adapts to each
//! member by itself and needs no tuning. Forgetting makes it follow changes; how fast is best differs by series and by
//! hour, so four memories run side by side and the same rule weighs them in turn. A member that cannot forecast sleeps: it
//! neither gains nor loses, and the others share its weight. Where the kind of work is known ([`crate::Fitted::set_regime`]),
//! each kind has weights of its own beside those of all work.
//!
//! ```
//! use foresail_core::{Frame, Known, SeededRng};
//! use foresail_forecast::mixer::Ensemble;
//! use foresail_forecast::models::{LastValue, LinearTrend};
//! use foresail_forecast::Forecaster;
//!
//! let ensemble = Ensemble::new(vec![Box::new(LastValue), Box::new(LinearTrend::new())], 30);
//! let history = Frame::from_values((0..300).map(|i| 50.0 + 0.1 * f64::from(i)));
//! let fitted = ensemble.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
//! let forecast = fitted.predict(30, &Known::none());
//! assert!((forecast.mean[29] - 83.0).abs() < 0.5, "{}", forecast.mean[29]); // a line: the trend has won
//! ```

mod bank;
mod ensemble;
mod fitted;
mod poly;
mod regimes;
mod roster;
mod stacked;
mod weights;

pub use ensemble::{Ensemble, MEMBERS};
pub use fitted::FittedEnsemble;
pub use roster::nominal_fit;
pub use stacked::{FittedStacked, STACKED, Stacked};
