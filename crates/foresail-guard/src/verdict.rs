//! What becomes of a request, and why, in one line.

use std::fmt;

use serde::Serialize;

use crate::geo::Origin;
use crate::mix::{Dimension, Subject};

/// What a client is asked to do before it is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// To run a script.
    Script,
    /// To find a number whose hash begins with this many zero bits.
    Work(u8),
    /// To convince the operator's own service.
    Captcha,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It goes through.
    Allow,
    /// It is answered 429; after so many seconds another may be tried.
    Throttle {
        /// For `Retry-After`.
        retry_after_s: u32,
    },
    /// It is answered with a page that asks for something.
    Challenge(Challenge),
    /// It is answered 403, as will be all others for so many seconds.
    Block {
        /// What is left of the block.
        seconds: u32,
    },
}

/// What a request is taken for, whatever becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Nothing is held against it.
    Benign,
    /// Unusual; no part of what is learned from.
    Suspect,
    /// Part of an attack: no demand to forecast or to scale for.
    Attack,
}

/// The judgement on one request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What is to be done.
    pub action: Action,
    /// What would be done if the guard were to act; differs from `action` only where it observes.
    pub would: Action,
    /// What it is taken for.
    pub label: Label,
    /// Why.
    pub reason: Reason,
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing is unusual, or not unusual enough for the pressure there is.
    Usual,
    /// The operator lets this network through.
    AllowList,
    /// A bot that its network vouches for.
    VerifiedBot,
    /// It holds clearance.
    Cleared,
    /// It holds clearance and asks too much even so.
    ClearedTooFast {
        /// Requests a second lately.
        rps: f32,
        /// How many it may make.
        limit_rps: f32,
    },
    /// The client is faster than it may be.
    TooFast {
        /// Requests a second lately.
        rps: f32,
        /// How many it may make.
        limit_rps: f32,
        /// Pressure, 0 to 1.
        pressure: f32,
    },
    /// The client costs the origin more than it may.
    TooDear {
        /// Milliseconds of the origin a second.
        ms_per_s: f32,
        /// How many it may cost.
        limit: f32,
        /// Pressure, 0 to 1.
        pressure: f32,
    },
    /// It looks like what there is too much of.
    Crowd {
        /// Logarithm of the odds that it belongs to the excess.
        evidence: f32,
        /// How much is needed.
        needed: f32,
        /// What speaks most against it.
        dimension: Dimension,
        /// Its country or autonomous system, where that is it and a database tells.
        origin: Option<Origin>,
        /// Share of such requests now.
        share: f32,
        /// Most of their share in seven days.
        usual: f32,
        /// Pressure, 0 to 1.
        pressure: f32,
    },
    /// It was blocked before.
    Blocked {
        /// How often so far.
        blocks: u8,
    },
    /// Challenges and refusals were not heeded.
    Heedless {
        /// How many.
        strikes: u8,
    },
    /// An operator has let the client in.
    Pardoned,
    /// The exercise's threat score.
    Seed {
        /// 0 to 1.
        threat: f32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Usual => f.write_str("nothing is held against it"),
            Self::AllowList => f.write_str("its network is on the allow list"),
            Self::VerifiedBot => f.write_str("its network vouches for this bot"),
            Self::Cleared => f.write_str("it holds clearance"),
            Self::ClearedTooFast { rps, limit_rps } => {
                write!(f, "it holds clearance but makes {rps:.1} requests/s of {limit_rps:.1} allowed")
            }
            Self::TooFast { rps, limit_rps, pressure } => {
                write!(f, "the client makes {rps:.1} requests/s of {limit_rps:.1} allowed, at pressure {pressure:.2}")
            }
            Self::TooDear { ms_per_s, limit, pressure } => {
                write!(
                    f,
                    "the client costs the origin {ms_per_s:.0} ms/s of {limit:.0} allowed, at pressure {pressure:.2}"
                )
            }
            Self::Crowd { evidence, needed, dimension, origin, share, usual, pressure } => write!(
                f,
                "{} are {:.2} % of all, {:.2} % at most in seven days; evidence {evidence:.1} of {needed:.1} \
                 needed at pressure {pressure:.2}",
                Subject(dimension, origin),
                100.0 * share,
                100.0 * usual
            ),
            Self::Blocked { blocks: 1 } => f.write_str("the client is blocked for the first time"),
            Self::Blocked { blocks } => write!(f, "the client is blocked for the {blocks}th time"),
            Self::Heedless { strikes } => write!(f, "{strikes} challenges or refusals were not heeded"),
            Self::Pardoned => f.write_str("an operator has let it in"),
            Self::Seed { threat } => write!(f, "threat score {threat:.1}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Throttle { retry_after_s } => write!(f, "throttle, again in {retry_after_s} s"),
            Self::Challenge(Challenge::Script) => f.write_str("challenge: run a script"),
            Self::Challenge(Challenge::Work(bits)) => write!(f, "challenge: proof of work of {bits} bits"),
            Self::Challenge(Challenge::Captcha) => f.write_str("challenge: the operator's captcha"),
            Self::Block { seconds } => write!(f, "block for {seconds} s"),
        }
    }
}

/// What would be done, and why.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let observed = if self.action == self.would { "" } else { " (observed only)" };
        write!(f, "{}{observed}: {}", self.would, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Country;

    #[test]
    fn every_reason_is_one_line() {
        let crowd = Reason::Crowd {
            evidence: 7.25,
            needed: 2.0,
            dimension: Dimension::Fingerprint,
            origin: None,
            share: 0.91,
            usual: 0.004,
            pressure: 1.0,
        };
        let reasons = [
            Reason::Usual,
            Reason::AllowList,
            Reason::VerifiedBot,
            Reason::Cleared,
            Reason::ClearedTooFast { rps: 30.0, limit_rps: 10.0 },
            Reason::TooFast { rps: 800.0, limit_rps: 12.0, pressure: 0.8 },
            Reason::TooDear { ms_per_s: 9000.0, limit: 500.0, pressure: 0.8 },
            crowd,
            Reason::Blocked { blocks: 1 },
            Reason::Blocked { blocks: 4 },
            Reason::Heedless { strikes: 9 },
            Reason::Pardoned,
            Reason::Seed { threat: 0.9 },
        ];
        let named = |dimension, origin| Subject(dimension, Some(origin)).to_string();
        let country = Country::new(b"DE").unwrap();
        assert_eq!(named(Dimension::Place, Origin::Country(country)), "requests from country DE");
        assert_eq!(named(Dimension::Network, Origin::System(64_500)), "requests from AS64500");
        for reason in reasons {
            let text = reason.to_string();
            assert!(!text.contains('\n') && text.len() > 5 && text.len() < 200, "{text}");
        }
        let would = Action::Challenge(Challenge::Work(14));
        let verdict = Verdict { action: Action::Allow, would, label: Label::Attack, reason: crowd };
        assert_eq!(
            verdict.to_string(),
            "challenge: proof of work of 14 bits (observed only): requests written like this one are 91.00 % of all, \
             0.40 % at most in seven days; evidence 7.2 of 2.0 needed at pressure 1.00"
        );
    }
}
