//! The commands, one a file: its arguments and what it does with them.

pub(crate) mod backtest;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod features;
pub(crate) mod fingerprint;
pub(crate) mod forecast;
pub(crate) mod generate;
pub(crate) mod man;
pub(crate) mod picks;
pub(crate) mod run;
pub(crate) mod sample_load;
pub(crate) mod sample_proxy;
pub(crate) mod simulate;
pub(crate) mod tour;
