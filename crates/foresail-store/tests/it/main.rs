//! The store against real files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers included")]

mod features;
mod history;
mod journal;
mod killed;
mod rotation;
mod state;
