//! A new endpoint gets its full share only after a while.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// The weight of a young endpoint grows from `floor` to 1 over `window`, as in Envoy's slow start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlowStart {
    /// How long the growth takes, up to `1h`. `0s` (the default) gives a new endpoint its full weight at once, which is
    /// right where readiness probes tell the truth.
    #[serde(with = "foresail_core::humane::Text")]
    pub window: Duration,
    /// Weight at the start, above 0 and at most 1.
    pub floor: f64,
    /// Shape of the growth, 0.1 to 10: 1 is linear, more is faster at first.
    pub aggression: f64,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self { window: Duration::ZERO, floor: 0.1, aggression: 1.0 }
    }
}

impl SlowStart {
    /// The factor for the weight of an endpoint that has been there for `age`: `floor` to 1.
    pub fn factor(&self, age: Duration) -> f64 {
        if age >= self.window {
            return 1.0;
        }
        let share = age.as_secs_f64() / self.window.as_secs_f64();
        self.floor + (1.0 - self.floor) * share.powf(1.0 / self.aggression)
    }

    /// # Errors
    /// [`Error::OutOfRange`] for a field out of its range.
    pub fn check(&self) -> Result<(), Error> {
        let (window, floor, aggression) = (self.window, self.floor, self.aggression);
        check(window <= Duration::from_secs(3600), "slow_start.window", format!("{window:?}"), "0s to 1h")?;
        check(floor > 0.0 && floor <= 1.0, "slow_start.floor", floor, "above 0, at most 1")?;
        check((0.1..=10.0).contains(&aggression), "slow_start.aggression", aggression, "0.1 to 10")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_from_the_floor_to_one() {
        let ramp = SlowStart { window: Duration::from_secs(10), ..SlowStart::default() };
        assert!((ramp.factor(Duration::ZERO) - 0.1).abs() < 1e-12);
        assert!((ramp.factor(Duration::from_secs(5)) - 0.55).abs() < 1e-12);
        assert!((ramp.factor(Duration::from_secs(10)) - 1.0).abs() < 1e-12);
        assert!((SlowStart::default().factor(Duration::ZERO) - 1.0).abs() < 1e-12);
        assert!(SlowStart { floor: 0.0, ..ramp }.check().is_err());
    }
}
