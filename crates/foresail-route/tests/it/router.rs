//! What the request router promises.

use foresail_core::SeededRng;
use foresail_route::{
    Acting, Phase, Reason, RouteOutcome, RouteRequest, Router, RouterConfig, RouterModel, SavedRouter, Scratch,
    ServiceView,
};
use proptest::prelude::*;

fn quick() -> RouterConfig {
    RouterConfig { cold_start: 60, ..RouterConfig::default() }
}

fn request(class: u64) -> RouteRequest {
    RouteRequest { class, context: Some(class % 2), size: 500.0, complexity: 1.0, day_share: 0.4 }
}

fn views(count: u64, in_flight: u32) -> Vec<ServiceView> {
    (0..count).map(|key| ServiceView { key, in_flight, weight: 1.0, available: true }).collect()
}

fn outcome(class: u64, service: u64, latency_ms: Option<f64>, at_ms: u64) -> RouteOutcome {
    RouteOutcome {
        request: request(class),
        service,
        in_flight: 1,
        weight: 1.0,
        reason: Reason::Learned,
        latency_ms,
        resource: None,
        at_ms,
    }
}

fn router(config: RouterConfig, services: u64) -> Router {
    let mut router = Router::new(config, 5).unwrap();
    router.follow(&(0..services).collect::<Vec<_>>());
    router
}

/// Plays `rounds` with the router's own choices; service `s` is good at the classes that leave `s` when `shift` is added.
fn play(router: &mut Router, rounds: u64, services: u64, shift: u64, now_ms: &mut u64, rng: &mut SeededRng) -> f64 {
    let (views, mut scratch, mut good) = (views(services, 0), Scratch::default(), 0.0);
    for round in 0..rounds {
        if router.is_fit_due() {
            router.fit();
        }
        let class = rng.next_u64() % 4;
        let choice = router.model().decide(&request(class), &views, rng.next_u64(), &mut scratch).unwrap();
        let is_good = (class + shift) % services == choice.index as u64;
        if round >= rounds / 2 && is_good {
            good += 2.0 / rounds as f64;
        }
        *now_ms += 8;
        let latency = if is_good { 20.0 } else { 80.0 } * (0.4 * rng.normal()).exp();
        let told = outcome(class, choice.index as u64, Some(latency), *now_ms);
        router.observe(&RouteOutcome { reason: choice.reason, ..told });
    }
    good
}

#[test]
fn each_class_goes_where_it_is_served_best_also_after_a_change() {
    let (mut router, mut now_ms, mut rng) = (router(quick(), 3), 0, SeededRng::seed_from_u64(2));
    assert_eq!(router.phase(), Phase::ColdStart);
    let before = play(&mut router, 1200, 3, 0, &mut now_ms, &mut rng);
    assert_eq!(router.phase(), Phase::Learned);
    let after = play(&mut router, 1200, 3, 1, &mut now_ms, &mut rng);
    assert!(before > 0.93 && after > 0.93, "{before} {after}");
    let report = router.report();
    let change = report.last_change.unwrap();
    assert!(change.class < 4 && change.service < 3, "{change:?}");
    assert!(report.changes > 0 && report.importance.iter().map(|(_, share)| share).sum::<f64>() > 0.99);
    assert_eq!((report.services.len(), report.outcomes, report.acting), (3, 2400, Acting::Learner));
    let class = |service: usize| report.services[service].classes.iter().find(|class| class.class == 2).unwrap();
    assert!(class(0).latency_ms < 30.0, "class 2 is at home at service 0 now: {:?}", class(0));
}

#[test]
fn a_new_service_is_tried_and_one_out_of_rotation_is_not() {
    let (mut router, mut now_ms, mut rng) = (router(quick(), 2), 0, SeededRng::seed_from_u64(3));
    play(&mut router, 600, 2, 0, &mut now_ms, &mut rng);
    router.follow(&[0, 1, 2]);
    let mut tried = 0;
    let (mut views, mut scratch) = (views(3, 0), Scratch::default());
    views[0].available = false;
    for _ in 0..600 {
        let choice = router.model().decide(&request(0), &views, rng.next_u64(), &mut scratch).unwrap();
        assert_ne!(choice.index, 0);
        tried += u32::from(choice.index == 2);
        now_ms += 8;
        let latency = if choice.index == 2 { 15.0 } else { 80.0 };
        router.observe(&outcome(0, choice.index as u64, Some(latency), now_ms));
    }
    assert!(tried > 500, "{tried}: it is the best there is");
    views.iter_mut().for_each(|view| view.available = false);
    assert_eq!(router.model().decide(&request(0), &views, 1, &mut scratch), None);
    assert_eq!(router.model().decide(&request(0), &[], 1, &mut scratch), None);
}

/// Where its own requests cost more than those held out, the router has to prove itself, and loses.
#[test]
fn a_router_that_loses_is_stopped() {
    let mut router = router(quick(), 2);
    let mut seen = Vec::new();
    let mut rng = SeededRng::seed_from_u64(6);
    for i in 0..60_000_u64 {
        let phase = router.phase();
        if seen.last() != Some(&phase) {
            seen.push(phase);
        }
        let reason = match phase {
            Phase::Learned if i % 40 == 0 => Reason::HoldOut,
            Phase::Learned => Reason::Learned,
            Phase::ColdStart => Reason::ColdStart,
            Phase::Baseline => Reason::Baseline,
        };
        let latency = if reason == Reason::Learned { 60.0 } else { 20.0 } * rng.exponential();
        router.observe(&RouteOutcome { reason, ..outcome(0, i % 2, Some(latency), i * 5) });
        if router.report().acting == Acting::Baseline {
            assert_eq!(router.phase(), Phase::Baseline);
            assert!(router.report().evidence.unwrap().0 > 0.5);
            return;
        }
    }
    panic!("{:?} {:?}", router.report().acting, seen);
}

#[test]
fn propensities_are_the_shares_of_choices() {
    let (mut router, mut now_ms, mut rng) = (router(quick(), 3), 0, SeededRng::seed_from_u64(4));
    let mut views = views(3, 2);
    views[1].in_flight = 1;
    views[2].in_flight = 1;
    for phase in [Phase::ColdStart, Phase::Learned] {
        assert_eq!(router.phase(), phase);
        let (model, mut scratch) = (router.model(), Scratch::default());
        let (mut counts, mut told) = ([0_u32; 3], [0.0; 3]);
        for _ in 0..40_000 {
            let choice = model.decide(&request(1), &views, rng.next_u64(), &mut scratch).unwrap();
            counts[choice.index] += 1;
            told[choice.index] = choice.propensity;
        }
        for (count, told) in counts.iter().zip(told) {
            assert!((f64::from(*count) / 40_000.0 - told).abs() < 0.01, "{phase:?} {counts:?} {told}");
            assert!(told >= 0.005 / 3.0 - 1e-12);
        }
        play(&mut router, 600, 3, 0, &mut now_ms, &mut rng);
    }
}

#[test]
fn foreign_state_is_refused() {
    let saved = router(quick(), 2).save();
    let text = serde_json::to_string(&saved).unwrap();
    let mut other = router(RouterConfig { classes: 9, ..quick() }, 2);
    let error = other.restore(saved).unwrap_err();
    assert_eq!(error.to_string(), "learned state is not that of policy a router with these settings");
    let newer: SavedRouter = serde_json::from_str(&text.replace("\"version\":1", "\"version\":2")).unwrap();
    let error = other.restore(newer).unwrap_err();
    assert_eq!(error.to_string(), "learned state is of version 2, version 1 is read");
}

/// A router with another seed knows and decides what the one did that was saved, without a cold start or a contest.
#[test]
fn what_is_decided_outlives_a_restart_with_another_seed() {
    let (mut a, mut now_ms, mut rng) = (router(quick(), 3), 0, SeededRng::seed_from_u64(2));
    play(&mut a, 1200, 3, 1, &mut now_ms, &mut rng);
    let text = serde_json::to_string(&a.save()).unwrap();
    let restored = |seed| {
        let mut router = Router::new(quick(), seed).unwrap();
        router.restore(serde_json::from_str(&text).unwrap()).unwrap();
        router.follow(&[0, 1, 2]);
        router
    };
    let (mut same, mut b) = (restored(5), restored(77));
    assert_eq!((b.now_ms(), b.phase(), b.report()), (now_ms, Phase::Learned, same.report()));
    let (before, after, views, mut scratch) = (same.model(), b.model(), views(3, 2), Scratch::default());
    for class in 0..4 {
        assert_eq!(before.predict(&request(class), &views), after.predict(&request(class), &views));
        let random = rng.next_u64();
        let mut decide = |model: &RouterModel| model.decide(&request(class), &views, random, &mut scratch).unwrap();
        assert_eq!(decide(&before), decide(&after));
    }
    let good = play(&mut b, 120, 3, 1, &mut now_ms, &mut rng);
    assert!(good > 0.9, "{good}");
}

/// A contest or a ban that begins later than now would stand still until then, and so would forgetting.
#[test]
fn state_of_a_time_to_come_is_refused() {
    let (mut saved, mut now_ms, mut rng) = (router(quick(), 3), 0, SeededRng::seed_from_u64(2));
    play(&mut saved, 300, 3, 0, &mut now_ms, &mut rng);
    let text = serde_json::to_value(saved.save()).unwrap();
    let later = 31_536_000_000_000_000_u64;
    for path in [
        "/state/contest/since_ms",
        "/state/contest/told_ms",
        "/state/contest/ban_ms",
        "/state/all/at_ms",
        "/state/last_fit/at_ms",
        "/state/services/1/sums/at_ms",
        "/state/classes/places/2/here/1/cell/at_ms",
        "/state/contexts/places/1/all/at_ms",
        "/state/now_ms",
    ] {
        let mut text = text.clone();
        *text.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = later.into();
        let error = router(quick(), 3).restore(serde_json::from_value(text).unwrap()).unwrap_err();
        assert!(error.to_string().contains("not that of"), "{path}: {error}");
    }
}

/// Class, service, latency, later, reason.
type Told = (u64, u64, Option<f64>, u64, bool);

fn told() -> impl Strategy<Value = Vec<Told>> {
    let latency =
        prop::option::of(prop_oneof![8 => 0.0..1000.0_f64, 1 => Just(f64::NAN), 1 => Just(-1.0), 1 => Just(1e300)]);
    prop::collection::vec((0..90_u64, 0..5_u64, latency, 0..3_000_u64, any::<bool>()), 1..220)
}

fn tell(router: &mut Router, told: &[Told], mut now_ms: u64) {
    for &(class, service, latency_ms, later, is_held_out) in told {
        now_ms += later;
        let reason = if is_held_out { Reason::HoldOut } else { Reason::Learned };
        let odd = if class % 7 == 0 { f64::NAN } else { class as f64 };
        let request = RouteRequest { size: odd, complexity: odd, day_share: odd, ..request(class) };
        let told = RouteOutcome { request, reason, resource: Some(odd), ..outcome(class, service, latency_ms, now_ms) };
        router.observe(&told);
        if router.is_fit_due() {
            router.fit();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever comes: nothing out of rotation is chosen, what is expected is finite, one seed gives one router, and a restored
    /// one learns on as the one that was saved.
    #[test]
    fn routers_keep_their_promises(before in told(), after in told(), mask in 0..32_u32, random: u64) {
        let mut a = router(quick(), 4);
        tell(&mut a, &before, 1000);
        let text = serde_json::to_string(&a.save()).unwrap();
        let mut b = router(quick(), 4);
        b.restore(serde_json::from_str(&text).unwrap()).unwrap();
        let mut c = router(quick(), 4);
        tell(&mut c, &before, 1000);
        for router in [&mut a, &mut b, &mut c] {
            router.follow(&[3, 1, 9]);
            tell(router, &after, 10_000_000);
        }
        prop_assert_eq!(a.save(), b.save());
        prop_assert_eq!(a.save(), c.save());

        let (model, mut scratch) = (a.model(), Scratch::default());
        let mut views = views(5, random as u32 % 9);
        views.iter_mut().enumerate().for_each(|(i, view)| view.available = mask & (1 << i) != 0);
        for (class, _, _, later, _) in &after {
            let choice = model.decide(&request(*class), &views, random ^ later, &mut scratch);
            prop_assert_eq!(choice.is_some(), mask != 0);
            if let Some(choice) = choice {
                prop_assert!(views[choice.index].available && choice.propensity > 0.0 && choice.propensity <= 1.0 + 1e-9);
            }
            for expected in model.predict(&request(*class), &views) {
                prop_assert!(expected.cost.is_finite() && expected.hoped_cost.is_finite() && expected.latency_ms >= 0.0);
                prop_assert!((0.0..=1.0).contains(&expected.success) && expected.resource >= 0.0);
            }
        }
    }
}
