//! What `simulate`, `demo` and `bench scale` share: a load on ticks, policies replayed side by side, and their scores. And
//! the benchmark of forecasts on published sets, backtests of thousands of series, and balancers and the guard beside
//! other proxies.

pub(crate) mod balance;
pub(crate) mod bulk;
pub(crate) mod gift;
pub(crate) mod guard;
pub(crate) mod league;
pub(crate) mod peers;
pub(crate) mod process;
pub(crate) mod score;
pub(crate) mod setup;
pub(crate) mod study;
pub(crate) mod sweep;
pub(crate) mod ticks;
