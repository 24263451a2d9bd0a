//! An append-only journal that shows when it was tampered with.
//!
//! A text file: a line that names format and version, then a line an entry,
//! `{"chain":"<64 hexadecimal digits>","record":{…}}`. The chain is the SHA-256 of the chain before it (of the first
//! line's text, for the first entry) and of the entry's text, so that changing, dropping or moving a line breaks every
//! chain from there on. Whole lines missing at the very end can only be seen by comparing [`Journal::head`] with a copy
//! kept elsewhere, such as [`JournalMark`](crate::JournalMark).
//!
//! A last line without its line feed was torn by a crash before it was acknowledged. It is no entry: readers report it,
//! and opening the journal for appending cuts it off. A reader beside a live writer may see the line being written so.
//!
//! A journal that has grown ([`Rotation`]) goes on in a new file: the old one is renamed from `NAME` to `NAME.000001`
//! and so on, never to be written again, and the first line of the new one repeats how many records there were and the
//! chain up to there. Readers are given `NAME` and begin with the oldest file there is.

mod files;
mod line;
mod reader;
mod writer;

pub use reader::{JournalReader, Torn, entries_after, find, find_entry};
pub use writer::{Journal, Rotation};
