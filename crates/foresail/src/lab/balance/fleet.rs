//! The endpoints, and what goes wrong with one of them.

use clap::ValueEnum;

/// An endpoint: so many requests at a time, each for a lognormal time of this mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nature {
    pub(super) service_ms: u32,
    pub(super) workers: u32,
}

impl Nature {
    /// Requests a second.
    pub(super) fn capacity_rps(self) -> f64 {
        1_000.0 * f64::from(self.workers) / f64::from(self.service_ms)
    }
}

/// Eight endpoints of four kinds, 4,840 requests a second in all.
const UNEVEN: [Nature; 8] = [
    Nature { service_ms: 5, workers: 4 },
    Nature { service_ms: 5, workers: 4 },
    Nature { service_ms: 10, workers: 8 },
    Nature { service_ms: 10, workers: 8 },
    Nature { service_ms: 10, workers: 8 },
    Nature { service_ms: 25, workers: 8 },
    Nature { service_ms: 25, workers: 8 },
    Nature { service_ms: 80, workers: 16 },
];
/// The same number all alike, 3,200 requests a second in all.
const EVEN: [Nature; 8] = [Nature { service_ms: 20, workers: 8 }; 8];
/// Which one turns bad: one of the middling.
pub(super) const BAD: usize = 2;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// Uneven endpoints, all sound
    Steady,
    /// One of them takes five times as long
    Slow,
    /// One of them answers three requests in ten with 500, at once
    #[value(name = "failing-30")]
    Failing30,
    /// One of them answers every request with 500, at once
    #[value(name = "failing-100")]
    Failing100,
    /// One of them accepts and never answers
    Frozen,
    /// Endpoints all alike, all sound
    Uniform,
}

impl Scenario {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Slow => "slow",
            Self::Failing30 => "failing-30",
            Self::Failing100 => "failing-100",
            Self::Frozen => "frozen",
            Self::Uniform => "uniform",
        }
    }

    pub(super) fn fleet(self) -> [Nature; 8] {
        if self == Self::Uniform { EVEN } else { UNEVEN }
    }

    /// What is posted to the endpoint that turns bad.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Steady | Self::Uniform => None,
            Self::Slow => Some("/fault?slow=5"),
            Self::Failing30 => Some("/fault?failing-fast=0.3"),
            Self::Failing100 => Some("/fault?failing-fast=1"),
            // A duration cannot be zero.
            Self::Frozen => Some("/fault?hang=1us"),
        }
    }

    /// Requests a second that are the share `load` of what the sound endpoints can do, so that no scenario is overload by
    /// itself.
    pub(crate) fn rate_rps(self, load: f64) -> f64 {
        let sound = |index: &usize| self.fault().is_none() || *index != BAD;
        let fleet = self.fleet();
        load * (0..fleet.len()).filter(sound).map(|index| fleet[index].capacity_rps()).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_shares_of_what_is_sound() {
        for (scenario, rate) in [
            (Scenario::Steady, 4_840.0),
            (Scenario::Slow, 4_040.0),
            (Scenario::Failing30, 4_040.0),
            (Scenario::Frozen, 4_040.0),
            (Scenario::Uniform, 3_200.0),
        ] {
            assert!((scenario.rate_rps(0.5) - rate / 2.0).abs() < 1e-9, "{scenario:?}");
        }
        for scenario in Scenario::value_variants() {
            assert_eq!(scenario.to_possible_value().unwrap().get_name(), scenario.name());
        }
    }
}
