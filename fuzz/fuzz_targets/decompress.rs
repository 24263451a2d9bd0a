#![no_main]

const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

// As it comes, with its format left open, and behind the headers that lead to either decoder.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    foresail_fuzz::read_as(None, bytes);
    foresail_fuzz::read_as(None, &[GZIP, bytes].concat());
    foresail_fuzz::read_as(None, &[ZSTD, bytes].concat());
});
