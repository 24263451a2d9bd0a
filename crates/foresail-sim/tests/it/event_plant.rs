//! What holds in every run of the event-driven plant.

use std::time::Duration;

use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Reason, Replicas, Timestamp};
use foresail_scale::{Scenario, Service};
use foresail_sim::event::{
    Arrivals, Dispatch, EventOptions, Fate, Metrics, Retries, ServiceTime, Settled, Startup, WarmUp, Watch, run,
    run_watched,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Orders from a list, one a tick; the last stands.
struct Script(Vec<u32>, usize);

impl Policy for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn decide(&mut self, _: &Observation) -> Decision {
        let desired = Replicas(self.0[self.1.min(self.0.len() - 1)]);
        self.1 += 1;
        Decision { desired, reason: Reason::new(Driver::Manual) }
    }
}

fn script(orders: &[u32]) -> Script {
    Script(orders.to_vec(), 0)
}

#[derive(Default)]
struct Seen {
    ends: Vec<Settled>,
    rates: Vec<Option<f64>>,
}

impl Watch for Seen {
    fn decided(&mut self, observation: &Observation, _: &Decision) {
        self.rates.push(observation.value(Metric::RequestRate));
    }

    fn settled(&mut self, settled: &Settled) {
        self.ends.push(*settled);
    }
}

fn scenario(load: Vec<f64>, startup_s: u64) -> Scenario {
    Scenario {
        start: Timestamp::from_secs(1_000),
        tick: Duration::from_secs(5),
        load,
        evaluate_from: 0,
        service: Service::request(50.0, Duration::from_secs(startup_s)).expect("valid"),
        limits: Limits { min: Replicas(0), max: Replicas(20) },
    }
}

fn any_options() -> impl Strategy<Value = EventOptions> {
    let arrivals = prop_oneof![Just(Arrivals::Poisson), Just(Arrivals::Even), Just(Arrivals::Bursty { gap_cv2: 5.0 })];
    let service_time = prop_oneof![
        Just(ServiceTime::Exponential),
        Just(ServiceTime::LogNormal { cv: 1.5 }),
        Just(ServiceTime::Deterministic)
    ];
    let dispatch = prop_oneof![Just(Dispatch::SharedQueue), Just(Dispatch::Random), Just(Dispatch::LeastLoaded)];
    let retries = prop_oneof![Just(None), Just(Some(0.1)), Just(Some(f64::MAX))].prop_map(|budget| {
        budget.map(|budget| Retries {
            max_attempts: 3,
            backoff: Duration::from_millis(300),
            budget: (budget < f64::MAX).then_some(budget),
        })
    });
    let slow = prop_oneof![
        Just((None, Startup::AsService, 0.0)),
        Just((
            Some(WarmUp { duration: Duration::from_secs(10), speed: 0.5 }),
            Startup::LogNormal { median: Duration::from_secs(5), p90: Duration::from_secs(20) },
            0.2
        ))
    ];
    (arrivals, service_time, dispatch, prop_oneof![Just(None), Just(Some(40))], any::<bool>(), retries, slow).prop_map(
        |(
            arrivals,
            service_time,
            dispatch,
            queue_limit,
            serve_abandoned,
            retries,
            (warm_up, startup, failed_starts),
        )| {
            EventOptions {
                arrivals,
                service_time,
                dispatch,
                queue_limit,
                serve_abandoned,
                retries,
                startup,
                warm_up,
                failed_starts,
                metrics: Metrics { lag: Duration::from_secs(3), gap_share: 0.2, gap_ticks: 2.0 },
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nobody is lost, nobody is counted twice, nobody is served before arriving.
    #[test]
    fn requests_are_conserved(
        options in any_options(),
        load in vec(0.0..600.0_f64, 2..12),
        orders in vec(0..12_u32, 12),
        seed in any::<u64>(),
    ) {
        let mut seen = Seen::default();
        let outcome = run_watched(&scenario(load, 5), &options, &mut script(&orders), seed, &mut seen).unwrap();
        let totals = outcome.totals;
        prop_assert_eq!(totals.attempts, totals.served + totals.timed_out + totals.rejected + totals.in_system);
        prop_assert_eq!(totals.attempts, outcome.attempts.iter().sum::<u64>());
        prop_assert_eq!(totals.attempts - totals.retries, outcome.run.requests.iter().sum::<f64>() as u64);
        let ends = |fate: Fate| seen.ends.iter().filter(|end| end.fate == fate).count() as u64;
        prop_assert_eq!(
            (ends(Fate::Started), ends(Fate::TimedOut), ends(Fate::Rejected)),
            (totals.started, totals.timed_out, totals.rejected)
        );
        prop_assert!(seen.ends.iter().all(|end| end.arrived <= end.time));
        // A worker is never asked to take someone whose patience is over.
        let patience = Duration::from_secs(10);
        prop_assert!(seen.ends.iter().all(|end| end.time.since(end.arrived) <= patience));
        for (late, requests) in outcome.run.late.iter().zip(&outcome.run.requests) {
            prop_assert!(0.0 <= *late && late <= requests);
        }
        prop_assert!(outcome.run.ready.iter().zip(&outcome.run.paid).all(|(ready, paid)| ready <= paid));
        prop_assert_eq!(&outcome.run.paid, &outcome.run.desired);
    }

    /// First come, first served, through the shared queue, however the replicas come and go.
    #[test]
    fn the_shared_queue_keeps_order(
        options in any_options(),
        load in vec(0.0..600.0_f64, 2..12),
        orders in vec(0..12_u32, 12),
        seed in any::<u64>(),
    ) {
        let options = EventOptions { dispatch: Dispatch::SharedQueue, ..options };
        let mut seen = Seen::default();
        run_watched(&scenario(load, 5), &options, &mut script(&orders), seed, &mut seen).unwrap();
        seen.ends.retain(|end| end.fate == Fate::Started);
        prop_assert!(seen.ends.is_sorted_by_key(|end| end.arrived));
    }

    /// A seed gives one run, and the same arrivals whatever the policy does.
    #[test]
    fn a_seed_gives_one_run(options in any_options(), load in vec(0.0..300.0_f64, 2..8), seed in any::<u64>()) {
        let scenario = scenario(load, 5);
        let run = |orders: &[u32]| run(&scenario, &options, &mut script(orders), seed).unwrap();
        let (first, again, other) = (run(&[3, 6]), run(&[3, 6]), run(&[9]));
        prop_assert_eq!((&first.run.late, &first.run.ready, first.totals), (&again.run.late, &again.run.ready, again.totals));
        prop_assert_eq!(first.run.requests, other.run.requests);
    }

    /// Orders are carried out after the start-up delay, to the replica.
    #[test]
    fn orders_are_honoured_after_the_start_up_delay(orders in vec(0..12_u32, 2..30), seed in any::<u64>()) {
        let outcome =
            run(&scenario(vec![20.0; orders.len()], 10), &EventOptions::default(), &mut script(&orders), seed).unwrap();
        for tick in 2..orders.len() {
            // What was wanted throughout the last two ticks, ten seconds, is there.
            let least = orders[tick - 2..=tick].iter().min().copied().unwrap_or(0);
            prop_assert!(outcome.run.ready[tick] >= least && outcome.run.ready[tick] <= orders[tick]);
        }
    }
}

#[test]
fn failed_starts_are_begun_anew_until_they_succeed() {
    let options = EventOptions { failed_starts: 0.5, ..EventOptions::default() };
    let outcome = run(&scenario(vec![10.0; 60], 5), &options, &mut script(&[1, 20]), 3).unwrap();
    assert!(outcome.totals.failed_starts > 5);
    assert_eq!(outcome.run.ready.last(), Some(&20));
    assert_eq!(outcome.run.paid[1..], [20; 59]); // a failing start is paid for too
}

#[test]
fn lost_samples_leave_the_policy_without_any() {
    let metrics = Metrics { lag: Duration::from_secs(5), gap_share: 0.3, gap_ticks: 3.0 };
    let mut seen = Seen::default();
    let options = EventOptions { metrics, arrivals: Arrivals::Even, ..EventOptions::default() };
    let load: Vec<f64> = (0..200).map(f64::from).collect();
    run_watched(&scenario(load, 5), &options, &mut script(&[10]), 5, &mut seen).unwrap();
    assert_eq!(seen.rates[..2], [None, None]); // nothing is old enough yet
    let silent = seen.rates[2..].iter().filter(|rate| rate.is_none()).count();
    assert!((30..90).contains(&silent), "{silent}");
    for (tick, rate) in seen.rates.iter().enumerate().filter_map(|(tick, rate)| rate.map(|rate| (tick, rate))) {
        // One tick old at the decision after it: what arrived two ticks ago.
        assert!((rate - (tick as f64 - 2.0)).abs() <= 0.2 + 1e-9, "{tick} {rate}");
    }
}

#[test]
fn a_cold_replica_serves_at_its_share_of_the_speed() {
    let warm_up = Some(WarmUp { duration: Duration::from_secs(60), speed: 0.5 });
    let options = EventOptions {
        warm_up,
        service_time: ServiceTime::Deterministic,
        arrivals: Arrivals::Even,
        ..EventOptions::default()
    };
    // Ten replicas hold 500 a second warm and 250 cold; the load is 350. They serve from tick 1 to the end of tick 12 cold.
    let mut plant = scenario(vec![350.0; 40], 5);
    plant.load[0] = 0.0;
    let outcome = run(&plant, &options, &mut script(&[10]), 1).unwrap();
    assert!(outcome.run.late[5..10].iter().all(|late| *late > 1_700.0), "{:?}", outcome.run.late);
    assert!(outcome.run.late[25..].iter().all(|late| *late == 0.0), "{:?}", outcome.run.late);
}

/// The overload lasts a minute. Without retries the service recovers from it; with them, and with replicas that work for
/// clients who have left, it never does, though the load before and after is the same.
#[test]
fn retries_without_a_budget_keep_an_overload_alive() {
    let mut load = vec![400.0; 72];
    load[12..24].fill(1_000.0);
    let late_at_the_end = |options: EventOptions| {
        let run = run(&scenario(load.clone(), 5), &options, &mut script(&[10]), 11).unwrap().run;
        run.late[60..].iter().sum::<f64>() / run.requests[60..].iter().sum::<f64>()
    };
    let metastable = EventOptions::metastable();
    assert!(late_at_the_end(metastable.clone()) > 0.95);
    assert!(late_at_the_end(EventOptions::default()) < 0.001);
    let budget = metastable.retries.map(|retries| Retries { budget: Some(0.1), ..retries });
    let with_budget = EventOptions { retries: budget, serve_abandoned: false, ..metastable };
    assert!(late_at_the_end(with_budget) < 0.001);
}

#[test]
fn the_realistic_preset_runs_and_is_later_than_the_plain_one() {
    let load: Vec<f64> = (0..120).map(|tick| 200.0 + 3.0 * f64::from(tick)).collect();
    let scenario = scenario(load, 30);
    let orders: Vec<u32> = (0..120).map(|tick| 7 + tick / 12).collect();
    let plain = run(&scenario, &EventOptions::default(), &mut script(&orders), 2).unwrap();
    let real = run(&scenario, &EventOptions::realistic(&scenario.service), &mut script(&orders), 2).unwrap();
    assert!(real.run.late_share() > plain.run.late_share());
}

#[test]
fn what_would_never_end_is_refused() {
    let refused =
        |scenario: &Scenario| run(scenario, &EventOptions::default(), &mut script(&[1]), 1).map(|_| ()).unwrap_err();
    let message = refused(&scenario(vec![1e12; 3], 5)).to_string();
    assert_eq!(message, "load is 15000000000000, accepted is at most 1e10 requests in all");
    let mut vast = scenario(vec![1.0; 3], 5);
    vast.limits.max = Replicas(u32::MAX);
    assert_eq!(refused(&vast).to_string(), "limits.max is 4294967295, accepted is at most 1000000 replicas");
}
