//! What is played.

use clap::ValueEnum;
use foresail_sim::site::Attack;

/// An attack beside the well-meant mix, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Threat {
    /// Well-meant clients alone; always played, for latencies to be held against
    None,
    /// One address
    Flood,
    /// 10,000 addresses, all with one program that is no browser
    Botnet,
    /// 10,000 addresses that write as browsers do
    BotnetMimic,
    /// 10,000 addresses that write and ask as the site's own app does
    BotnetApp,
    /// Another address each time, written as browsers write
    OneShot,
    /// One IPv6 network, another address of it each time
    #[value(name = "rotating-64")]
    Rotating64,
    /// 2,000 addresses, one page with another query each time
    CacheBusting,
    /// 300 addresses, another program and another path each time
    Rotation,
    /// One address, a page every three seconds: a nuisance that may pass
    Crawler,
}

impl Threat {
    /// Those that are played unless others are named.
    pub(crate) const USUAL: [Self; 5] = [Self::None, Self::Flood, Self::Botnet, Self::BotnetMimic, Self::CacheBusting];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Flood => "flood",
            Self::Botnet => "botnet",
            Self::BotnetMimic => "botnet-mimic",
            Self::BotnetApp => "botnet-app",
            Self::OneShot => "one-shot",
            Self::Rotating64 => "rotating-64",
            Self::CacheBusting => "cache-busting",
            Self::Rotation => "rotation",
            Self::Crawler => "crawler",
        }
    }

    /// The attack.
    pub(super) fn attack(self) -> Option<Attack> {
        Some(match self {
            Self::None => return None,
            Self::Flood => Attack::Flood,
            Self::Botnet => Attack::Botnet,
            Self::BotnetMimic => Attack::BotnetMimic,
            Self::BotnetApp => Attack::BotnetApp,
            Self::OneShot => Attack::OneShot,
            Self::Rotating64 => Attack::Rotating64,
            Self::CacheBusting => Attack::CacheBusting,
            Self::Rotation => Attack::Rotation,
            Self::Crawler => Attack::Crawler,
        })
    }

    /// Its requests a second, where floods make `rate`.
    pub(super) fn rate(self, rate: f64) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Crawler => Attack::Crawler.rate(),
            _ => rate,
        }
    }

    /// Share that may pass, where that is promised.
    pub(super) fn may_pass(self) -> Option<f64> {
        self.attack().and_then(Attack::may_pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line_and_promises_those_of_the_replay() {
        for threat in Threat::value_variants() {
            assert_eq!(threat.to_possible_value().unwrap().get_name(), threat.name());
        }
        let promises = [Threat::None, Threat::Flood, Threat::Botnet, Threat::CacheBusting, Threat::Crawler];
        assert_eq!(promises.map(Threat::may_pass), [None, Some(0.01), Some(0.1), Some(0.05), None]);
        assert_eq!((Threat::None.rate(9.0), Threat::Botnet.rate(9.0)), (0.0, 9.0));
    }
}
