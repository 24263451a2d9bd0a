//! The settings of a guard: safe defaults, ranges in every field's documentation.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// What a guard does with its verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Learns, judges and tells, and lets everything through.
    #[default]
    Observe,
    /// Acts on its verdicts.
    Enforce,
    /// As the exercise has it: absolute thresholds on a profile of each address, challenge from 0.5, block for an hour from 0.8.
    /// Acts.
    Seed,
}

impl Mode {
    /// What it does about an attack, as a verb of which the guard is the subject.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Observe => "would act",
            Self::Enforce | Self::Seed => "acts",
        }
    }
}

/// As in the configuration.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
            Self::Seed => "seed",
        })
    }
}

/// Everything a guard needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// What is done with verdicts.
    pub mode: Mode,
    /// Clients remembered, all workers together, 1024 to 16777216; each takes 72 bytes. Default 1048576.
    pub clients: usize,
    /// Networks that are let through whatever they do, such as `10.0.0.0/8`.
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<IpNet>,
    /// Beginnings of paths whose clients are never challenged or blocked, only slowed down: hooks, health checks, feeds.
    pub throttle_only: Vec<String>,
    /// Bots that are let through if their networks vouch for them: the name of the address must lie in a domain of the bot and
    /// lead back to the address. Names are looked up beside the traffic; until they are, a bot is judged as anybody. At most
    /// 64.
    pub bots: Vec<BotRule>,
    /// Databases of where addresses are, files in MaxMind's format (`.mmdb`) of countries, cities or autonomous systems, at
    /// most 8: what one does not tell the next is asked. They are held in memory and read again when they change. Without,
    /// networks stand in.
    pub geoip: Vec<PathBuf>,
    /// Requests a second that every client may make however slow others are, 0.1 to 100000. Default 5.
    pub least_limit_rps: f32,
    /// By how much a client may be faster than 99.5 % of the clients of seven days, 1 to 100. Default 2.
    pub margin: f32,
    /// Evidence (natural logarithm of odds) from which a request is acted on under full pressure, -5 to 20. Default 2.
    pub evidence: f32,
    /// By how much more evidence is needed without any pressure, 0 to 40. Default 6.
    pub slack: f32,
    /// Leading zero bits of the easiest proof of work, 8 to 24; the hardest has six more. Default 14.
    pub work_bits: u8,
    /// How long clearance lasts, `5m` to `24h`. Default `4h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub clearance: Duration,
    /// Requests a second that a client with clearance may make under pressure, 0.1 to 100000. Default 10.
    pub clearance_rps: f32,
    /// Where those are sent who fail proofs of work, instead of being blocked.
    pub captcha: Option<Captcha>,
    /// The first block, `1s` to `1h`; each further one is twice as long, to `longest_block`. Default `60s`.
    #[serde(with = "foresail_core::humane::Text")]
    pub first_block: Duration,
    /// The longest block, `first_block` to `24h`. Default `1h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub longest_block: Duration,
    /// File in which what was learned and the secrets are kept over restarts, readable by its owner alone; none (the
    /// default) begins anew each time. Written by whoever runs the guard, every ten minutes and at the end.
    pub state: Option<PathBuf>,
}

/// A bot and the domains its addresses resolve to and from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BotRule {
    /// What its `User-Agent` contains, such as `Googlebot`.
    pub agent: String,
    /// Domains its names end in, such as `googlebot.com`.
    pub domains: Vec<String>,
}

/// A service of the operator's that tells people from programs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Captcha {
    /// Where people are sent, with the puzzle as the query `puzzle` and the page they wanted as `return`.
    pub url: String,
    /// With which that service signs puzzles: it returns HMAC-SHA256 of the puzzle under this secret, in base64url without
    /// padding. At least 16 characters.
    pub secret: String,
}

impl std::fmt::Debug for Captcha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captcha").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            clients: 1 << 20,
            allow: Vec::new(),
            throttle_only: Vec::new(),
            bots: Vec::new(),
            geoip: Vec::new(),
            least_limit_rps: 5.0,
            margin: 2.0,
            evidence: 2.0,
            slack: 6.0,
            work_bits: 14,
            clearance: Duration::from_secs(4 * 3600),
            clearance_rps: 10.0,
            captcha: None,
            first_block: Duration::from_secs(60),
            longest_block: Duration::from_secs(3600),
            state: None,
        }
    }
}

impl GuardConfig {
    /// # Errors
    /// [`Error::OutOfRange`] for a field out of its range.
    pub fn check(&self) -> Result<(), Error> {
        check((1024..=1 << 24).contains(&self.clients), "guard.clients", self.clients, "1024 to 16777216")?;
        let rate = 0.1..=100_000.0;
        check(rate.contains(&self.least_limit_rps), "guard.least_limit_rps", self.least_limit_rps, "0.1 to 100000")?;
        check((1.0..=100.0).contains(&self.margin), "guard.margin", self.margin, "1 to 100")?;
        check((-5.0..=20.0).contains(&self.evidence), "guard.evidence", self.evidence, "-5 to 20")?;
        check((0.0..=40.0).contains(&self.slack), "guard.slack", self.slack, "0 to 40")?;
        check((8..=24).contains(&self.work_bits), "guard.work_bits", self.work_bits, "8 to 24")?;
        check(rate.contains(&self.clearance_rps), "guard.clearance_rps", self.clearance_rps, "0.1 to 100000")?;
        let day = Duration::from_secs(86_400);
        let span = |d: Duration| format!("{d:?}");
        let clearance = Duration::from_secs(300)..=day;
        check(clearance.contains(&self.clearance), "guard.clearance", span(self.clearance), "5m to 24h")?;
        let first = Duration::from_secs(1)..=Duration::from_secs(3600);
        check(first.contains(&self.first_block), "guard.first_block", span(self.first_block), "1s to 1h")?;
        let longest = (self.first_block..=day).contains(&self.longest_block);
        check(longest, "guard.longest_block", span(self.longest_block), "first_block to 24h")?;
        check(self.geoip.len() <= 8, "guard.geoip", self.geoip.len(), "at most 8 files")?;
        check(self.bots.len() <= 64, "guard.bots", self.bots.len(), "at most 64 bots")?;
        for bot in &self.bots {
            check(!bot.agent.is_empty(), "guard.bots.agent", "empty", "a part of the agent's name")?;
            let named = bot.domains.iter().all(|d| d.contains('.') && !d.starts_with('.') && !d.ends_with('.'));
            check(
                named && !bot.domains.is_empty(),
                "guard.bots.domains",
                bot.domains.join(" "),
                "domains like a.example",
            )?;
        }
        for path in &self.throttle_only {
            check(path.starts_with('/'), "guard.throttle_only", path, "paths that begin with /")?;
        }
        if let Some(captcha) = &self.captcha {
            let is_http = captcha.url.starts_with("https://") || captcha.url.starts_with("http://");
            let is_sound = is_http && captcha.url.bytes().all(|b| b.is_ascii_graphic());
            check(is_sound, "guard.captcha.url", &captcha.url, "http:// or https:// and visible characters")?;
            check(captcha.secret.len() >= 16, "guard.captcha.secret", "short", "at least 16 characters")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_survive_a_round_trip() {
        let config = GuardConfig::default();
        config.check().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<GuardConfig>(&text).unwrap(), config);
        assert_eq!(serde_json::from_str::<GuardConfig>("{}").unwrap(), config);
    }

    #[test]
    fn errors_name_key_value_and_range() {
        let check = |text: &str, expected: &str| {
            let error = serde_json::from_str::<GuardConfig>(text).unwrap().check().unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(r#"{"clients":3}"#, "guard.clients is 3, accepted is 1024 to 16777216");
        check(r#"{"clearance":"1s"}"#, "guard.clearance is 1s, accepted is 5m to 24h");
        check(r#"{"throttle_only":["x"]}"#, "guard.throttle_only is x, accepted is paths that begin with /");
        check(
            r#"{"bots":[{"agent":"Bot","domains":["com."]}]}"#,
            "guard.bots.domains is com., accepted is domains like a.example",
        );
        check(
            r#"{"captcha":{"url":"https://a","secret":"short"}}"#,
            "guard.captcha.secret is short, accepted is at least 16 characters",
        );
        let many = |key: &str, one: &str, count| format!("{{\"{key}\":[{}]}}", vec![one; count].join(","));
        check(&many("geoip", "\"a\"", 9), "guard.geoip is 9, accepted is at most 8 files");
        let bot = r#"{"agent":"Bot","domains":["a.example"]}"#;
        check(&many("bots", bot, 65), "guard.bots is 65, accepted is at most 64 bots");
        assert!(serde_json::from_str::<GuardConfig>(r#"{"colour":1}"#).is_err());
        let captcha = Captcha { url: "https://a".into(), secret: "0123456789abcdef".into() };
        assert!(!format!("{captcha:?}").contains("0123"));
    }
}
