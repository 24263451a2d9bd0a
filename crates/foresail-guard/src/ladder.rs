//! From what there is to hold against a request to what is done about it, a rung at a time.

use crate::config::GuardConfig;
use crate::geo::Location;
use crate::request::Kind;
use crate::verdict::{Action, Challenge, Label};

/// Refusals after which a client that goes on is blocked.
pub(crate) const HEEDLESS: u8 = 12;

/// Evidence that each refusal adds against what follows, up to those.
pub(crate) const RECORD: f32 = 0.5;

/// What there is to hold against a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// That it belongs to what there is too much of, and how much evidence it takes.
    pub(crate) evidence: f32,
    pub(crate) needed: f32,
    /// How fast its client is and may be.
    pub(crate) rps: f32,
    pub(crate) limit_rps: f32,
    pub(crate) cost: f32,
    pub(crate) limit_cost: f32,
    pub(crate) blocked_s: f32,
    pub(crate) strikes: u8,
    pub(crate) is_shared: bool,
    /// Where the client is, to say so.
    pub(crate) location: Location,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            evidence: f32::NEG_INFINITY,
            needed: 0.0,
            rps: 0.0,
            limit_rps: 1.0,
            cost: 0.0,
            limit_cost: f32::INFINITY,
            blocked_s: 0.0,
            strikes: 0,
            is_shared: false,
            location: Location::default(),
        }
    }
}

/// What speaks most against a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    Nothing,
    Crowd,
    Speed,
    Cost,
    Heedlessness,
}

impl Case {
    pub(crate) fn is_crowd(&self) -> bool {
        self.evidence > self.needed
    }

    /// Whether the client has gone on for so long that it no longer matters what its next request looks like.
    pub(crate) fn is_heedless(&self) -> bool {
        self.strikes >= HEEDLESS
    }

    pub(crate) fn is_against(&self) -> bool {
        self.is_crowd() || self.rps > self.limit_rps || self.cost > self.limit_cost || self.is_heedless()
    }

    /// How far up the ladder it reaches: units of evidence above what is needed; twice over a limit is two.
    pub(crate) fn severity(&self) -> f32 {
        let over =
            |value: f32, limit: f32| if value > limit { 1.0 + 1.5 * (value / limit).ln() } else { f32::NEG_INFINITY };
        let heedless = if self.is_heedless() { 3.0 } else { f32::NEG_INFINITY };
        let over = over(self.rps, self.limit_rps).max(over(self.cost, self.limit_cost));
        (self.evidence - self.needed).max(over).max(heedless)
    }

    pub(crate) fn foremost(&self) -> Against {
        if self.rps > self.limit_rps {
            Against::Speed
        } else if self.is_crowd() {
            Against::Crowd
        } else if self.cost > self.limit_cost {
            Against::Cost
        } else if self.is_heedless() {
            Against::Heedlessness
        } else {
            Against::Nothing
        }
    }

    /// What the request is taken for: without pressure nothing is an attack; with `least` evidence it is no part of what is
    /// usual.
    pub(crate) fn label(&self, is_engaged: bool, least: f32) -> Label {
        if is_engaged
            && (self.is_crowd()
                || self.is_heedless()
                || self.rps > 2.0 * self.limit_rps
                || self.cost > 2.0 * self.limit_cost)
        {
            Label::Attack
        } else if self.evidence > least || self.is_against() {
            Label::Suspect
        } else {
            Label::Benign
        }
    }
}

/// The answer to a request that is not let through: what a program can do is wait, what a browser can do is prove itself.
pub(crate) fn refuse(kind: Kind, is_gentle: bool, case: &Case, config: &GuardConfig) -> Action {
    if kind != Kind::Navigation || is_gentle {
        let retry_after_s = if case.severity() < 1.0 { 5 } else { 10 };
        return Action::Throttle { retry_after_s };
    }
    if case.strikes >= HEEDLESS && config.captcha.is_some() {
        return Action::Challenge(Challenge::Captcha);
    }
    let rung = case.severity().max(0.0) as u8 / 2 + case.strikes / 3;
    Action::Challenge(match rung {
        0 | 1 => Challenge::Script,
        _ => Challenge::Work(config.work_bits + (rung - 2).min(6)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn crowd(evidence: f32, strikes: u8) -> Case {
        Case { evidence, needed: 2.0, strikes, ..Case::default() }
    }

    #[test]
    fn the_ladder_goes_up_with_evidence_and_with_strikes() {
        let config = GuardConfig::default();
        let check = |case: Case, kind, expected: &str| {
            assert_eq!(refuse(kind, false, &case, &config).to_string(), expected);
        };
        check(crowd(3.0, 0), Kind::Navigation, "challenge: run a script");
        check(crowd(7.0, 0), Kind::Navigation, "challenge: proof of work of 14 bits");
        check(crowd(7.0, 9), Kind::Navigation, "challenge: proof of work of 17 bits");
        check(crowd(20.0, 30), Kind::Navigation, "challenge: proof of work of 20 bits");
        check(crowd(7.0, 0), Kind::Api, "throttle, again in 10 s");
        check(crowd(2.5, 0), Kind::Asset, "throttle, again in 5 s");
        let gentle = refuse(Kind::Navigation, true, &crowd(9.0, 99), &config);
        assert!(matches!(gentle, Action::Throttle { .. }));
        let captcha = Some(crate::config::Captcha { url: "https://a".into(), secret: "0123456789abcdef".into() });
        let hooked = refuse(Kind::Navigation, false, &crowd(9.0, 12), &GuardConfig { captcha, ..config });
        assert_eq!(hooked, Action::Challenge(Challenge::Captcha));
    }

    #[test]
    fn what_is_held_against_it_is_named() {
        assert_eq!(Case::default().foremost(), Against::Nothing);
        assert_eq!(crowd(3.0, 0).foremost(), Against::Crowd);
        let fast = Case { rps: 9.0, limit_rps: 3.0, ..crowd(3.0, 0) };
        assert_eq!(fast.foremost(), Against::Speed);
        assert_eq!(Case { cost: 9.0, limit_cost: 3.0, ..Case::default() }.foremost(), Against::Cost);
        assert_eq!((fast.label(true, 2.0), fast.label(false, 2.0)), (Label::Attack, Label::Suspect));
        assert_eq!(Case::default().label(true, 2.0), Label::Benign);
    }

    proptest! {
        /// More evidence and more strikes never lead to an easier challenge.
        #[test]
        fn the_ladder_only_goes_up(evidence in 0.0..30.0_f32, more in 0.0..10.0_f32, strikes in 0..60_u8, further in 0..60_u8) {
            let config = GuardConfig::default();
            let of = |evidence, strikes| match refuse(Kind::Navigation, false, &crowd(evidence, strikes), &config) {
                Action::Challenge(challenge) => challenge,
                other => panic!("{other}"),
            };
            prop_assert!(of(evidence, strikes) <= of(evidence + more, strikes + further));
        }
    }
}
