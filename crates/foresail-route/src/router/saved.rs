//! A router's learned state as plain data with a version.

use serde::{Deserialize, Serialize};

use super::Router;
use super::cell::{Cell, Pair};
use super::features::WIDTH;
use super::learner::State;
use super::model::MOST_SERVICES;
use crate::Error;

/// What the present code writes and reads.
const VERSION: u32 = 1;

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

    /// Goes on from what a router of the same settings and seed has saved, exactly as that one would have.
    ///
    /// # Errors
    /// [`Error::OtherVersion`], or [`Error::OtherPolicy`] if it cannot be a router's with these settings.
    pub fn restore(&mut self, saved: SavedRouter) -> Result<(), Error> {
        if saved.version != VERSION {
            return Err(Error::OtherVersion { found: saved.version, read: VERSION });
        }
        let state = *saved.state;
        let services = state.services.len();
        let is_sound_pair = |pair: &Pair| pair.cell.is_sound() && pair.residual.is_sound();
        let is_sound = services <= MOST_SERVICES
            && state.services.iter().all(|service| service.all.is_sound() && service.residual.is_sound())
            && state.classes.is_sound(services, self.config.classes, is_sound_pair)
            && state.contexts.is_sound(services, self.config.contexts, Cell::is_sound)
            && state.all.is_sound()
            && state.noise.mean.is_finite()
            && (1e-3..=4.0).contains(&state.noise.variance)
            && state.reservoir.is_sound()
            && state.last_fit.is_sound(state.outcomes)
            && state.forest.as_ref().is_none_or(|forest| forest.features() == WIDTH);
        if !is_sound {
            return Err(Error::OtherPolicy { policy: "a router with these settings" });
        }
        self.resume(state);
        Ok(())
    }
}
