//! Goals besides the number of replicas: larger ones when there may be no more, and warm caches ahead of a surge.

use foresail_core::{Goal, Replicas, Timestamp};

use super::options::ControllerOptions;
use super::state::ControllerState;

/// Size for the replicas, if it is to change. Up at once when `needed` (by measurement or announcement, never by a forecast)
/// exceeds the maximum; down after the need has been lower for the down-hold.
pub(super) fn size(
    state: &mut ControllerState,
    options: &ControllerOptions,
    now: Timestamp,
    needed: Replicas,
    complete: bool,
) -> Option<Goal> {
    let most = options.rails.limits.max;
    let over = if most.0 == 0 { 1.0 } else { needed.as_f64() / most.as_f64() };
    let steps = ((over - 1.0) / options.size.step - 1e-9).ceil().max(0.0);
    let factor = (1.0 + steps * options.size.step).min(options.size.most);
    if factor > state.size {
        state.smaller_since = None;
        return Some(Goal::Size { factor });
    }
    if factor >= state.size || !complete {
        state.smaller_since = None;
        return None;
    }
    let since = *state.smaller_since.get_or_insert(now);
    (now.since(since) >= options.rails.down.hold).then_some(Goal::Size { factor })
}

/// Caches to warm: once for each surge, and again where it has grown by a tenth of the working set.
pub(super) fn warm(state: &mut ControllerState, surge: Option<f64>, need: Replicas, ready: Replicas) -> Option<Goal> {
    let surge = surge?;
    let (need, ready) = (need.as_f64(), ready.as_f64());
    if need < ready * 0.5 * (1.0 + surge) {
        state.warmed = 0.0;
        return None;
    }
    if need <= 0.0 || need < ready * surge {
        return None;
    }
    // The share of the fleet that will be new, in twentieths.
    let share = (((1.0 - ready / need) * 20.0).ceil() / 20.0).clamp(0.05, 1.0);
    if share < state.warmed + 0.1 && state.warmed > 0.0 {
        return None;
    }
    Some(Goal::Warm { share })
}

/// Remembers a goal that was ordered.
pub(super) fn ordered(state: &mut ControllerState, goal: &Goal) {
    match goal {
        Goal::Size { factor } => {
            state.size = *factor;
            state.smaller_since = None;
        }
        Goal::Warm { share } => state.warmed = *share,
        _ => {}
    }
}
