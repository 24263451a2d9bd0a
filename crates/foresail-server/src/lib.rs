//! What people look at: the API with its dashboard ([`api`]), and reports as one self-contained HTML file ([`report`]).
//!
//! The API serves whatever implements [`api::ControlPlane`] and knows nothing of how it decides. A report is a pure function
//! from data to text; writing the file is the binary's business.
//!
//! ```
//! use foresail_server::report::{Block, Report, Section, Table, render};
//!
//! let mut table = Table::new("Late requests", ["policy", "late %"]);
//! table.row(["hpa@0.7", "0.081"]);
//! let section = Section::new("Scorecard").text("One week, replayed.").block(Block::Table(table));
//! let html = render(&Report::new("A week of load").section(section));
//! assert!(html.starts_with("<!doctype html>"));
//! assert!(html.contains("hpa@0.7"));
//! ```

pub mod api;
mod dashboard;
mod error;
pub mod report;

pub use error::Error;
