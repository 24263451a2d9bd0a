//! The program from outside: arguments, files, exit codes, and what it prints.

mod backtest;
mod calls;
mod features;
mod forecast;
mod layers;
mod run;
mod simulate;
