//! Backtests of thousands of series: files are listed, cut into chunks of fixed size, and each chunk becomes a part of the
//! results that is there whole or not at all. So a run that was killed goes on with the chunks that are missing, shards of it
//! run anywhere, and what comes of them is the same bytes.

mod chunk;
mod inputs;
mod manifest;
mod merge;
mod run;

pub(crate) use chunk::Test;
pub(crate) use inputs::{InputFile, list};
pub(crate) use manifest::Manifest;
pub(crate) use merge::{Summary, merge};
pub(crate) use run::{Share, run};
