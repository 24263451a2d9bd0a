//! How hard it is for the origin now, from what is measured of it.

use serde::{Deserialize, Serialize};

/// What is measured of the origin; what is not measured is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The 99th percentile of latency over what it should be.
    pub p99_over_target: Option<f64>,
    /// Share of its capacity in use, above 1 when more is asked of it.
    pub utilisation: Option<f64>,
    /// Share of the queue that is full.
    pub queue: Option<f64>,
    /// Share of requests that fail for want of capacity (502, 503, 504).
    pub failures: Option<f64>,
}

impl Load {
    /// Pressure, 0 to 1: that of the signal that shows most. Half is where people begin to notice.
    pub fn pressure(&self) -> f64 {
        let ramp = |value: Option<f64>, from: f64, to: f64| {
            value.filter(|v| v.is_finite()).map_or(0.0, |v| ((v - from) / (to - from)).clamp(0.0, 1.0))
        };
        let signals = [
            ramp(self.p99_over_target, 1.0, 3.0),
            ramp(self.utilisation, 0.8, 1.0),
            ramp(self.queue, 0.1, 0.6),
            ramp(self.failures, 0.01, 0.1),
        ];
        signals.into_iter().fold(0.0, f64::max)
    }
}

/// Seconds over which pressure that has gone is forgotten.
const FALL_S: f64 = 10.0;
/// Seconds over which it is forgotten while nothing but refusals keeps it away and nobody can tell what would be without.
const HOLD_S: f64 = 120.0;
/// From this on the guard acts.
const ENGAGED: f64 = 0.1;

/// Pressure as the guard feels it: it rises at once, and it stays as long as letting in what is refused would bring it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pressure {
    value: f64,
}

impl Pressure {
    /// Takes in a measurement over `seconds`, in which `refused` of all requests, a share, were not let through.
    pub(crate) fn update(&mut self, load: &Load, refused: f64, seconds: f64) {
        let measured = load.pressure();
        let refused = refused.clamp(0.0, 0.999);
        let (floor, fall) = match load.utilisation {
            // What would be in use if everything were let in.
            Some(used) if refused > 0.0 => {
                let all = Load { utilisation: Some(used / (1.0 - refused)), ..*load };
                (all.pressure().min(self.value), FALL_S)
            }
            None if refused > 0.2 => (0.0, HOLD_S),
            _ => (0.0, FALL_S),
        };
        let fallen = self.value * (-seconds / fall).exp();
        self.value = measured.max(floor).max(fallen);
    }

    pub(crate) fn value(self) -> f64 {
        self.value
    }

    pub(crate) fn is_engaged(self) -> bool {
        self.value >= ENGAGED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(utilisation: f64) -> Load {
        Load { utilisation: Some(utilisation), ..Load::default() }
    }

    #[test]
    fn pressure_is_that_of_the_worst_signal() {
        assert_eq!(Load::default().pressure(), 0.0);
        assert_eq!(used(0.7).pressure(), 0.0);
        assert!((used(0.9).pressure() - 0.5).abs() < 1e-9);
        assert_eq!(Load { p99_over_target: Some(9.0), ..used(0.1) }.pressure(), 1.0);
        assert_eq!(used(f64::NAN).pressure(), 0.0);
    }

    #[test]
    fn it_stays_while_what_is_refused_would_bring_it_back() {
        let mut pressure = Pressure::default();
        pressure.update(&used(1.5), 0.0, 1.0);
        assert_eq!(pressure.value(), 1.0);
        for _ in 0..600 {
            pressure.update(&used(0.3), 0.9, 1.0);
        }
        assert!(pressure.is_engaged());
        // A tenth of the origin in use with a tenth refused: nothing would happen.
        for _ in 0..60 {
            pressure.update(&used(0.1), 0.1, 1.0);
        }
        assert!(!pressure.is_engaged(), "{}", pressure.value());
        // Without knowing, it looks again after some minutes.
        pressure.update(&Load { p99_over_target: Some(5.0), ..Load::default() }, 0.0, 1.0);
        let seconds = (0..).take_while(|_| {
            pressure.update(&Load::default(), 0.9, 1.0);
            pressure.is_engaged()
        });
        assert!((200..400).contains(&seconds.count()));
    }
}
