//! Local time of many instants in a row.

use foresail_core::{TimeZone, Timestamp};

/// Microseconds in a day.
pub(super) const DAY_US: i64 = 86_400_000_000;

/// A zone's clock on the wall. The zone is asked again only where its offset may have changed.
pub(super) struct Wall<'a> {
    zone: &'a TimeZone,
    offset_us: i64,
    from: i64,
    until: i64,
}

impl<'a> Wall<'a> {
    /// The clock of `zone`.
    pub(super) fn new(zone: &'a TimeZone) -> Self {
        Self { zone, offset_us: 0, from: i64::MAX, until: i64::MIN }
    }

    /// Microseconds since 1970-01-01T00:00 of the wall clock.
    pub(super) fn local_us(&mut self, time: Timestamp) -> i64 {
        let micros = time.as_micros();
        if micros < self.from || micros >= self.until {
            let (offset_s, until) = self.zone.offset_at(time);
            self.offset_us = i64::from(offset_s) * 1_000_000;
            (self.from, self.until) = (micros, until.map_or(i64::MAX, Timestamp::as_micros));
        }
        micros.saturating_add(self.offset_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_are_followed_both_ways() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let mut wall = Wall::new(&berlin);
        let mut hour = |text: &str| wall.local_us(Timestamp::parse(text).unwrap()).rem_euclid(DAY_US) / 3_600_000_000;
        assert_eq!(hour("2026-10-24T23:00:00Z"), 1);
        assert_eq!(hour("2026-10-25T00:59:00Z"), 2);
        assert_eq!(hour("2026-10-25T01:00:00Z"), 2);
        assert_eq!(hour("2026-07-01T00:00:00Z"), 2);
        assert_eq!(hour("2026-12-01T00:00:00Z"), 1);
    }
}
