#![no_main]

use foresail_proxy::parse::Traceparent;

// What is read is written again as it was, down to the byte for the version that we write.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(read) = Traceparent::parse(bytes) else { return };
    let written = read.to_string();
    assert!(read.trace != 0 && read.span != 0);
    assert_eq!(written.as_bytes()[2..], bytes[2..55]);
    assert!(bytes.len() == 55 || (!bytes.starts_with(b"00") && bytes[55] == b'-'));
    assert_eq!(Traceparent::parse(written.as_bytes()), Some(read));
});
