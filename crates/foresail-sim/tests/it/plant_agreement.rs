//! The two plants agree on late requests (acceptance 7). The exact counterpart, without the noise of sampling, is among
//! the fluid plant's own tests; the whole table is the example `plant_agreement`.

use std::time::Duration;

use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Reason, Replicas, Timestamp};
use foresail_scale::{Scenario, Service};
use foresail_sim::event::agreement::{compare, compare_plants};

/// Replicas for the load measured last, at a target utilisation.
struct Track {
    target: f64,
}

impl Policy for Track {
    fn name(&self) -> &str {
        "track"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let need = observation.value(Metric::RequestRate).map(|rate| Replicas::holding(rate / 100.0 / self.target));
        Decision { desired: need.unwrap_or(observation.replicas.desired), reason: Reason::new(Driver::Reactive) }
    }
}

fn scenario(service: Service, load: Vec<f64>, limits: (u32, u32)) -> Scenario {
    let limits = Limits { min: Replicas(limits.0), max: Replicas(limits.1) };
    Scenario { start: Timestamp::EPOCH, tick: Duration::from_secs(15), load, evaluate_from: 0, service, limits }
}

#[test]
fn late_requests_agree_at_loads_on_either_side_of_capacity() {
    let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
    for (replicas, ticks, seeds) in [(5, 60, 6), (10, 40, 4), (50, 10, 2)] {
        let seeds: Vec<u64> = (1..=seeds).collect();
        for load in [0.6, 0.8, 0.95, 1.05, 1.2] {
            let rate = load * 100.0 * f64::from(replicas);
            let constant = scenario(service, vec![rate; ticks], (replicas, replicas));
            let found = compare(&constant, || Track { target: 1.0 }, &seeds).unwrap();
            assert!(found.holds(0.1, 0.0005, 3.0), "{replicas} replicas, load {load}: {found:?}");
        }
    }
}

#[test]
fn late_requests_agree_when_a_policy_scales() {
    let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
    let day = |tick: u32| 800.0 * (0.6 - 0.4 * (std::f64::consts::TAU * f64::from(tick) / 120.0).cos());
    let days = scenario(service, (0..240).map(day).collect(), (1, 50));
    let found = compare_plants(&days, &mut Track { target: 0.8 }, &[1, 2, 3, 4]).unwrap();
    assert!(found.event > 0.001 && found.holds(0.1, 0.0005, 3.0), "{found:?}");
}

#[test]
fn late_events_of_a_queue_agree() {
    let service = Service::queue(10.0, Duration::from_secs(60), Duration::from_secs(60)).unwrap();
    let seeds: Vec<u64> = (1..=10).collect();
    for load in [0.8, 1.0, 1.05, 1.2] {
        let constant = scenario(service, vec![load * 50.0; 240], (5, 5));
        let found = compare(&constant, || Track { target: 1.0 }, &seeds).unwrap();
        assert!(found.holds(0.1, 0.0005, 3.0), "load {load}: {found:?}");
    }
}

/// The event-driven plant with its default options is an M/M/c queue: Erlang's C formula gives its late share.
#[test]
fn the_event_plant_is_the_queue_it_claims_to_be() {
    let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
    let expected = service.late_share(80.0, Replicas(1), 0.2);
    let constant = scenario(service, vec![80.0; 400], (1, 1));
    let found = compare(&constant, || Track { target: 1.0 }, &(1..=10).collect::<Vec<u64>>()).unwrap();
    assert!(
        (found.event - expected).abs() < 3.0 * found.event_error && found.event_error < 0.001,
        "{expected} {found:?}"
    );
}
