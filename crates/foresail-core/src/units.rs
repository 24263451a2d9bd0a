//! Numbers whose type says their unit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A count of replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Replicas(pub u32);

impl Replicas {
    /// The fewest whole replicas that hold `need` (a real number of replicas); negative and NaN need none, and what
    /// exceeds the type saturates.
    pub fn holding(need: f64) -> Self {
        // One part in a billion is forgiven, so that 3.0000000001 computed by rounding does not buy a fourth replica.
        Self((need - need.abs() * 1e-9).ceil().max(0.0) as u32)
    }

    /// As a real number.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0)
    }
}

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
