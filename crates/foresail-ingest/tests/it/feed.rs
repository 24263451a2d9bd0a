//! Calendars and signals behind an address.

use std::ops::Range;

use foresail_core::{TimeZone, Timestamp};
use foresail_http::ClientOptions;
use foresail_ingest::{Error, Feed, ReadOptions, read_calendar, read_signals};

use super::prometheus_http::{answer, host};

fn year() -> Range<Timestamp> {
    Timestamp::parse("2026-01-01").unwrap()..Timestamp::parse("2027-01-01").unwrap()
}

#[tokio::test]
async fn a_feed_is_fetched_and_read() {
    let address = host(|asked| {
        Some(match asked.path.as_str() {
            "/sales.ics" => answer(
                200,
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261127\nSUMMARY:sale\nEND:VEVENT\nEND:VCALENDAR\n",
            ),
            "/weather.csv" => answer(200, "time,degrees\n2026-03-01T00:00:00Z,5\n2026-03-01T01:00:00Z,warm\n"),
            "/visits.csv" => answer(200, "time,visits\n2026-03-01T00:00:00Z,5\n2026-03-01T01:00:00Z,6\n"),
            _ => answer(404, "not here"),
        })
    })
    .await;
    let feed = |path: &str| Feed::new(&format!("http://{address}{path}"), &ClientOptions::default()).unwrap();
    let calendar = read_calendar(feed("/sales.ics").fetch().await.unwrap(), &TimeZone::utc(), year()).unwrap();
    assert_eq!(calendar.events[0].label, "sale");
    let signals = read_signals(feed("/visits.csv").fetch().await.unwrap(), &ReadOptions::default()).unwrap();
    assert_eq!(signals[0].at(year().end), Some(6.0));

    // What is wrong is named by its address and place.
    let options = ReadOptions { values: vec!["degrees".into()], ..ReadOptions::default() };
    let broken = read_signals(feed("/weather.csv").fetch().await.unwrap(), &options).unwrap_err().to_string();
    assert!(broken.starts_with(&format!("http://{address}/weather.csv, line 3, column \"degrees\"")), "{broken}");
    let missing = feed("/gone.csv").fetch().await.err().unwrap();
    assert_eq!(missing.to_string(), format!("http://{address}/gone.csv answers 404: not here"));
    assert!(!missing.is_transient() && matches!(missing, Error::Refused { status: 404, .. }));
    assert!(Feed::new("ftp://example.org/x", &ClientOptions::default()).is_err());
}
