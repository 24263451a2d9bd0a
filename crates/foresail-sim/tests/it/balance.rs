//! The balancers beside the oracles, on a little of what `examples/balance_regret` plays.

use foresail_sim::balance::{Attack, BAD, Deed, Oracle, Outcome, Policy, Scenario, Story, even, mixed, run, ten};

fn play(policy: &Policy, scenario: &Scenario) -> Outcome {
    run(policy, scenario, 2)
}

#[test]
fn learned_is_near_the_oracle_and_ahead_of_the_peers() {
    for (fleet, story) in [(mixed(), Story::Steady), (ten(), Story::Slow), (mixed(), Story::TwoProxies)] {
        let scenario = Scenario { seconds: 10.0, warm_up: 3.0, ..Scenario::new(fleet, story, 0.7) };
        let learned = play(&Policy::Learned, &scenario);
        let oracle = play(&Policy::Oracle(Oracle::Marginal), &scenario);
        assert!(learned.mean_ms() < 1.35 * oracle.mean_ms(), "{story:?}: {}", learned.mean_ms() / oracle.mean_ms());
        for peer in [Policy::LeastRequest, Policy::Random2, Policy::PeakEwma] {
            let peer = play(&peer, &scenario);
            assert!(learned.mean_ms() < peer.mean_ms() && learned.quantile_ms(0.99) < 0.75 * peer.quantile_ms(0.99));
        }
    }
}

#[test]
fn learned_loses_nothing_where_all_are_alike() {
    let scenario = Scenario { seconds: 6.0, warm_up: 2.0, ..Scenario::new(even(), Story::Steady, 0.8) };
    let (learned, peer) = (play(&Policy::Learned, &scenario), play(&Policy::LeastRequest, &scenario));
    let ratio = learned.quantile_ms(0.99) / peer.quantile_ms(0.99);
    assert!(ratio < 1.03, "{ratio}");
}

#[test]
fn what_is_lost_is_left_alone() {
    for story in [Story::Failing, Story::Frozen, Story::Crash] {
        let scenario = Scenario { seconds: 8.0, warm_up: 2.0, ..Scenario::new(ten(), story, 0.5) };
        let outcome = play(&Policy::Learned, &scenario);
        assert!(outcome.error_rate() < 0.01, "{story:?}: {}", outcome.error_rate());
        if story == Story::Frozen {
            assert!(outcome.late_share_of_bad() < 0.01, "{}", outcome.late_share_of_bad());
        }
    }
}

#[test]
fn a_seed_gives_one_run() {
    for story in Story::ALL {
        let scenario = Scenario { seconds: 2.0, warm_up: 0.0, ..Scenario::new(mixed(), story, 0.6) };
        for policy in [Policy::Learned, Policy::Prequal, Policy::Oracle(Oracle::Improved)] {
            let (a, b) = (run(&policy, &scenario, 5), run(&policy, &scenario, 5));
            assert_eq!(a, b, "{story:?}, {}", policy.name());
            assert!(a.mean_ms() > 0.0 && a.picks.iter().sum::<u64>() > 1_000);
        }
    }
}

/// The whole of it, over ten seeds and four fleets, is `examples/exchange_gain`.
#[test]
fn two_proxies_that_exchange_are_nearly_as_one() {
    let one = Scenario { seconds: 12.0, warm_up: 3.0, ..Scenario::new(ten(), Story::Steady, 0.6) };
    let two = Scenario { story: Story::TwoProxies, exchange_ms: 100.0, ..one.clone() };
    let (one, two) = (play(&Policy::Learned, &one), play(&Policy::Learned, &two));
    let (mean, p99) = (two.mean_ms() / one.mean_ms(), two.quantile_ms(0.99) / one.quantile_ms(0.99));
    assert!(mean < 1.06 && p99 < 1.06, "{mean} {p99}");
}

/// The whole of it is `examples/attack_on_learning`.
#[test]
fn a_hundredth_of_the_clients_does_little_harm_to_the_others() {
    for deed in [Deed::Slow, Deed::Fail] {
        let calm = Scenario { seconds: 12.0, warm_up: 3.0, ..Scenario::new(ten(), Story::Steady, 0.6) };
        let attack = Attack { share: 0.01, target: BAD, deed, identities: 10 };
        let attacked = Scenario { attack: Some(attack), ..calm.clone() };
        let (calm, attacked) = (play(&Policy::Learned, &calm), play(&Policy::Learned, &attacked));
        let ratio = attacked.quantile_ms(0.99) / calm.quantile_ms(0.99);
        assert!(ratio < 1.08, "{deed:?}: {ratio}");
    }
}
