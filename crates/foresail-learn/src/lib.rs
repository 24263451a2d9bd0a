//! Learners that know nothing of load or replicas: random forests, gradient boosting, online linear models, bandits and what
//! other policies would have earned, drift, resource use from fingerprints, and the account that tells a champion from its challengers.
//!
//! Each is plain synchronous code that is handed its data and its randomness, and whose result depends on nothing else:
//! a forest grown on one thread is bit for bit the forest grown on sixteen.
//!
//! ```
//! use foresail_core::SeededRng;
//! use foresail_learn::forest::{ForestParams, Matrix, RandomForest};
//!
//! // y = 2x on a grid, one feature.
//! let x: Vec<f32> = (0..200).map(|i| i as f32).collect();
//! let y: Vec<f64> = x.iter().map(|x| 2.0 * f64::from(*x)).collect();
//! let rows = Matrix::new(&x, 1).unwrap();
//! let forest = RandomForest::fit(rows, &y, &ForestParams::default(), &SeededRng::seed_from_u64(7)).unwrap();
//! assert!((forest.predict(&[100.0]) - 200.0).abs() < 10.0);
//! ```

pub mod bandit;
pub mod boosting;
pub mod drift;
pub mod embed;
mod error;
pub mod forest;
pub mod linear;
pub mod off_policy;
pub mod resource;
mod tree;
pub mod trial;

pub use error::Error;
