//! What `simulate`, `demo` and `bench scale` share: a load on ticks, policies replayed side by side, and their scores.

pub(crate) mod league;
pub(crate) mod score;
pub(crate) mod setup;
pub(crate) mod study;
pub(crate) mod sweep;
pub(crate) mod ticks;
