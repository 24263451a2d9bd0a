//! Who is compared.

use clap::ValueEnum;

use crate::lab::peers::Program;

/// A proxy with a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// Ours, `learned` by itself
    Learned,
    /// Ours, `learned` as it is by default: in turn with least-request until it has proved itself, for a minute and more
    LearnedContest,
    /// Ours, `peak_ewma` as it is by default
    PeakEwma,
    /// Ours, `least_request` of all endpoints
    LeastRequest,
    /// nginx, `least_conn`
    NginxLeastConn,
    /// HAProxy, `leastconn` with health checks
    HaproxyLeastconn,
    /// HAProxy, `random(2)` with health checks
    HaproxyRandom2,
    /// HAProxy, `leastconn` with health checks and `observe layer7`
    HaproxyObserve,
}

impl Contender {
    /// Those that run unless others are named.
    pub(crate) const USUAL: [Self; 7] = [
        Self::Learned,
        Self::PeakEwma,
        Self::LeastRequest,
        Self::NginxLeastConn,
        Self::HaproxyLeastconn,
        Self::HaproxyRandom2,
        Self::HaproxyObserve,
    ];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::LearnedContest => "learned-contest",
            Self::PeakEwma => "peak-ewma",
            Self::LeastRequest => "least-request",
            Self::NginxLeastConn => "nginx-least-conn",
            Self::HaproxyLeastconn => "haproxy-leastconn",
            Self::HaproxyRandom2 => "haproxy-random2",
            Self::HaproxyObserve => "haproxy-observe",
        }
    }

    /// Where its program comes from.
    pub(crate) fn program(self) -> Program {
        match self {
            Self::Learned | Self::LearnedContest | Self::PeakEwma | Self::LeastRequest => Program::Ours,
            Self::NginxLeastConn => Program::Nginx,
            Self::HaproxyLeastconn | Self::HaproxyRandom2 | Self::HaproxyObserve => Program::Haproxy,
        }
    }

    /// Whether it is ours.
    pub(crate) fn is_ours(self) -> bool {
        self.program() == Program::Ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for contender in Contender::value_variants() {
            assert_eq!(contender.to_possible_value().unwrap().get_name(), contender.name());
        }
    }
}
