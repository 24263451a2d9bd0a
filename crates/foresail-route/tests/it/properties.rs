//! What holds of every learner, whatever it has seen.

use foresail_core::SeededRng;
use foresail_route::{Balancer, Feedback, Pick, SavedBalancer, View};
use proptest::prelude::*;

use crate::learners;

/// One round: who is available, how the pick went, and how much later.
type Round = (u8, Option<f64>, u64, Option<u64>);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let latency = prop::option::of(prop_oneof![0.0..1000.0_f64, Just(f64::NAN), Just(-1.0), Just(1e300)]);
    prop::collection::vec((any::<u8>(), latency, 0..20_000_u64, prop::option::of(0..5_u64)), 1..120)
}

fn views(mask: u8) -> Vec<View> {
    (0..5)
        .map(|i| View { available: mask & (1 << i) != 0, in_flight: u32::from(mask >> 5), ..View::default() })
        .collect()
}

fn play(balancer: &mut dyn Balancer, rounds: &[Round], seed: u64, mut now_ms: u64) -> Vec<Option<usize>> {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut picked = Vec::new();
    for &(mask, latency_ms, later_ms, context) in rounds {
        now_ms += later_ms;
        let views = views(mask);
        let index = balancer.pick(&views.as_slice(), Pick { random: rng.next_u64(), hash: context });
        assert!(index.is_none_or(|i| views[i].available), "out of rotation");
        assert_eq!(index.is_some(), mask & 31 != 0);
        picked.push(index);
        if let Some(index) = index {
            balancer.observe(&Feedback {
                key: index as u64,
                context,
                client: None,
                latency_ms,
                in_flight: views[index].in_flight,
                at_ms: now_ms,
            });
        }
    }
    picked
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nothing out of rotation is picked; shares and propensities sum to one; the floor holds; a seed gives one run; and a
    /// restored balancer goes on exactly as the one that was saved.
    #[test]
    fn learners_keep_their_promises(before in rounds(), after in rounds(), seed in any::<u64>()) {
        for (name, kind) in learners() {
            let mut balancer = kind.build(0);
            let first = play(balancer.as_mut(), &before, seed, 1000);
            let mut twin = kind.build(0);
            prop_assert_eq!(first, play(twin.as_mut(), &before, seed, 1000), "{}", name);

            let arms = balancer.arms();
            prop_assert_eq!(arms.len(), 5);
            if arms[0].share.is_some() {
                let sum: f64 = arms.iter().filter_map(|arm| arm.share).sum();
                prop_assert!((sum - 1.0).abs() < 1e-9, "{}: {}", name, sum);
                prop_assert!(arms.iter().all(|arm| arm.value >= 0.001));
            }
            for arm in arms {
                prop_assert!((0.0..=1.0).contains(&arm.value), "{}: {:?}", name, arm);
                prop_assert!(arm.interval.is_none_or(|(low, high)| low <= arm.value && arm.value <= high));
            }

            let text = serde_json::to_string(&balancer.save().unwrap()).unwrap();
            let mut restored = kind.build(0);
            restored.restore(serde_json::from_str(&text).unwrap()).unwrap();
            let (a, b) = (play(balancer.as_mut(), &after, !seed, 9_000_000), play(restored.as_mut(), &after, !seed, 9_000_000));
            prop_assert_eq!(a, b, "{}", name);
            prop_assert_eq!(balancer.arms(), restored.arms(), "{}", name);
        }
    }
}

/// A propensity is the share of picks that another's randomness would have sent there.
#[test]
fn propensities_are_the_shares_of_picks() {
    let mut rng = SeededRng::seed_from_u64(8);
    for (name, kind) in learners() {
        let mut balancer = kind.build(0);
        let warm: Vec<Round> =
            (0..150).map(|i| (31, (i % 7 != 0).then(|| rng.uniform() * 200.0), 10, Some(i % 3))).collect();
        play(balancer.as_mut(), &warm, 4, 0);
        let mut views = views(0b01111);
        views[1].in_flight = 2;
        views[2].in_flight = 1;
        let mut counts = [0_u32; 5];
        for _ in 0..20_000 {
            let pick = Pick { random: rng.next_u64(), hash: Some(1) };
            counts[balancer.pick(&views.as_slice(), pick).unwrap()] += 1;
        }
        let pick = Pick { random: 0, hash: Some(1) };
        let mut sum = 0.0;
        for (index, count) in counts.iter().enumerate() {
            let told = balancer.propensity(&views.as_slice(), pick, index).unwrap_or(0.0);
            let share = f64::from(*count) / 20_000.0;
            assert!((told - share).abs() < 0.02, "{name} {index}: {told} {share}");
            sum += told;
        }
        assert!((sum - 1.0).abs() < 0.02, "{name}: {sum}");
    }
}

#[test]
fn foreign_state_is_refused() {
    let saved: Vec<SavedBalancer> = learners().iter().map(|(_, kind)| kind.build(0).save().unwrap()).collect();
    let mut thompson = learners()[2].1.build(0);
    assert!(thompson.restore(saved[3].clone()).is_ok());
    assert!(thompson.restore(saved[0].clone()).is_err());
    let text = serde_json::to_string(&saved[3]).unwrap().replace("\"version\":2", "\"version\":1");
    let error = thompson.restore(serde_json::from_str(&text).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "learned state is of version 1, version 2 is read");
    assert!(
        serde_json::from_str::<SavedBalancer>(
            r#"{"version":2,"state":{"thompson":{"arms":[[1,[-2.0,1.0]]],"forgetting":{}}}}"#
        )
        .is_err()
    );
}
