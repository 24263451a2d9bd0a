//! Champion against challengers: what each would have done, and which of them may act.

mod ledger;

pub use ledger::{Account, Entry, Ledger};
