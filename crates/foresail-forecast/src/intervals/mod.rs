//! Prediction intervals that hold: adaptive conformal inference for every step of the horizon.
//!
//! [`Calibrated`] wraps any model. As actuals arrive it compares them with what was forecast 1, 2, … steps before and keeps,
//! for each step apart, three learners of growing slowness: a scale (how large are errors likely to be now), a window of
//! the errors in units of that scale (what shape do they have), and an integrator of the misses that really happened (what
//! did the first two get wrong). The last is what makes coverage come out right whatever the series does.
//!
//! ```
//! use foresail_core::{Frame, Known, SeededRng};
//! use foresail_forecast::{Forecaster, intervals::Calibrated, models::LastValue};
//!
//! let history = Frame::from_values((0..400).map(|i| 100.0 + f64::from(i % 7)));
//! let model = Calibrated::new(Box::new(LastValue), 3);
//! let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
//! let forecast = fitted.predict(3, &Known::none());
//! assert_eq!(forecast.levels, foresail_forecast::intervals::LEVELS);
//! assert!(forecast.quantiles.iter().all(|q| q[0] <= q[9] && q[9] <= q[18]));
//! ```

mod adaptive;
mod calibrated;
mod conformal;
mod knots;
mod peaks;
mod pid;
mod profile;
mod scale;
mod state;
mod track;
mod trajectories;
mod warp;
mod window;

pub use calibrated::{Calibrated, FittedCalibrated, LEVELS, Method};
pub use conformal::ResidualQuantile;
pub(crate) use knots::Knots;
pub(crate) use state::day_in_rows;
pub use window::ScoreWindow;
