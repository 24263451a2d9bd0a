//! Statistics that balancers exchange: counted once, whoever repeats them, and refused if no honest sender has them.

use std::time::Duration;

use foresail_route::{ArmStats, Balancer, Error, Feedback, Pick, SharedStatistics, Sight, View};
use proptest::prelude::*;

use crate::kind;

const VIEWS: [View; 3] = [View { in_flight: 2, latency_ms: 0.0, failure_rate: 0.0, weight: 1.0, available: true }; 3];

fn learned() -> Box<dyn Balancer> {
    kind(r#"{"policy":"learned","memory":"1h"}"#).build(0)
}

/// Answers at one moment, so that nothing fades between.
fn teach(balancer: &mut dyn Balancer, answers: &[(u64, Option<f64>)]) {
    balancer.pick(&VIEWS.as_slice(), Pick { random: 1, hash: None });
    for &(key, latency_ms) in answers {
        balancer.observe(&Feedback { key, context: None, client: None, latency_ms, in_flight: 1, at_ms: 1_000 });
    }
}

fn share(balancer: &mut dyn Balancer, sender: u64) -> SharedStatistics {
    balancer.share(sender, &VIEWS.as_slice()).unwrap()
}

fn trials(balancer: &dyn Balancer) -> f64 {
    balancer.arms().iter().map(|arm| arm.trials).sum()
}

proptest! {
    /// Whatever is repeated, comes late or comes back, each answer counts once with everyone.
    #[test]
    fn each_answer_counts_once(
        first in prop::collection::vec((0..3_u64, prop::option::of(1.0..500.0_f64)), 1..40),
        second in prop::collection::vec((0..3_u64, prop::option::of(1.0..500.0_f64)), 1..40),
        repeats in 1..4_usize,
    ) {
        let (mut a, mut b) = (learned(), learned());
        teach(a.as_mut(), &first);
        let early = share(a.as_mut(), 1);
        teach(a.as_mut(), &second);
        teach(b.as_mut(), &second);
        let late = share(a.as_mut(), 1);
        let (one, other) = (first.len() as f64, second.len() as f64);
        for _ in 0..repeats {
            b.merge(late.clone(), Sight::Shared).unwrap();
            prop_assert!(!b.merge(early.clone(), Sight::Shared).unwrap());
            prop_assert!((trials(b.as_ref()) - one - 2.0 * other).abs() < 1e-6);
        }
        // What b tells is its own alone, and a does not take its own words back.
        let back = share(b.as_mut(), 2);
        prop_assert!(a.merge(back, Sight::Own).unwrap());
        prop_assert!(!a.merge(late, Sight::Own).unwrap());
        prop_assert!((trials(a.as_ref()) - one - 2.0 * other).abs() < 1e-6);
    }

    /// Two that have seen it between them know as many answers of each endpoint as one that has seen it all.
    #[test]
    fn two_know_together_as_much_as_one(answers in prop::collection::vec((0..3_u64, 1.0..500.0_f64), 20..120)) {
        let answers: Vec<(u64, Option<f64>)> = answers.into_iter().map(|(key, ms)| (key, Some(ms))).collect();
        let (mut one, mut a, mut b) = (learned(), learned(), learned());
        teach(one.as_mut(), &answers);
        let (left, right) = answers.split_at(answers.len() / 2);
        teach(a.as_mut(), left);
        teach(b.as_mut(), right);
        a.merge(share(b.as_mut(), 2), Sight::Shared).unwrap();
        for (alone, together) in one.arms().iter().zip(a.arms()) {
            prop_assert!((alone.trials - together.trials).abs() < 1e-6);
            let known = |arm: &ArmStats| arm.prediction.map_or(0.0, |prediction| prediction.confidence);
            prop_assert!((known(alone) - known(&together)).abs() < 1e-9, "{:?} {:?}", alone, together);
        }
    }
}

/// What workers of one proxy have learned is one word for another proxy: it counts as many answers as they have seen, up to
/// what one balancer keeps, and the requests in flight, which each of them sees, once.
#[test]
fn a_pool_of_workers_counts_each_answer_and_request_once() {
    let (mut one, mut other, mut far) = (learned(), learned(), learned());
    teach(one.as_mut(), &[(0, Some(10.0)), (1, None)]);
    teach(other.as_mut(), &[(0, Some(30.0)), (2, Some(20.0))]);
    let parts = [share(one.as_mut(), 1), share(other.as_mut(), 2)];
    let pooled = |now_ms: u64| SharedStatistics::pooled(9, now_ms, Duration::from_secs(3600), &parts).unwrap();
    let text = serde_json::to_value(pooled(1_000)).unwrap();
    assert_eq!((&text["sender"], &text["arms"][0]["in_flight"]), (&9.into(), &2.into()));
    assert_eq!(text["arms"].as_array().map(Vec::len), Some(3));
    teach(far.as_mut(), &[]);
    assert_eq!(far.merge(pooled(1_000), Sight::Own), Ok(true));
    assert!((trials(far.as_ref()) - 4.0).abs() < 1e-6);
    assert_eq!(far.merge(pooled(1_000), Sight::Own), Ok(false), "the same word again");

    // Workers that fell silent an hour ago are worth the less.
    let mut late = learned();
    teach(late.as_mut(), &[]);
    late.merge(pooled(3_601_000), Sight::Own).unwrap();
    assert!((trials(late.as_ref()) - 4.0 / std::f64::consts::E).abs() < 1e-6);

    // Many answers are bounded, so that the receiver takes them for honest.
    let many: Vec<(u64, Option<f64>)> = (0..400).map(|n| (n % 3, (n % 7 != 0).then_some(5.0))).collect();
    teach(one.as_mut(), &many);
    teach(other.as_mut(), &many);
    let parts = [share(one.as_mut(), 1), share(other.as_mut(), 2)];
    let pooled = SharedStatistics::pooled(9, 1_000, Duration::from_secs(3600), &parts).unwrap();
    assert_eq!(learned().merge(pooled, Sight::Own), Ok(true));
    assert!(SharedStatistics::pooled(9, 0, Duration::from_secs(1), &[]).is_none());
}

/// An idle worker's last word lies where it left it, and is met again and again: it must not come to life when it has faded.
#[test]
fn a_word_that_has_faded_is_no_news() {
    let short = || kind(r#"{"policy":"learned","memory":"1s"}"#).build(0);
    let (mut idle, mut busy, mut here) = (short(), short(), short());
    teach(idle.as_mut(), &[(0, Some(10.0))]);
    let old = share(idle.as_mut(), 1);
    teach(here.as_mut(), &[]);
    assert_eq!(here.merge(old.clone(), Sight::Shared), Ok(true));
    for at_ms in [60_000, 120_000] {
        let late = Feedback { key: 1, context: None, client: None, latency_ms: Some(5.0), in_flight: 0, at_ms };
        busy.pick(&VIEWS.as_slice(), Pick { random: 1, hash: None });
        busy.observe(&late);
        here.observe(&late);
        assert_eq!(here.merge(share(busy.as_mut(), 2), Sight::Shared), Ok(true));
        assert_eq!(here.merge(old.clone(), Sight::Shared), Ok(false), "at {at_ms}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut a = learned();
    teach(a.as_mut(), &[(0, Some(20.0)), (1, None)]);
    let text = serde_json::to_string(&share(a.as_mut(), 7)).unwrap();
    let offer = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        let changed: SharedStatistics = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        learned().merge(changed, Sight::Own)
    };
    assert_eq!(offer("\"version\":1", "\"version\":9"), Err(Error::OtherVersion { found: 9, read: 1 }));
    for (from, to) in
        [("\"tries\":1.0", "\"tries\":1e9"), ("\"yy\":400.0", "\"yy\":-1.0"), ("\"failures\":1.0", "\"failures\":3.0")]
    {
        assert_eq!(offer(from, to), Err(Error::UnsoundStatistics { sender: 7 }), "{to}");
    }
    assert_eq!(offer("\"sender\":7", "\"sender\":8"), Ok(true));
    let statistics: SharedStatistics = serde_json::from_str(&text).unwrap();
    assert!(kind(r#"{"policy":"peak_ewma"}"#).build(0).merge(statistics.clone(), Sight::Own).is_err());
    assert_eq!(kind(r#"{"policy":"learned"}"#).supervised(0).merge(statistics, Sight::Shared), Ok(true));
}
