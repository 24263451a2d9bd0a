//! The program from outside: arguments, files, exit codes, and what it prints.

mod backtest;
mod bench;
mod bulk;
mod calls;
mod config;
mod demo;
mod features;
mod fingerprint;
mod forecast;
mod generate;
mod layers;
mod run;
mod simulate;
