//! From results to words: the text on the terminal and the pages of `--report`.

pub(crate) mod backtest;
pub(crate) mod demo;
pub(crate) mod fingerprint;
pub(crate) mod forecast;
pub(crate) mod simulate;
