//! Real processes on loopback ports. The copies are this test binary itself, in the role its environment gives it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adoption;
mod ending;
mod health;
mod roles;
mod scaling;
mod sizing;
mod support;
