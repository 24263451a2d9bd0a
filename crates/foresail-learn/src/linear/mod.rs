//! Linear models learned online.

mod rls;

pub use rls::RecursiveLeastSquares;
