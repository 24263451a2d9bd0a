//! What befalls a load, whatever its pattern.

use std::time::Duration;

use foresail_core::{TimeZone, Timestamp};

use super::{Error, Kind, Planted};

const DAY: Duration = Duration::from_secs(86_400);
const SAWTOOTH_PERIOD: Duration = Duration::from_secs(2_400);

/// One thing to befall a load.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// What: one of the first eight of [`Kind::ALL`].
    pub kind: Kind,
    /// When, after the start of the series.
    pub after: Duration,
    /// For how long; a holiday or missing day is widened to whole local days.
    pub length: Duration,
    /// How strong, as [`Kind`] says: finite, and not negative except for a phase shift.
    pub factor: f64,
}

impl Overlay {
    /// An overlay of usual length and strength.
    pub fn usual(kind: Kind, after: Duration) -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let (length, factor) = match kind {
            Kind::FlashCrowd => (hours(2), 5.0),
            Kind::LevelShift => (hours(24 * 365), 1.6),
            Kind::PhaseShift => (hours(24 * 365), 1.0),
            Kind::Holiday => (DAY, 0.5),
            Kind::Outage => (hours(1), 0.0),
            Kind::MissingDay => (DAY, 0.0),
            Kind::Attack => (Duration::from_secs(1_200), 10.0),
            Kind::Sawtooth => (hours(8), 3.0),
            Kind::Campaign | Kind::Batch | Kind::Spike | Kind::Drop | Kind::BrokenCorrelation => (hours(1), 1.0),
        };
        Self { kind, after, length, factor }
    }
}

/// The overlays on a grid.
pub(super) struct Effects {
    planted: Vec<Planted>,
}

impl Effects {
    pub(super) fn new(overlays: &[Overlay], start: Timestamp, zone: &TimeZone) -> Result<Self, Error> {
        let mut planted = Vec::new();
        for overlay in overlays {
            let kind = overlay.kind;
            if kind >= Kind::Campaign {
                let names: Vec<String> =
                    Kind::ALL.iter().filter(|k| **k < Kind::Campaign).map(Kind::to_string).collect();
                return Err(Error::BadOption {
                    option: "overlay",
                    found: kind.to_string(),
                    expected: names.join(", "),
                });
            }
            if !overlay.factor.is_finite() || (overlay.factor < 0.0 && kind != Kind::PhaseShift) {
                return Err(Error::BadOption {
                    option: "overlay factor",
                    found: overlay.factor.to_string(),
                    expected: "a finite number, not negative except for a phase shift".to_owned(),
                });
            }
            let (mut from, mut to) = (start + overlay.after, start + overlay.after + overlay.length);
            if matches!(kind, Kind::Holiday | Kind::MissingDay) {
                from = midnight_before(from, zone);
                // From noon, so that a day of 23 or 25 hours still ends at its midnight.
                let last = midnight_before(to - Duration::from_micros(1), zone);
                to = midnight_before(last + DAY + DAY / 2, zone);
            }
            let factor = if matches!(kind, Kind::Outage | Kind::MissingDay) { 0.0 } else { overlay.factor };
            planted.push(Planted { kind, from, to, factor, column: None });
        }
        Ok(Self { planted })
    }

    pub(super) fn planted(&self) -> Vec<Planted> {
        self.planted.clone()
    }

    fn at(&self, time: Timestamp) -> impl Iterator<Item = &Planted> {
        self.planted.iter().filter(move |p| p.from <= time && time < p.to)
    }

    /// The time whose pattern holds at `time`.
    pub(super) fn pattern_time(&self, time: Timestamp) -> Timestamp {
        let hours: f64 = self.at(time).filter(|p| p.kind == Kind::PhaseShift).map(|p| p.factor).sum();
        Timestamp::from_micros(time.as_micros().saturating_add((hours * 3.6e9) as i64))
    }

    /// What the load is multiplied by.
    pub(super) fn factor(&self, time: Timestamp) -> f64 {
        let one = |p: &Planted| {
            let excess = match p.kind {
                Kind::FlashCrowd => crowd(fraction(p, time)),
                Kind::LevelShift | Kind::Holiday => 1.0,
                Kind::Sawtooth => {
                    let elapsed = time.since(p.from).as_secs_f64();
                    (elapsed / SAWTOOTH_PERIOD.as_secs_f64()).fract()
                }
                _ => 0.0,
            };
            1.0 + (p.factor - 1.0) * excess
        };
        self.at(time).map(one).product()
    }

    /// What is added to the load, in multiples of its typical level.
    pub(super) fn added(&self, time: Timestamp) -> f64 {
        self.at(time).filter(|p| p.kind == Kind::Attack).map(|p| p.factor).sum()
    }

    pub(super) fn is_down(&self, time: Timestamp) -> bool {
        self.at(time).any(|p| p.kind == Kind::Outage)
    }

    pub(super) fn is_missing(&self, time: Timestamp) -> bool {
        self.at(time).any(|p| p.kind == Kind::MissingDay)
    }
}

/// How much of it is past, in 0..1.
fn fraction(planted: &Planted, time: Timestamp) -> f64 {
    time.since(planted.from).as_secs_f64() / planted.to.since(planted.from).as_secs_f64()
}

/// The excess of a flash crowd, 1 at its height.
fn crowd(fraction: f64) -> f64 {
    const RISE: f64 = 0.05;
    if fraction < RISE { fraction / RISE } else { 0.5_f64.powf((fraction - RISE) / 0.2) }
}

fn midnight_before(time: Timestamp, zone: &TimeZone) -> Timestamp {
    let into_day = |t: Timestamp| Duration::from_secs((t.civil(zone).minute_of_day() * 60.0).round() as u64);
    let whole_second = time.floor_to(Duration::from_secs(1));
    let midnight = whole_second - into_day(whole_second);
    // Where the clocks changed since midnight, one more look corrects the hour.
    let off = into_day(midnight);
    match off.as_secs() {
        0 => midnight,
        s if s > 43_200 => midnight + (DAY - off),
        _ => midnight - off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(overlays: &[Overlay]) -> Effects {
        Effects::new(overlays, Timestamp::EPOCH, &TimeZone::utc()).unwrap()
    }

    fn at(hours: f64) -> Timestamp {
        Timestamp::from_secs((hours * 3_600.0) as i64)
    }

    #[test]
    fn a_flash_crowd_rises_fast_and_thins_out() {
        let effects = effects(&[Overlay { length: DAY, ..Overlay::usual(Kind::FlashCrowd, Duration::ZERO) }]);
        assert_eq!(effects.factor(at(0.0)), 1.0);
        assert!((effects.factor(at(1.2)) - 5.0).abs() < 1e-9);
        assert!((effects.factor(at(6.0)) - 3.0).abs() < 1e-9);
        assert_eq!(effects.factor(at(24.0)), 1.0);
    }

    #[test]
    fn overlays_multiply_and_each_does_its_own() {
        let hour = Duration::from_secs(3_600);
        let both = effects(&[
            Overlay::usual(Kind::LevelShift, hour),
            Overlay { factor: 0.5, ..Overlay::usual(Kind::LevelShift, 2 * hour) },
            Overlay { factor: -2.0, ..Overlay::usual(Kind::PhaseShift, hour) },
            Overlay::usual(Kind::Attack, hour),
            Overlay::usual(Kind::Outage, 5 * hour),
        ]);
        assert_eq!([0.5, 1.5, 2.5].map(|h| both.factor(at(h))), [1.0, 1.6, 0.8]);
        assert_eq!(both.pattern_time(at(0.5)), at(0.5));
        assert_eq!(both.pattern_time(at(3.0)), at(1.0));
        assert_eq!([0.9, 1.1, 1.5].map(|h| both.added(at(h))), [0.0, 10.0, 0.0]);
        assert_eq!([4.9, 5.1, 6.1].map(|h| both.is_down(at(h))), [false, true, false]);
    }

    #[test]
    fn a_sawtooth_climbs_and_falls_back() {
        let effects = effects(&[Overlay::usual(Kind::Sawtooth, Duration::ZERO)]);
        let factors = [0, 20, 39, 40].map(|minute| effects.factor(Timestamp::from_secs(minute * 60)));
        assert_eq!(factors[..2], [1.0, 2.0]);
        assert!(factors[2] > 2.9 && factors[3] == 1.0);
    }

    #[test]
    fn days_off_are_whole_local_days_even_when_clocks_change() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let start = Timestamp::parse("2026-03-29T10:00:00Z").unwrap();
        let holiday = [Overlay::usual(Kind::Holiday, Duration::ZERO)];
        let planted = Effects::new(&holiday, start, &berlin).unwrap().planted();
        assert_eq!(planted[0].from.to_string(), "2026-03-28T23:00:00Z");
        // A day's length after ten in the morning reaches into the next day.
        assert_eq!(planted[0].to.to_string(), "2026-03-30T22:00:00Z");
    }

    #[test]
    fn what_a_pattern_plants_cannot_be_laid_over_it() {
        let refused = Effects::new(&[Overlay::usual(Kind::Spike, DAY)], Timestamp::EPOCH, &TimeZone::utc());
        assert!(refused.is_err_and(|e| e.to_string().contains("flash_crowd")));
        let endless = Overlay { factor: f64::INFINITY, ..Overlay::usual(Kind::Attack, DAY) };
        assert!(Effects::new(&[endless], Timestamp::EPOCH, &TimeZone::utc()).is_err());
    }
}
