//! Benchmarks over many series, by the protocol of GIFT-Eval (Aksu et al., "GIFT-Eval: a benchmark for general time series
//! forecasting model evaluation", 2024): rolling origins, non-overlapping windows over the last tenth of the series, at most
//! twenty; scaled errors of the median and quantile losses at the nine deciles; everything relative to a seasonal naive
//! forecast and joined over the sets by geometric means. ADR 10 tells what was taken over and what could be reproduced.
//!
//! ```
//! use foresail_core::Frame;
//! use foresail_forecast::registry::build;
//! use foresail_forecast::suite::{Dataset, pooled, run, score, textbook_naive};
//!
//! let wave = |phase: usize| Frame::from_values((0..400).map(move |i| ((i + phase) % 24) as f64 + (i % 7) as f64));
//! let set = Dataset::new("waves", vec![("a".into(), wave(0)), ("b".into(), wave(5))], 10, 24).unwrap();
//! assert_eq!(set.windows(), 4); // a tenth of 400 rows holds four windows of ten
//! let naive = score(&set, &textbook_naive(&set));
//! let trend = run(&set, &|| build("linear_trend", &set.model_options()), 0, &|_| {}).unwrap();
//! assert!(pooled(&score(&set, &trend)).mase > pooled(&naive).mase);
//! ```

mod compare;
mod dataset;
mod naive;
mod run;
mod score;

pub use compare::{Interval, Worst, relative, resampled, worst_window};
pub use dataset::Dataset;
pub use naive::textbook_naive;
pub use run::{run, run_global};
pub use score::{Pooled, WindowScore, pooled, score};

/// The levels at which quantiles are scored.
pub const LEVELS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// What is forecast of one step: its quantiles at [`LEVELS`]. The point forecast is the fifth, the median.
pub type Quantiles = [f64; LEVELS.len()];

/// Forecasts of a data set: a list a window, in the order of [`Dataset::places`], of quantiles a step.
pub type Predictions = Vec<Vec<Quantiles>>;
