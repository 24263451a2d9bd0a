//! A router's learned state as plain data with a version.

use serde::{Deserialize, Serialize};

use super::Router;
use super::cell::Pair;
use super::features::WIDTH;
use super::learner::{Service, State};
use super::model::MOST_SERVICES;
use crate::Error;

/// What the present code writes and reads.
const VERSION: u32 = 1;
/// Clocks that have run for longer, in ms, are none: 30,000 years. Times can be added to these.
const MOST_MS: u64 = 1_000_000_000_000_000;

/// What a router has learned, to be written down and handed back after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRouter {
    version: u32,
    state: Box<State>,
}

impl Router {
    /// All that has been learned, some hundred kilobytes.
    pub fn save(&self) -> SavedRouter {
        SavedRouter { version: VERSION, state: Box::new(self.state.clone()) }
    }

    /// Goes on from what a router of the same settings has saved. With the same seed it goes on exactly as that one would have;
    /// with another it knows and decides the same, and only draws otherwise which rows and trees are grown of what comes next,
    /// so that a seed that nobody else shall know need not be saved. For times see [`now_ms`](Self::now_ms).
    ///
    /// # Errors
    /// [`Error::OtherVersion`], or [`Error::OtherPolicy`] if it cannot be a router's with these settings.
    pub fn restore(&mut self, saved: SavedRouter) -> Result<(), Error> {
        if saved.version != VERSION {
            return Err(Error::OtherVersion { found: saved.version, read: VERSION });
        }
        let state = *saved.state;
        let (services, now_ms) = (state.services.len(), state.now_ms);
        let is_sound_pair = |pair: &Pair| pair.cell.is_sound(now_ms) && pair.residual.is_sound();
        let is_sound_service = |service: &Service| {
            service.all.is_sound(now_ms) && service.sums.is_sound(now_ms) && service.residual.is_sound()
        };
        let is_sound = services <= MOST_SERVICES
            && now_ms <= MOST_MS
            && state.services.iter().all(is_sound_service)
            && state.classes.is_sound(services, self.config.classes, now_ms, is_sound_pair)
            && state.contexts.is_sound(services, self.config.contexts, now_ms, |cell| cell.is_sound(now_ms))
            && state.all.is_sound(now_ms)
            && state.noise.mean.is_finite()
            && (1e-3..=4.0).contains(&state.noise.variance)
            && state.reservoir.is_sound()
            && state.last_fit.is_sound(state.outcomes, now_ms)
            && state.hold_out.is_sound()
            && state.contest.is_sound(now_ms)
            && state.forest.as_ref().is_none_or(|forest| forest.features() == WIDTH);
        if !is_sound {
            return Err(Error::OtherPolicy { policy: "a router with these settings" });
        }
        self.resume(state);
        Ok(())
    }
}
