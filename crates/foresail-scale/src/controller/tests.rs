//! Scenarios in virtual time: toy policies on a fluid plant that carries out what it is ordered.

use std::time::Duration;

use foresail_core::{Direction, Driver, Event, Limits, Metric, Quality, Reason, ReplicaCounts, Sample};
use proptest::prelude::*;

use super::*;
use crate::planner::Guardrails;
use crate::plant::FluidPlant;
use crate::policies::{PolicyOptions, build};
use crate::reactive::MetricSpec;
use crate::service::Service;

const TICK: Duration = Duration::from_secs(15);
const LIMITS: Limits = Limits { min: Replicas(1), max: Replicas(100) };

/// Wants what its function says of the load.
struct Toy(&'static str, fn(f64, Timestamp) -> u32);

impl Policy for Toy {
    fn name(&self) -> &str {
        self.0
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let load = observation.value(Metric::RequestRate).unwrap_or(0.0);
        Decision { desired: Replicas((self.1)(load, observation.time)), reason: Reason::new(Driver::Predicted) }
    }
}

fn service() -> Service {
    Service::request(100.0, Duration::from_secs(60)).expect("valid")
}

fn options(mode: Mode) -> ControllerOptions {
    let metrics = vec![MetricSpec { metric: Metric::RequestRate, capacity_per_replica: 100.0, target: 0.9 }];
    ControllerOptions { mode, ..ControllerOptions::new(service(), metrics, Guardrails::new(LIMITS)) }
}

fn controller(options: ControllerOptions, champion: fn(f64, Timestamp) -> u32) -> Controller {
    let baseline = build("hpa@0.7", &service(), &PolicyOptions::new(LIMITS)).expect("listed");
    Controller::new(options, Box::new(Toy("toy", champion)), baseline).expect("valid")
}

/// A target, its load and the loop around it.
struct World {
    plant: FluidPlant,
    now: Timestamp,
    load: Option<f64>,
    journal: Vec<Entry>,
    alerts: Vec<Alert>,
    ended: Vec<&'static str>,
    orders: Vec<Order>,
}

impl World {
    fn new(replicas: u32) -> Self {
        let plant = FluidPlant::new(service(), Replicas(replicas));
        let (journal, alerts, ended, orders) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { plant, now: Timestamp::from_secs(1_000_000), load: Some(0.0), journal, alerts, ended, orders }
    }

    /// `ticks` ticks under the load, `None` for a silent source; what was decided last.
    fn run(&mut self, controller: &mut Controller, ticks: usize, load: impl Into<Option<f64>>) -> Decision {
        self.load = load.into();
        let mut last = None;
        for _ in 0..ticks {
            let outcome = self.plant.tick(self.now, TICK.as_secs_f64(), self.load.unwrap_or(500.0));
            self.now = self.now + TICK;
            self.plant.advance(self.now);
            let sample =
                |metric, value| Sample { metric, time: self.now, interval: TICK, value, quality: Quality::Good };
            let samples = match self.load {
                Some(load) => vec![sample(Metric::RequestRate, load), sample(Metric::Utilisation, outcome.utilisation)],
                None => Vec::new(),
            };
            let observation = Observation { time: self.now, tick: TICK, samples, replicas: self.plant.replicas() };
            let ticked = controller.tick(self.now, &observation);
            self.obey(&ticked.orders);
            self.alerts.extend(ticked.alerts);
            self.ended.extend(ticked.ended);
            last = Some(ticked.record.decision.clone());
            self.journal.push(Entry::Decided { record: ticked.record });
        }
        last.expect("at least one tick")
    }

    fn tell(&mut self, controller: &mut Controller, command: Command) {
        let orders = controller.command(self.now, &command).expect("accepted");
        self.obey(&orders);
        self.journal.push(Entry::Commanded { time: self.now, command });
    }

    fn obey(&mut self, orders: &[Order]) {
        for order in orders {
            if let Goal::Replicas { replicas } = order.goal {
                self.plant.scale_to(replicas, self.now);
            }
        }
        self.orders.extend_from_slice(orders);
    }

    fn desired(&self) -> u32 {
        self.plant.replicas().desired.0
    }
}

/// One more than the load fills to 90 %.
fn sound(load: f64, _: Timestamp) -> u32 {
    (load / 90.0).ceil() as u32 + 1
}

#[test]
fn a_policy_that_wants_nothing_gets_the_reactive_need() {
    let mut controller = controller(options(Mode::Act), |_, _| 0);
    let mut world = World::new(10);
    let decision = world.run(&mut controller, 200, 1_800.0);
    assert_eq!((decision.desired, decision.reason.driver), (Replicas(20), Driver::Reactive));
    // Within one tick of a jump, whatever the policy thinks.
    assert_eq!(world.run(&mut controller, 1, 5_400.0).desired, Replicas(60));
}

#[test]
fn a_policy_that_wants_everything_surges_by_doubling_to_the_maximum_and_is_demoted_for_its_price() {
    let mut controller = controller(options(Mode::Act), |_, _| u32::MAX);
    let mut world = World::new(3);
    let decided: Vec<u32> = (0..6).map(|_| world.run(&mut controller, 1, 90.0).desired.0).collect();
    assert_eq!(decided, [7, 14, 28, 56, 100, 100]);
    world.run(&mut controller, 5_760, 90.0);
    assert_eq!(controller.seat(), Seat::Baseline);
    assert!(matches!(&world.alerts[..], [.., Alert::Demoted { why }] if why.contains("dearer")), "{:?}", world.alerts);
    world.run(&mut controller, 600, 90.0);
    assert!(world.desired() <= 3, "{}", world.desired());
}

#[test]
fn a_silent_source_holds_asks_yesterday_and_hands_back() {
    let mut controller = controller(options(Mode::Act), |load, time| if load > 0.0 { sound(load, time) } else { 0 });
    let mut world = World::new(30);
    // A day with 2,700 a second in the hour that will be silent tomorrow, and 900 otherwise.
    world.run(&mut controller, 240, 2_700.0);
    world.run(&mut controller, 5_500, 900.0);
    assert_eq!(world.desired(), 11);
    world.alerts.clear();
    let decision = world.run(&mut controller, 19, None);
    assert_eq!((decision.desired, world.alerts.len()), (Replicas(11), 1));
    assert_eq!(decision.reason.driver, Driver::Stale);
    world.run(&mut controller, 3, None);
    assert_eq!(world.desired(), 30, "the same time yesterday");
    let orders = world.orders.len();
    let decision = world.run(&mut controller, 60, None);
    assert_eq!((decision.desired, world.orders.len()), (Replicas(30), orders));
    assert!(decision.reason.note.contains("handed back"));
    assert!(matches!(world.alerts[..], [Alert::Silent { .. }, Alert::HandedBack { .. }]), "{:?}", world.alerts);
    world.run(&mut controller, 1, 900.0);
    assert_eq!(world.alerts.last(), Some(&Alert::TakenBack));
    assert!(world.run(&mut controller, 400, 900.0).desired < Replicas(20));
}

#[test]
fn one_zero_is_no_reason_to_scale_down() {
    let mut controller = controller(options(Mode::Act), sound);
    let mut world = World::new(21);
    world.run(&mut controller, 100, 1_800.0);
    world.run(&mut controller, 1, 0.0);
    world.run(&mut controller, 100, 1_800.0);
    assert_eq!(world.desired(), 21);
    assert!(world.orders.is_empty(), "{:?}", world.orders);
}

#[test]
fn recommendations_are_approved_rejected_and_expire() {
    let mut controller = controller(options(Mode::Recommend), sound);
    let mut world = World::new(5);
    world.run(&mut controller, 3, 900.0);
    assert_eq!((world.desired(), world.orders.len()), (5, 0));
    let pending = controller.pending().expect("offered").clone();
    assert_eq!((pending.desired, pending.id), (Replicas(11), 2), "made at the second tick, by the surge limit");
    assert_eq!(controller.approve(world.now, 77), Err(Refused::NotPending(77)));
    world.tell(&mut controller, Command::Approve { id: pending.id });
    assert_eq!((world.desired(), world.orders[0].decision), (11, 2));
    assert_eq!(controller.approve(world.now, pending.id), Err(Refused::NotPending(pending.id)));

    world.run(&mut controller, 4, 1_800.0);
    let pending = controller.pending().expect("offered").clone();
    world.tell(&mut controller, Command::Reject { id: pending.id });
    world.run(&mut controller, 30, 1_800.0);
    assert_eq!((world.desired(), controller.pending()), (11, None));
    world.run(&mut controller, 11, 1_800.0);
    let again = controller.pending().expect("offered again after ten minutes").clone();
    assert_eq!((again.desired, again.id > pending.id), (pending.desired, true));
    world.run(&mut controller, 40, 1_800.0);
    assert!(controller.pending().expect("offered anew").id > again.id, "the older one expired");
}

#[test]
fn observe_mode_only_records() {
    let mut controller = controller(options(Mode::Observe), sound);
    let mut world = World::new(5);
    let decision = world.run(&mut controller, 10, 1_800.0);
    assert_eq!((decision.desired, world.desired()), (Replicas(21), 5));
    assert!(world.orders.is_empty() && controller.pending().is_none());
    world.tell(&mut controller, Command::SetMode { mode: Mode::Act });
    world.run(&mut controller, 1, 1_800.0);
    assert!(world.desired() >= 20);
}

#[test]
fn a_champion_that_is_late_is_demoted_and_comes_back_after_a_day_of_shadow_wins() {
    // Wants a hundredth for a while, so that only the reactive need holds it; a saw-tooth load then makes it late.
    fn fool(load: f64, time: Timestamp) -> u32 {
        if time < Timestamp::from_secs(1_020_000) { 0 } else { sound(load, time) }
    }
    let mut options = options(Mode::Act);
    options.rails.down.hold = Duration::from_secs(15);
    options.rails.down.share = 1.0;
    options.metrics[0].target = 1.0;
    let mut controller = controller(options, fool);
    let mut world = World::new(10);
    let mut turns = 0;
    while controller.seat() == Seat::Champion && turns < 200 {
        world.run(&mut controller, 10, 1_000.0);
        world.run(&mut controller, 10, 300.0);
        turns += 1;
    }
    assert_eq!(controller.seat(), Seat::Baseline);
    let demoted = world.now;
    assert!(demoted < Timestamp::from_secs(1_020_000));
    assert!(matches!(world.journal.last(), Some(Entry::Decided { record }) if record.policy == "hpa@0.7"));
    // By now sound, and cheaper on a steady load.
    while controller.seat() == Seat::Baseline && turns < 1_000 {
        world.run(&mut controller, 60, 1_000.0);
        turns += 1;
    }
    let away = world.now.since(demoted);
    assert_eq!(controller.seat(), Seat::Champion);
    assert!(away >= Duration::from_secs(77_760) && away <= Duration::from_secs(30 * 3_600), "{away:?}");
    assert!(matches!(world.alerts.last(), Some(Alert::Readmitted { .. })));
    world.run(&mut controller, 400, 1_000.0);
    assert_eq!(world.desired(), 13);
    assert!(controller.scorecard().hours().count() > 20);
}

#[test]
fn pauses_overrides_and_the_kill_switch() {
    let mut controller = controller(options(Mode::Act), sound);
    let mut world = World::new(11);
    world.run(&mut controller, 100, 900.0);
    assert_eq!(world.desired(), 11);
    let until = world.now + Duration::from_secs(600);
    world.tell(&mut controller, Command::Pause { until, direction: Direction::Both });
    let decision = world.run(&mut controller, 20, 1_800.0);
    assert_eq!((decision.desired, world.desired()), (Replicas(21), 11));
    assert!(decision.reason.note.contains("paused until"));
    world.run(&mut controller, 21, 1_800.0);
    assert_eq!(world.desired(), 21, "a pause ends by itself");

    let until = world.now + Duration::from_secs(3_600);
    world.tell(&mut controller, Command::Pause { until, direction: Direction::Down });
    world.run(&mut controller, 100, 90.0);
    assert_eq!(world.desired(), 21);
    world.tell(&mut controller, Command::Resume);
    world.run(&mut controller, 100, 90.0);
    assert!(world.desired() < 10);

    let until = world.now + Duration::from_secs(300);
    world.tell(&mut controller, Command::Override { replicas: Replicas(500), until });
    let decision = world.run(&mut controller, 1, 90.0);
    assert_eq!((decision.desired, decision.reason.driver, world.desired()), (Replicas(100), Driver::Manual, 100));
    world.tell(&mut controller, Command::Kill);
    world.run(&mut controller, 400, 90.0);
    assert_eq!(world.desired(), 100, "killed: not even down");
    assert_eq!(controller.approve(world.now, 1), Err(Refused::Killed));
    world.tell(&mut controller, Command::Revive);
    world.run(&mut controller, 400, 90.0);
    assert!(world.desired() <= 5, "{}", world.desired());
    let past = Command::Pause { until: world.now, direction: Direction::Up };
    assert!(matches!(controller.command(world.now, &past), Err(Refused::Over { .. })));
}

#[test]
fn an_announced_event_is_ready_when_it_starts_and_its_caches_are_warm() {
    let mut options = options(Mode::Act);
    options.warm.surge = Some(1.5);
    let mut controller = controller(options, sound);
    let mut world = World::new(11);
    world.run(&mut controller, 100, 900.0);
    let from = world.now + Duration::from_secs(600);
    let to = from + Duration::from_secs(3_600);
    let event = Event { from, to, factor: 3.0, floor: 12, kind: String::new(), label: "sale".into() };
    world.tell(&mut controller, Command::Announce { event });
    world.run(&mut controller, 30, 900.0);
    assert_eq!(world.desired(), 11, "not yet");
    world.run(&mut controller, 6, 900.0); // 60 s of start-up and a tick ahead
    let decision = world.run(&mut controller, 3, 900.0);
    assert!(
        world.desired() >= 30 && decision.reason.driver == Driver::Event,
        "{} {}",
        world.desired(),
        decision.reason
    );
    let warmed: Vec<&Goal> = world.orders.iter().map(|o| &o.goal).filter(|g| matches!(g, Goal::Warm { .. })).collect();
    assert_eq!(warmed, [&Goal::Warm { share: 0.65 }]);
    world.run(&mut controller, 200, 500.0);
    assert_eq!(world.desired(), 12, "the floor holds");
    world.tell(&mut controller, Command::Withdraw { label: "sale".into() });
    world.run(&mut controller, 100, 500.0);
    assert_eq!(world.desired(), 7);
    let bad = Command::Announce {
        event: Event {
            from,
            to: Timestamp::from_secs(9_999_999),
            factor: f64::NAN,
            floor: 0,
            kind: String::new(),
            label: String::new(),
        },
    };
    assert!(matches!(controller.command(world.now, &bad), Err(Refused::BadFactor(_))));
}

#[test]
fn a_calendar_replaces_what_it_said_and_leaves_what_operators_announced() {
    let mut controller = controller(options(Mode::Act), sound);
    let mut world = World::new(11);
    world.run(&mut controller, 3, 900.0);
    let event = |floor: u32, after: u64, label: &str| {
        let from = Timestamp::from_secs(1_000_000 + after as i64);
        let to = from + Duration::from_secs(3_600);
        Event { from, to, factor: 1.0, floor, kind: String::new(), label: label.into() }
    };
    let (now, over) = (world.now, Event { to: world.now, ..event(9, 0, "over") });
    world.tell(&mut controller, Command::Announce { event: event(2, 50, "own") });
    let first = vec![event(3, 9_000, "far"), event(4, 100, "near"), over];
    world.tell(&mut controller, Command::Calendar { events: first.clone() });
    assert!(controller.knows_calendar(now, &first));
    assert!(!controller.knows_calendar(now, &first[..1]));
    let second = vec![event(5, 200, "moved")];
    world.tell(&mut controller, Command::Calendar { events: second.clone() });
    assert!(controller.knows_calendar(now, &second));
    let floors: Vec<u32> = controller.state().known.events.iter().map(|event| event.floor).collect();
    assert_eq!(floors, [2, 5]);
    let bad = Command::Calendar { events: vec![Event { factor: -1.0, ..event(1, 0, "") }] };
    assert!(matches!(controller.command(now, &bad), Err(Refused::BadFactor(_))));
    assert!(controller.knows_calendar(now, &second), "nothing has changed");
}

#[test]
fn at_the_maximum_replicas_grow_in_size_and_shrink_again() {
    let mut options = options(Mode::Act);
    options.rails.limits.max = Replicas(10);
    options.size.most = 2.0;
    let mut controller = controller(options, sound);
    let mut world = World::new(10);
    let sizes = |world: &World| -> Vec<f64> {
        let factor = |o: &Order| if let Goal::Size { factor } = o.goal { Some(factor) } else { None };
        world.orders.iter().filter_map(factor).collect()
    };
    world.run(&mut controller, 10, 1_260.0); // 14 replicas' worth
    assert_eq!(sizes(&world), [1.5]);
    assert_eq!(world.alerts, [Alert::AtMaximum { needed: Replicas(14) }]);
    world.run(&mut controller, 10, 9_000.0);
    assert_eq!(sizes(&world), [1.5, 2.0], "no more than the most");
    world.run(&mut controller, 8, 450.0);
    assert_eq!(sizes(&world), [1.5, 2.0]);
    world.run(&mut controller, 1, 450.0);
    assert_eq!(sizes(&world), [1.5, 2.0, 1.0], "after the hold");
}

#[test]
fn a_need_beyond_the_maximum_is_told_and_its_end_too() {
    let mut options = options(Mode::Act);
    options.rails.limits.max = Replicas(10);
    let mut controller = controller(options, sound);
    let mut world = World::new(10);
    world.run(&mut controller, 10, 1_260.0);
    assert_eq!((world.alerts.as_slice(), world.desired()), (&[Alert::AtMaximum { needed: Replicas(14) }][..], 10));
    assert!(world.ended.is_empty());
    world.run(&mut controller, 10, 450.0);
    assert_eq!((world.alerts.len(), world.ended.as_slice()), (1, &["at_maximum"][..]));
}

#[test]
fn a_second_writer_ends_acting() {
    let mut controller = controller(options(Mode::Act), sound);
    let mut world = World::new(11);
    world.run(&mut controller, 10, 900.0);
    for _ in 0..2 {
        assert_eq!(controller.mode(), Mode::Act);
        world.plant.scale_to(Replicas(40), world.now);
        world.run(&mut controller, 1, 900.0);
        world.plant.scale_to(Replicas(3), world.now);
    }
    world.run(&mut controller, 1, 900.0);
    assert_eq!(controller.mode(), Mode::Recommend);
    assert!(matches!(world.alerts[..], [Alert::OtherWriter { .. }]), "{:?}", world.alerts);
}

/// A story with commands, gaps, a hostile stretch and a demotion in it.
fn story(controller: &mut Controller) -> World {
    let mut world = World::new(5);
    world.run(controller, 50, 900.0);
    world.run(controller, 30, None);
    world.run(controller, 10, f64::NAN);
    let until = world.now + Duration::from_secs(200);
    world.tell(controller, Command::Pause { until, direction: Direction::Up });
    world.run(controller, 50, 3_000.0);
    world.tell(controller, Command::SetMode { mode: Mode::Recommend });
    world.run(controller, 20, 500.0);
    if let Some(id) = controller.pending().map(|p| p.id) {
        world.tell(controller, Command::Approve { id });
    }
    world.run(controller, 20, 0.0);
    world.tell(controller, Command::SetMode { mode: Mode::Act });
    world.run(controller, 6_000, 333.0);
    world
}

/// What the world looks like between two ticks, with `load` measured over the last half second.
fn glimpse(world: &World, load: f64) -> Observation {
    let (time, interval) = (world.now, Duration::from_millis(500));
    let sample = Sample { metric: Metric::RequestRate, time, interval, value: load, quality: Quality::Good };
    Observation { time, tick: TICK, samples: vec![sample], replicas: world.plant.replicas() }
}

#[test]
fn a_load_that_jumps_between_two_ticks_gets_its_order_at_once_and_nothing_is_removed_there() {
    let mut controller = controller(options(Mode::Act), sound);
    let mut world = World::new(10);
    world.run(&mut controller, 40, 700.0);
    let before = world.desired();
    assert!(controller.urge(world.now, &glimpse(&world, 100.0)).is_none(), "nothing is removed");
    let urged = controller.urge(world.now, &glimpse(&world, 2_100.0)).expect("far beyond what is there");
    assert_eq!(urged.record.decision.reason.driver, Driver::Reactive);
    let desired = urged.record.decision.desired;
    assert!(desired.0 >= 24 && desired.0 > before, "{desired}");
    assert_eq!(urged.orders.len(), 1);
    world.obey(&urged.orders);
    assert!(controller.urge(world.now, &glimpse(&world, 2_100.0)).is_none(), "asking twice orders once");
    world.run(&mut controller, 4, 2_100.0);
    assert!(controller.mode() == Mode::Act && world.desired() >= 24, "its own order is no other writer's");

    // Only who acts may be urged.
    controller.command(world.now, &Command::Pause { until: world.now + TICK, direction: Direction::Both }).unwrap();
    assert!(controller.urge(world.now, &glimpse(&world, 9_000.0)).is_none());
}

#[test]
fn a_capacity_that_was_learned_is_counted_by_kept_over_a_restart_and_replayed() {
    let make = || controller(options(Mode::Act), |_, _| 1);
    let mut controller = make();
    let mut world = World::new(10);
    world.run(&mut controller, 40, 700.0);
    assert!((8..=9).contains(&world.desired()), "{}", world.desired());
    world.tell(&mut controller, Command::SetCapacity { rps: 50.0 });
    assert!(controller.command(world.now, &Command::SetCapacity { rps: f64::NAN }).is_err());
    let decision = world.run(&mut controller, 1, 700.0);
    assert!(decision.desired >= Replicas(15), "{decision:?}");
    assert_eq!(replay_journal(&world.journal, &mut make()), Ok(41));
    let baseline = build("hpa@0.7", &service(), &PolicyOptions::new(LIMITS)).expect("listed");
    let state = controller.state().clone();
    let restored =
        Controller::restore(options(Mode::Act), Box::new(Toy("toy", |_, _| 1)), baseline, state).expect("readable");
    assert!((restored.capacity_rps() - 50.0).abs() < 1e-12);

    // A journal that goes on is numbered where it stands.
    let mut anew = make();
    anew.number_from(1_000);
    let record = anew.tick(world.now, &glimpse(&world, 700.0)).record;
    assert_eq!(record.id, 1_000);
}

#[test]
fn a_journal_replays_to_the_same_bytes() {
    let dear = |load, time| sound(load, time) * 5;
    let mut first = controller(options(Mode::Act), dear);
    let world = story(&mut first);
    assert_eq!(first.seat(), Seat::Baseline);
    // Through JSON, as the store keeps it.
    let lines: Vec<String> = world.journal.iter().map(|e| serde_json::to_string(e).expect("plain data")).collect();
    let journal: Vec<Entry> = lines.iter().map(|l| serde_json::from_str(l).expect("just written")).collect();
    let decisions = journal.iter().filter(|e| matches!(e, Entry::Decided { .. })).count();
    assert_eq!(replay_journal(&journal, &mut controller(options(Mode::Act), dear)), Ok(decisions));
    let other = replay_journal(&journal, &mut controller(options(Mode::Act), sound));
    assert!(matches!(other, Err(Divergence::Decision { id: 1..=20, .. })), "{other:?}");
    let Entry::Decided { record } = &journal[3] else { panic!("a decision") };
    assert_eq!((record.id, record.version.len(), record.policy.as_str()), (4, 21, "toy"));
}

#[test]
fn state_survives_json_and_goes_on() {
    let mut first = controller(options(Mode::Act), sound);
    let mut world = story(&mut first);
    let text = serde_json::to_string(first.state()).expect("plain data");
    assert!(text.len() < 200_000, "{}", text.len());
    let state: ControllerState = serde_json::from_str(&text).expect("just written");
    assert_eq!(&state, first.state());
    let baseline = build("hpa@0.7", &service(), &PolicyOptions::new(LIMITS)).expect("listed");
    let mut second =
        Controller::restore(options(Mode::Act), Box::new(Toy("toy", sound)), baseline, state).expect("sound");
    let before = world.desired();
    let decision = world.run(&mut second, 1, 333.0);
    assert_eq!((decision.desired.0, second.mode()), (before, Mode::Act));
    assert!(first.startup().seen() > 0);
}

#[test]
fn options_out_of_range_are_refused() {
    let check = |change: fn(&mut ControllerOptions), expected: &str| {
        let mut options = options(Mode::Act);
        change(&mut options);
        assert_eq!(options.check().err().map(|e| e.to_string()).as_deref(), Some(expected));
    };
    check(|o| o.rails.limits.max = Replicas(0), "limits.max is 0, accepted is at least limits.min");
    check(|o| o.rails.hysteresis = f64::NAN, "hysteresis is NaN, accepted is 0 to 1");
    check(|o| o.trial.later = 0.5, "trial.later is 0.5, accepted is at least 1");
    check(|o| o.size.most = 0.5, "size.most is 0.5, accepted is 1 to 64");
    check(|o| o.warm.surge = Some(1.0), "warm.surge is 1, accepted is above 1");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is seen and said: no panic, within the limits, and in act mode never below the reactive need of a load
    /// that is measured.
    #[test]
    fn no_observation_breaks_the_loop(
        ticks in prop::collection::vec(
            (
                prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(-5.0), 1.0..20_000.0_f64, Just(f64::MAX)],
                any::<u8>(), 0..200_u32, 0..200_u32, -40..400_i64,
            ),
            1..60,
        ),
    ) {
        let mut controller = controller(options(Mode::Act), |load, _| (load as u32).wrapping_mul(2_654_435_761));
        let (mut now, mut newest) = (Timestamp::from_secs(5_000), Timestamp::EPOCH);
        for (value, quality, desired, ready, step) in ticks {
            now = Timestamp::from_micros(now.as_micros() + step * 1_000_000);
            let quality = [Quality::Good, Quality::Attack, Quality::Saturated, Quality::Suspect][usize::from(quality % 4)];
            let sample = Sample { metric: Metric::RequestRate, time: now, interval: TICK, value, quality };
            let replicas = ReplicaCounts { desired: Replicas(desired), ready: Replicas(ready), starting: Replicas(0) };
            let observation = Observation { time: now, tick: TICK, samples: vec![sample], replicas };
            let handed_back = controller.state().told.handed_back;
            let ticked = controller.tick(now, &observation);
            let decided = ticked.record.decision.desired;
            if !ticked.orders.is_empty() {
                prop_assert!(LIMITS.clamp(decided) == decided, "{decided}");
            }
            // A sample older than one seen before is not the load of now.
            let in_order = now >= newest;
            newest = newest.max(now);
            if in_order && quality == Quality::Good && value.is_finite() && value > 0.0 && !handed_back {
                let need = Replicas::holding(value / 90.0).min(LIMITS.max);
                prop_assert!(decided >= need, "{decided} of {need}: {}", ticked.record.decision.reason);
            }
        }
    }
}
