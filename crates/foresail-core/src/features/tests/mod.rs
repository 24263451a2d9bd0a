//! Gates of the features: parity, no look-ahead, and values computed in another way.

mod golden;
mod parity;
