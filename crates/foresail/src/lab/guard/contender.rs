//! Who is compared.

use clap::ValueEnum;

use crate::lab::peers::Program;

/// A proxy with a defence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// Ours, the guard enforcing
    Guard,
    /// Ours, without a guard: what nothing but limits of room do
    Unguarded,
    /// HAProxy, a stick table of request rates by address, 429 beyond 100 in 10 s
    HaproxyStickTable,
    /// nginx, limit_req by address, 10 a second and 50 at once, 429 beyond
    NginxLimitReq,
}

impl Contender {
    /// Those that run unless others are named.
    pub(crate) const USUAL: [Self; 3] = [Self::Guard, Self::HaproxyStickTable, Self::NginxLimitReq];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Unguarded => "unguarded",
            Self::HaproxyStickTable => "haproxy-stick-table",
            Self::NginxLimitReq => "nginx-limit-req",
        }
    }

    /// Where its program comes from.
    pub(crate) fn program(self) -> Program {
        match self {
            Self::Guard | Self::Unguarded => Program::Ours,
            Self::HaproxyStickTable => Program::Haproxy,
            Self::NginxLimitReq => Program::Nginx,
        }
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
