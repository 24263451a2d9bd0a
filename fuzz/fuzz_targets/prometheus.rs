#![no_main]

use foresail_ingest::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| foresail_fuzz::read_as(Some(Format::Prometheus), bytes));
