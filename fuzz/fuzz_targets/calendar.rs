#![no_main]

use foresail_core::{TimeZone, Timestamp};
use foresail_ingest::{Source, read_calendar};

// Calendars as tables and as iCalendar: what comes out touches the window and is in order.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let window = Timestamp::from_secs(1_767_225_600)..Timestamp::from_secs(1_798_761_600);
    match read_calendar(Source::bytes("fuzz", bytes), &TimeZone::utc(), window.clone()) {
        Ok(calendar) => {
            for event in &calendar.events {
                assert!(event.from <= event.to && event.from < window.end && event.to >= window.start, "{event:?}");
                assert!(event.factor.is_finite() && event.factor >= 0.0, "{event:?}");
            }
            assert!(calendar.events.is_sorted_by_key(|event| event.from));
        }
        Err(error) => drop(error.to_string()),
    }
});
