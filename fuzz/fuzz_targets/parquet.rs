#![no_main]

use std::panic::set_hook;

use foresail_ingest::Format;

// The reader catches what the Parquet library asserts of damaged files, so only panics of our own code are findings.
libfuzzer_sys::fuzz_target!(
    init: set_hook(Box::new(|panic| {
        if panic.location().is_some_and(|l| l.file().contains("foresail")) {
            eprintln!("{panic}");
            std::process::abort();
        }
    })),
    |bytes: &[u8]| foresail_fuzz::read_as(Some(Format::Parquet), bytes)
);
