//! Copies of a command on this machine (Linux).
//!
//! One supervising task owns all state: what is wanted, the copies, the state file, the logs. It is fed by a bounded
//! queue of commands (from the handle, [`ProcessActuator`]) and of events (from one keeper task a process, which probes
//! it, signals it and waits for its end). What to start and stop is a pure function (`plan`).
//!
//! **Starting.** A copy gets a free port, in `{port}` placeholders and as `PORT`, leads a process group of its own, and is
//! ready once its probe succeeds. One that ends unasked is started again, at once if it had been stable, else after an
//! exponential back-off.
//!
//! **Stopping.** A copy first leaves [`ProcessActuator::endpoints`], then after the drain delay its group gets SIGTERM,
//! and SIGKILL after the grace period.
//!
//! **After Foresail.** [`OnExit`] says what an orderly end does with the copies and [`OnCrash`] what any other end does.
//! Copies left running are adopted by the next actuator on the same folder: the state file names them, with the start
//! time of the process against reuse of its id, and an environment variable marks those that a crash kept out of the
//! file. Output goes straight to files, so that no pipe breaks when Foresail goes.

mod adopt;
mod backoff;
mod check;
mod config;
mod copies;
mod fleet;
mod handle;
mod http;
mod keeper;
mod logs;
mod opening;
mod plan;
mod ports;
mod proc_fs;
mod resize;
mod running;
mod spawn;
mod state;
mod supervisor;
mod warm;
mod watchdog;

pub use config::{
    Backoff, Logs, OnCrash, OnExit, PortRange, Probe, ProcessConfig, Readiness, Resize, ResizeBy, ResizeSignal,
    ResourceLimits, Warm,
};
pub use handle::ProcessActuator;
