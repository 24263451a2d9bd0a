//! The planner against any forecast, any state and any history.

use std::time::Duration;

use foresail_core::Limits;
use proptest::prelude::*;

use super::*;

fn rails(max: u32) -> Guardrails {
    Guardrails::new(Limits { min: Replicas(1), max: Replicas(max) })
}

fn counts(desired: u32, ready: u32) -> ReplicaCounts {
    let starting = Replicas(desired.saturating_sub(ready));
    ReplicaCounts { desired: Replicas(desired), ready: Replicas(ready), starting }
}

/// One tick of 15 s after another with `needs` as (reactive, proposed); the decisions. All replicas are ready at once.
fn run(rails: &Guardrails, start: u32, needs: &[(u32, f64)]) -> Vec<u32> {
    let mut history = PlanHistory::default();
    let mut current = start;
    let mut decided = Vec::new();
    for (index, (reactive, proposed)) in needs.iter().enumerate() {
        let inputs = PlanInputs {
            now: Timestamp::from_secs(15 * index as i64),
            rails,
            replicas: counts(current, current),
            reactive: Replicas(*reactive),
            reactive_load: None,
            attack_capped: false,
            proposal: Some(Proposal { replicas: *proposed, reason: None }),
            floor: Replicas(0),
            complete: true,
            history: &history,
        };
        let desired = plan(&inputs).desired;
        let (need, replicas) = (inputs.need(), inputs.replicas);
        history.record(inputs.now, need, replicas, desired, rails);
        current = desired.0;
        decided.push(current);
    }
    decided
}

#[test]
fn a_forecast_surges_by_doubling_and_the_reactive_need_at_once() {
    let needs = [(1, 100.0); 6];
    assert_eq!(run(&rails(1_000), 3, &needs), [7, 14, 28, 56, 100, 100]);
    assert_eq!(run(&rails(1_000), 3, &[(90, 100.0), (90, 100.0)]), [90, 100]);
    assert_eq!(run(&rails(50), 3, &[(90, 100.0)]), [50]);
}

#[test]
fn down_after_the_hold_and_in_steps() {
    let mut needs = vec![(20, 20.0)];
    needs.extend([(5, 5.0); 22]);
    let decided = run(&rails(100), 20, &needs);
    // The hold of 120 s after second 0 lets go at second 135, then a tenth a minute.
    assert_eq!(decided[..9], [20; 9]);
    assert_eq!(decided[9..], [18, 18, 18, 18, 17, 17, 17, 17, 16, 16, 16, 16, 15, 15]);
}

#[test]
fn cooldown_and_hysteresis_hold_what_the_reactive_need_does_not_ask_for() {
    let mut slow = rails(100);
    slow.up_cooldown = Duration::from_secs(60);
    assert_eq!(run(&slow, 10, &[(5, 15.0), (5, 20.0), (17, 20.0), (5, 25.0)]), [15, 15, 17, 17]);
    let mut coarse = rails(100);
    coarse.hysteresis = 0.1;
    assert_eq!(run(&coarse, 20, &[(5, 22.0), (22, 22.0), (5, 25.0)]), [20, 22, 25]);
}

#[test]
fn a_budget_cuts_forecasts_but_never_the_reactive_need() {
    let mut poor = rails(100);
    poor.budget.cost_per_day = Some(20.0);
    poor.budget.price_per_replica_hour = Some(2.0);
    assert!(poor.check().is_ok());
    assert_eq!(run(&poor, 8, &[(5, 40.0), (30, 40.0)]), [10, 30]);
    poor.budget.price_per_replica_hour = None;
    assert!(poor.check().is_err());
}

#[test]
fn nothing_is_removed_on_missing_data_or_with_replicas_unready() {
    let rails = rails(100);
    let mut history = PlanHistory::default();
    history.record(Timestamp::EPOCH, Replicas(1), counts(20, 20), Replicas(20), &rails);
    let check = |complete: bool, ready: u32| {
        let inputs = PlanInputs {
            now: Timestamp::from_secs(600),
            rails: &rails,
            replicas: counts(20, ready),
            reactive: Replicas(2),
            reactive_load: None,
            attack_capped: false,
            proposal: None,
            floor: Replicas(0),
            complete,
            history: &history,
        };
        let decision = plan(&inputs);
        (decision.desired.0, decision.reason.driver)
    };
    assert_eq!(check(true, 20), (18, Driver::Held));
    assert_eq!(check(true, 16), (18, Driver::Held));
    assert_eq!(check(true, 15), (20, Driver::Held));
    assert_eq!(check(false, 20), (20, Driver::Stale));
}

/// Anything a broken model could say.
fn any_forecast() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
        Just(f64::MAX),
        -1e9..0.0_f64,
        0.0..300.0_f64,
    ]
}

fn any_rails() -> impl Strategy<Value = Guardrails> {
    let limits = (0..20_u32, 0..200_u32);
    let brakes = (0..5_u64, 0..5_u64, 0..10_u64, 0.0..0.5_f64, 0..8_u32, 0.0..2.0_f64);
    (limits, brakes, prop::option::of(1.0..500.0_f64)).prop_map(|((min, span), brakes, budget)| {
        let mut rails = Guardrails::new(Limits { min: Replicas(min), max: Replicas(min + span) });
        let (up, down, hold, hysteresis, least, share) = brakes;
        rails.up_cooldown = Duration::from_secs(15 * up);
        rails.down_cooldown = Duration::from_secs(15 * down);
        rails.down.hold = Duration::from_secs(15 * hold);
        rails.hysteresis = hysteresis;
        rails.surge = Surge { least, share, ..Surge::default() };
        rails.budget.replica_hours_per_day = budget;
        rails
    })
}

proptest! {
    /// For any forecast and history: within the limits, never below the reactive need, and deciding twice changes
    /// nothing.
    #[test]
    fn never_below_the_reactive_need_and_idempotent(
        rails in any_rails(),
        start in 0..250_u32,
        ticks in prop::collection::vec(
            (0..300_u32, any_forecast(), 0..100_u32, any::<bool>(), 0.0..1.0_f64, any::<bool>()), 1..40
        ),
    ) {
        let (mut history, empty) = (PlanHistory::default(), PlanHistory::default());
        let mut current = start;
        for (index, (reactive, forecast, floor, complete, ready, predicts)) in ticks.into_iter().enumerate() {
            let now = Timestamp::from_secs(15 * index as i64);
            let ready = (ready * f64::from(current)).ceil() as u32;
            let inputs = |current: u32| PlanInputs {
                now,
                rails: &rails,
                replicas: counts(current, ready),
                reactive: Replicas(reactive),
                reactive_load: Some(1.0),
                attack_capped: false,
                proposal: predicts.then_some(Proposal { replicas: forecast, reason: None }),
                floor: Replicas(floor),
                complete,
                history: &empty,
            };
            let first = PlanInputs { history: &history, ..inputs(current) };
            let (decision, need) = (plan(&first), first.need());
            prop_assert!(decision.desired >= Replicas(reactive).min(rails.limits.max), "{decision:?}");
            prop_assert!(rails.limits.clamp(decision.desired) == decision.desired, "{decision:?}");
            if !complete && decision.desired < Replicas(current) {
                prop_assert_eq!(decision.desired, rails.limits.max, "only the maximum cuts without data");
            }
            history.record(now, need, counts(current, ready), decision.desired, &rails);
            let again = PlanInputs { history: &history, ..inputs(decision.desired.0) };
            let second = plan(&again);
            prop_assert_eq!(second.desired, decision.desired, "{} then {}", decision.reason, second.reason);
            current = decision.desired.0;
        }
    }
}
