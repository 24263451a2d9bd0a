//! What the arguments of several commands share: durations, times and inputs.

mod input;
mod known;
mod span;

pub(crate) use input::{Input, Loaded, Reading, steps};
pub(crate) use known::KnownArgs;
pub(crate) use span::{Span, fraction, levels, positive, when};
