//! An append-only journal that shows when it was tampered with.
//!
//! A text file: a line that names format and version, then a line a record,
//! `{"chain":"<64 hexadecimal digits>","record":{…}}`. The chain is the SHA-256 of the chain before it (of the first
//! line's text, for the first record) and of the record's text, so that changing, dropping or moving a line breaks every
//! chain from there on. Whole lines missing at the very end can only be seen by comparing [`Journal::head`] with a copy
//! kept elsewhere.
//!
//! A last line without its line feed was torn by a crash before it was acknowledged. It is no record: readers report it,
//! and opening the journal for appending cuts it off. A reader beside a live writer may see the line being written so.

mod line;
mod reader;
mod writer;

pub use reader::{JournalReader, Torn, find};
pub use writer::Journal;
