//! What configurations of balancers promise.

use foresail_core::SeededRng;
use proptest::prelude::*;

use super::*;
use crate::{Pick, View};

fn kinds() -> Vec<BalancerKind> {
    vec![
        BalancerKind::RoundRobin {},
        BalancerKind::Random {},
        BalancerKind::LeastRequest { choices: 2 },
        BalancerKind::default(),
        read(r#"{"policy":"learned"}"#),
        BalancerKind::PeakEwma { choices: 64, decay: ten_seconds(), failure_cost: one_second() },
        BalancerKind::RingHash { points: 160, bounded_load: 1.25, key: HashKey::Path },
        read(r#"{"policy":"epsilon_greedy"}"#),
        read(r#"{"policy":"epsilon_greedy","mode":"faithful"}"#),
        read(r#"{"policy":"thompson"}"#),
        read(r#"{"policy":"thompson","mode":"faithful"}"#),
        read(r#"{"policy":"ucb"}"#),
        read(r#"{"policy":"ucb","mode":"faithful"}"#),
        read(r#"{"policy":"contextual","key":"path"}"#),
    ]
}

fn read(text: &str) -> BalancerKind {
    serde_json::from_str(text).unwrap()
}

#[test]
fn learners_check_their_ranges() {
    for kind in kinds() {
        assert_eq!(serde_json::to_value(&kind).unwrap()["policy"], kind.name());
        assert!(kind.check().is_ok(), "{kind:?}");
    }
    for text in [
        r#"{"policy":"learned","choices":4}"#,
        r#"{"policy":"learned","failure_cost":"2m"}"#,
        r#"{"policy":"epsilon_greedy","epsilon":1.5}"#,
        r#"{"policy":"epsilon_greedy","alpha":0.0}"#,
        r#"{"policy":"epsilon_greedy","history":1}"#,
        r#"{"policy":"epsilon_greedy","window":"2h"}"#,
        r#"{"policy":"thompson","threshold":"0s"}"#,
        r#"{"policy":"thompson","memory":"1ms"}"#,
        r#"{"policy":"thompson","choices":65}"#,
        r#"{"policy":"ucb","exploration":-1.0}"#,
        r#"{"policy":"contextual","key":{"header":""}}"#,
        r#"{"policy":"contextual","key":"path","contexts":0}"#,
        r#"{"policy":"contextual","key":"path","pooling":-1.0}"#,
    ] {
        assert!(read(text).check().is_err(), "{text}");
    }
    assert!(serde_json::from_str::<BalancerKind>(r#"{"policy":"thompson","epsilon":0.1}"#).is_err());
    assert_eq!(read(r#"{"policy":"contextual","key":"path"}"#).hash_key(), Some(&HashKey::Path));
}

#[test]
fn kinds_are_read_with_their_defaults_and_checked() {
    let kind: BalancerKind = serde_json::from_str(r#"{"policy":"learned"}"#).unwrap();
    assert_eq!(kind, BalancerKind::default());
    let ring: BalancerKind = serde_json::from_str(r#"{"policy":"ring_hash","key":{"header":"x-user"}}"#).unwrap();
    assert!(ring.check().is_ok());
    assert!(serde_json::from_str::<BalancerKind>(r#"{"policy":"random","choices":2}"#).is_err());
    assert!(BalancerKind::LeastRequest { choices: 0 }.check().is_err());
    let text = serde_json::to_string(&kind).unwrap();
    assert_eq!(serde_json::from_str::<BalancerKind>(&text).unwrap(), kind);
}

/// Twice the weight gets about twice the traffic where requests take equally long.
#[test]
fn weights_share_the_traffic() {
    for kind in [BalancerKind::RoundRobin {}, BalancerKind::Random {}] {
        let mut balancer = kind.build(0);
        let mut rng = SeededRng::seed_from_u64(3);
        let views = [View { weight: 2.0, ..View::default() }, View::default()];
        let first = (0..3000)
            .filter(|_| balancer.pick(&views.as_slice(), Pick { random: rng.next_u64(), hash: None }) == Some(0))
            .count();
        assert!((1900..2100).contains(&first), "{kind:?}: {first}");
    }
}

proptest! {
    /// Whatever is picked is available, and something is picked as long as something is.
    #[test]
    fn picks_the_available(
        endpoints in proptest::collection::vec((0..9_u32, 0.0..50.0_f64, 0.0..=1.0_f64, 0.1..3.0_f64, any::<bool>()), 0..90),
        randoms in proptest::collection::vec(any::<u64>(), 1..20),
    ) {
        let views: Vec<View> = endpoints
            .iter()
            .map(|&(in_flight, latency_ms, failure_rate, weight, available)| {
                View { in_flight, latency_ms, failure_rate, weight, available }
            })
            .collect();
        let any = views.iter().any(|v| v.available);
        for kind in kinds() {
            let mut balancer = kind.build(1);
            for &random in &randoms {
                let picked = balancer.pick(&views.as_slice(), Pick { random, hash: Some(random) });
                prop_assert_eq!(picked.is_some(), any, "{:?}", kind);
                prop_assert!(picked.is_none_or(|i| views[i].available));
            }
        }
    }
}

#[test]
fn a_learner_contests_unless_told_otherwise() {
    assert!(read(r#"{"policy":"learned"}"#).supervised(0).report().is_some());
    assert!(read(r#"{"policy":"learned","contest":false}"#).supervised(0).report().is_none());
}
