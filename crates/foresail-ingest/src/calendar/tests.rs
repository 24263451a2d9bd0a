//! What calendars become, and what is refused.

use proptest::prelude::*;

use super::*;

fn zone() -> TimeZone {
    TimeZone::named("Europe/Berlin").unwrap()
}

fn year() -> Range<Timestamp> {
    Timestamp::parse("2026-01-01").unwrap()..Timestamp::parse("2027-01-01").unwrap()
}

fn read(name: &str, text: &str) -> Result<Calendar, Error> {
    read_calendar(Source::bytes(name, text), &zone(), year())
}

fn shown(calendar: &Calendar) -> Vec<String> {
    calendar
        .events
        .iter()
        .map(|e| format!("{} {} {}/{} {} {}", e.from, e.to, e.kind, e.label, e.factor, e.floor))
        .collect()
}

#[test]
fn a_table_of_events() {
    let text = "from,to,kind,label,factor,floor\n\
        2026-11-27,2026-11-30,sale,Black Friday,2.5,40\n\
        2026-07-01 18:00:00,2026-07-01 20:00:00,match,final,,\n\
        2026-05-02T10:00:00Z,,deploy,v1.2,,\n\
        2024-05-01,,sale,old,,\n";
    let calendar = read("events.csv", text).unwrap();
    assert_eq!(
        shown(&calendar),
        [
            "2026-07-01T16:00:00Z 2026-07-01T18:00:00Z match/final 1 0",
            "2026-11-26T23:00:00Z 2026-11-30T23:00:00Z sale/Black Friday 2.5 40",
        ]
    );
    assert_eq!(
        calendar.deploys,
        [Deploy { at: Timestamp::parse("2026-05-02T10:00:00Z").unwrap(), label: "v1.2".into() }]
    );
}

#[test]
fn an_icalendar_with_rules_exceptions_and_moved_occurrences() {
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n\
        BEGIN:VEVENT\r\nUID:a\r\nDTSTART;TZID=America/New_York:20260105T090000\r\nDTEND;TZID=America/New_York:20260105T100000\r\n\
        RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=4\r\nEXDATE;TZID=America/New_York:20260202T090000\r\n\
        SUMMARY:News\r\n letter\\, monthly\r\nCATEGORIES:mailing,other\r\nX-FORESAIL-FACTOR:1.5\r\n\
        BEGIN:VALARM\r\nDTSTART:19990101\r\nEND:VALARM\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:a\r\nRECURRENCE-ID;TZID=America/New_York:20260302T090000\r\nDTSTART:20260303T150000Z\r\nDURATION:PT90M\r\n\
        SUMMARY:moved\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260328\r\nDTEND;VALUE=DATE:20260330\r\nSUMMARY:fair\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nDTSTART:20260101\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nDTSTART:20260601T120000Z\r\nCATEGORIES:deploy\r\nSUMMARY:v2\r\nEND:VEVENT\r\n\
        END:VCALENDAR\r\n";
    let calendar = read("events.ics", text).unwrap();
    assert_eq!(
        shown(&calendar),
        [
            "2026-01-05T14:00:00Z 2026-01-05T15:00:00Z mailing/Newsletter, monthly 1.5 0",
            "2026-03-03T15:00:00Z 2026-03-03T16:30:00Z /moved 1 0",
            // The night of the 29th is an hour short.
            "2026-03-27T23:00:00Z 2026-03-29T22:00:00Z /fair 1 0",
            "2026-04-06T13:00:00Z 2026-04-06T14:00:00Z mailing/Newsletter, monthly 1.5 0",
        ]
    );
    assert_eq!(calendar.deploys.len(), 1);
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_field() {
    let check = |name: &str, text: &str, expected: &str| {
        let message = read(name, text).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    };
    check("e.csv", "from,kind\nsoon,sale\n", "e.csv, line 2, column \"from\": \"soon\" is not a usable time");
    check(
        "e.csv",
        "from,to,kind\n2026-05-02 10:00:00,,sale\n",
        "e.csv, line 2, column \"to\": \"\" is not a usable time",
    );
    check(
        "e.csv",
        "from,kind,factor\n2026-05-02,sale,twice\n",
        "e.csv, line 2, column \"factor\": \"twice\" is not a number",
    );
    check("e.csv", "from,kind,floor\n2026-05-02,sale,-1\n", "e.csv, line 2, column \"floor\": \"-1\" is not a number");
    check(
        "e.csv",
        "kind,label\nsale,x\n",
        "e.csv, line 1, column \"from\": there is no such column; expected one of kind, label",
    );
    check("e.csv", "from,kind\n2026-05-02\n", "e.csv, line 2: cells in this row: 1; expected 2");
    check("e.csv", "from\n2026-05-02\n", "e.csv, line 2, column \"kind\": the entry of 2026-05-02 says nothing");
    let event = |inside: &str| format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{inside}\nEND:VEVENT\nEND:VCALENDAR\n");
    check("e.ics", &event("SUMMARY:x"), "e.ics, line 3, column \"DTSTART\": an event without a start");
    check("e.ics", &event("DTSTART:2026"), "e.ics, line 3, column \"DTSTART\": \"2026\" is not a usable time");
    check("e.ics", &event("DTSTART;TZID=Mars:20260101T000000"), "e.ics, line 3, column \"DTSTART\": the zone \"Mars\"");
    check(
        "e.ics",
        &event("DTSTART:20260101\nRRULE:FREQ=HOURLY"),
        "e.ics, line 4, column \"RRULE\": FREQ=HOURLY; expected a rule",
    );
    check(
        "e.ics",
        &event("DTSTART:20260101\nDURATION:1h"),
        "e.ics, line 4, column \"DURATION\": 1h; expected a duration",
    );
    check(
        "e.ics",
        "BEGIN:VCALENDAR\nEND:VEVENT\n",
        "e.ics, line 2, column \"END\": VEVENT; expected an end to what was begun last",
    );
    assert!(matches!(read_calendar("/nowhere/e.ics", &zone(), year()), Err(Error::Io { .. })));
}

proptest! {
    /// Whatever the bytes, they are read or refused.
    #[test]
    fn any_text_is_read_or_refused(
        lines in prop::collection::vec(
            prop_oneof![
                "[ -~]{0,40}",
                "(DTSTART|DTEND|EXDATE|RECURRENCE-ID)(;TZID=(Europe/Paris|X))?:[0-9]{0,9}T?[0-9]{0,7}Z?",
                "RRULE:FREQ=(DAILY|MONTHLY|YEARLY|WEEKLY);(INTERVAL|COUNT|BYDAY|BYMONTHDAY|BYMONTH|UNTIL)=[-0-9A-Z,]{0,9}",
                "DURATION:P[0-9]{0,3}[WDTHMS]{0,2}[0-9é]{0,3}",
                "(BEGIN|END):(VEVENT|VCALENDAR)",
            ],
            0..12,
        ),
        ics in any::<bool>(),
    ) {
        let head = if ics { "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\n" } else { "from,to,kind\n" };
        let tail = if ics { "\nEND:VEVENT\nEND:VCALENDAR" } else { "" };
        let _ = read("any", &format!("{head}{}{tail}", lines.join("\n")));
    }
}
