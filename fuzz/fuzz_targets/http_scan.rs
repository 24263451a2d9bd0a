#![no_main]

use foresail_proxy::parse::Scanner;

// However the bytes are cut, as many heads pass and the same is refused; of a line that is refused, its beginning may have
// passed with an earlier piece.
libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = (usize::from(input.0).max(1), input.1);
    let mut whole = Scanner::new(4096, 32);
    let at_once = whole.feed(bytes);
    assert!(at_once.bytes <= bytes.len());
    let mut cut = Scanner::new(4096, 32);
    let (mut from, mut to, mut refusal) = (0, 0, None);
    while to < bytes.len() && refusal.is_none() {
        to = (to + step).min(bytes.len());
        let passed = cut.feed(&bytes[from..to]);
        assert!(passed.bytes <= to - from);
        from += passed.bytes;
        refusal = passed.refusal;
    }
    assert_eq!((refusal, cut.heads()), (at_once.refusal, whole.heads()));
    assert!(from == at_once.bytes || (refusal.is_some() && from > at_once.bytes));
    if refusal.is_none() {
        assert_eq!((cut.in_body(), cut.is_opaque()), (whole.in_body(), whole.is_opaque()));
    }
});
