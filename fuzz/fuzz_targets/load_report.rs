#![no_main]

use foresail_proxy::parse::LoadReport;

// What is read is in range, and reads the same when it is written again.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(read) = LoadReport::parse(bytes) else { return };
    assert!(bytes.len() <= 128);
    let named = [("rif", read.in_flight), ("lat", read.latency_ms), ("cpu", read.resource)];
    let mut items = Vec::new();
    for (name, value) in named {
        if let Some(value) = value {
            assert!((0.0..=1e9).contains(&value));
            items.push(format!("{name}={value}"));
        }
    }
    // Tiny numbers are longer in full than as they came.
    let written = items.join(";");
    assert!(written.len() > 128 || LoadReport::parse(written.as_bytes()) == Some(read));
});
