//! The learners beside least-request and Peak-EWMA, ten seeds a scenario. `cargo test -p foresail-route -- --nocapture
//! scenarios` prints the table.

use foresail_route::{Acting, BalancerKind, Feedback, Pick, View};

use crate::virtual_fleet::{Nature, Outcome, Scenario, play, run};
use crate::{kind, learners};

const SEEDS: u64 = 10;

/// 50, 100 and 200 ms with eight slots each hold 280 requests a second; offered are 60 %.
fn scenario(name: &'static str, failing: f64, slowing: Option<usize>) -> Scenario {
    let nature = |mean_ms, failing| Nature { mean_ms, slots: 8, failing };
    let fleet = vec![nature(50.0, failing), nature(100.0, 0.0), nature(200.0, 0.0)];
    Scenario { name, fleet, rate_rps: 168.0, slowing }
}

struct Mean {
    mean_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    error_rate: f64,
}

fn measure(kind: &BalancerKind, scenario: &Scenario, seeds: u64) -> Mean {
    let outcomes: Vec<Outcome> = (0..seeds).map(|seed| run(kind, scenario, seed)).collect();
    let mean = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / seeds as f64;
    Mean {
        mean_ms: mean(|o| o.mean_ms),
        p50_ms: mean(|o| o.p50_ms),
        p99_ms: mean(|o| o.p99_ms),
        error_rate: mean(|o| o.error_rate),
    }
}

#[test]
fn repaired_learners_stay_upright_where_the_faithful_fall() {
    for scenario in [
        scenario("uneven", 0.0, None),
        scenario("fast one fails 30 %", 0.3, None),
        scenario("middle one slows tenfold", 0.0, Some(1)),
    ] {
        let least_request = measure(&kind(r#"{"policy":"least_request","choices":64}"#), &scenario, SEEDS);
        let peak_ewma = measure(&kind(r#"{"policy":"peak_ewma"}"#), &scenario, SEEDS);
        println!("{}: ratios to least_request (all looked at), to peak_ewma (two)", scenario.name);
        let print = |name: &str, got: &Mean| {
            println!(
                "  {name:24} mean {:8.1} ms {:6.2} {:6.2}   p99 {:8.1} ms {:6.2} {:6.2}   errors {:5.2} %",
                got.mean_ms,
                got.mean_ms / least_request.mean_ms,
                got.mean_ms / peak_ewma.mean_ms,
                got.p99_ms,
                got.p99_ms / least_request.p99_ms,
                got.p99_ms / peak_ewma.p99_ms,
                got.error_rate * 100.0
            );
        };
        print("least_request", &least_request);
        print("peak_ewma", &peak_ewma);
        print("peak_ewma of five", &measure(&kind(r#"{"policy":"peak_ewma","choices":5}"#), &scenario, SEEDS));
        let measured: Vec<(&str, Mean)> =
            learners().into_iter().map(|(name, kind)| (name, measure(&kind, &scenario, SEEDS))).collect();
        measured.iter().for_each(|(name, mean)| print(name, mean));
        let of = |name: &str| measured.iter().find(|(n, _)| *n == name).map(|(_, mean)| mean).unwrap();
        for policy in ["epsilon_greedy", "thompson", "ucb"] {
            let (faithful, fixed) = (of(&format!("{policy} faithful")), of(&format!("{policy} fixed")));
            if scenario.fleet[0].failing > 0.0 {
                // The faithful forms may win time there by running into the failures, as `thompson` does.
                assert!(fixed.p99_ms < 1.1 * least_request.p99_ms, "{policy}, {}", scenario.name);
                assert!(fixed.error_rate < 1.25 * least_request.error_rate, "{policy}, {}", scenario.name);
            } else {
                assert!(fixed.p99_ms < faithful.p99_ms, "{policy}, {}", scenario.name);
            }
        }
    }
}

/// Ten endpoints of 10 to 120 ms and 4 to 16 slots, and ten alike.
#[test]
fn learned_gains_where_endpoints_differ_and_loses_nothing_where_they_do_not() {
    let nature = |mean_ms, slots| Nature { mean_ms, slots, failing: 0.0 };
    let uneven: Vec<Nature> =
        (0..10).map(|i| nature([10.0, 120.0, 30.0, 60.0, 20.0][i % 5], [4, 16, 8, 4, 16][i * 3 % 5])).collect();
    let even = vec![nature(50.0, 8); 10];
    let policies = [
        ("least_request", r#"{"policy":"least_request","choices":64}"#),
        ("peak_ewma", r#"{"policy":"peak_ewma"}"#),
        ("learned", r#"{"policy":"learned"}"#),
    ];
    for (name, fleet, load, p99, mean) in [
        ("uneven, 60 %", &uneven, 0.6, 0.75, 0.95),
        ("uneven, 80 %", &uneven, 0.8, 0.75, 0.95),
        ("even, 60 %", &even, 0.6, 1.03, 1.03),
        ("even, 80 %", &even, 0.8, 1.03, 1.03),
    ] {
        let capacity: f64 = fleet.iter().map(|n| n.slots as f64 * 1000.0 / n.mean_ms).sum();
        let scenario = Scenario { name, fleet: fleet.clone(), rate_rps: load * capacity, slowing: None };
        let got = policies.map(|(_, text)| measure(&kind(text), &scenario, 3));
        for ((policy, _), got) in policies.iter().zip(&got) {
            let Mean { mean_ms, p50_ms, p99_ms, .. } = got;
            println!("{name:14} {policy:14} mean {mean_ms:7.1} ms   p50 {p50_ms:7.1} ms   p99 {p99_ms:7.1} ms");
        }
        let (peer, learned) = (&got[0], &got[2]);
        assert!(learned.p99_ms < p99 * peer.p99_ms && learned.mean_ms < mean * peer.mean_ms, "{name}");
    }
}

/// Held against least-request, a policy that gains comes to act, and one that herds is stopped.
#[test]
fn a_supervised_policy_acts_only_if_it_gains() {
    let scenario = scenario("uneven", 0.0, None);
    for (text, acting, least, most) in [
        (r#"{"policy":"learned"}"#, Acting::Learner, 0.0, 0.95),
        (r#"{"policy":"epsilon_greedy","mode":"faithful"}"#, Acting::Baseline, 0.9, 3.0),
    ] {
        let mut at_the_end = Vec::new();
        for seed in 0..3 {
            let peer =
                play(kind(r#"{"policy":"least_request","choices":64}"#).build(0).as_mut(), &scenario, seed, 110.0);
            let mut balancer = kind(text).supervised(0);
            let got = play(balancer.as_mut(), &scenario, seed, 110.0);
            let ratio = got.mean_ms / peer.mean_ms;
            let report = balancer.report().unwrap();
            println!("{text}: {:?}, {:?}, mean {ratio:.2} of least_request", report.acting, report.evidence);
            assert_eq!(report.arms.len(), 3);
            at_the_end.push(report.acting);
            assert!(least < ratio && ratio < most, "{text}, seed {seed}: {ratio}");
        }
        // A crowd may have just called one that acts to a new contest.
        let as_said = at_the_end.iter().filter(|at_the_end| **at_the_end == acting).count();
        assert!(as_said >= 2, "{text}: {at_the_end:?}");
    }
}

#[test]
fn a_seed_gives_one_run() {
    let scenario = scenario("uneven", 0.1, Some(2));
    for (name, kind) in learners() {
        let (a, b, c) = (run(&kind, &scenario, 3), run(&kind, &scenario, 3), run(&kind, &scenario, 4));
        assert_eq!(a.picks, b.picks, "{name}");
        assert_eq!(a.mean_ms, b.mean_ms, "{name}");
        assert_ne!(a.picks, c.picks, "{name}");
    }
}

/// What a balancer believes decides what it sees next: a feedback loop. An endpoint of which it was told wrong, by a burst of
/// answers that took seconds or failed, has to be seen again and come back to its share. (`epsilon_greedy`, whose history is five
/// minutes, takes about that long.)
#[test]
fn a_wrong_belief_does_not_confirm_itself() {
    let nature = Nature { mean_ms: 20.0, slots: 2, failing: 0.0 };
    let scenario = Scenario { name: "alike", fleet: vec![nature; 4], rate_rps: 200.0, slowing: None };
    for text in [r#"{"policy":"learned"}"#, r#"{"policy":"thompson"}"#, r#"{"policy":"ucb"}"#] {
        for belief in [Some(2_000.0), None] {
            let mut balancer = kind(text).build(0);
            balancer.pick(&[View::default(); 4].as_slice(), Pick { random: 1, hash: None });
            for _ in 0..100 {
                let wrong =
                    Feedback { key: 0, context: None, client: None, latency_ms: belief, in_flight: 0, at_ms: 0 };
                balancer.observe(&wrong);
            }
            let outcome = play(balancer.as_mut(), &scenario, 1, 300.0);
            let share = outcome.picks[0] as f64 / outcome.picks.iter().sum::<u64>() as f64;
            println!("{text} told {belief:?}: {:.1} % of the picks, a quarter is its share", 100.0 * share);
            assert!(share > 0.15, "{text} {belief:?}: {share}");
        }
    }
}
