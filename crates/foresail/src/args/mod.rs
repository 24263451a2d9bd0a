//! What the arguments of several commands share: durations, times and inputs.

mod input;
mod span;

pub(crate) use input::{Input, Loaded, Reading, steps};
pub(crate) use span::{Span, fraction, levels, positive, when};
