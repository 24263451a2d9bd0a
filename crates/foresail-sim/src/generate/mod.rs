//! Seeded load: the laws of the founding exercises, event streams, adversities, and the truth of what was planted.
//!
//! One seed gives one frame, on every platform. Each part draws from a stream of its own, so an overlay never changes
//! the noise under it.

mod adversity;
mod draw;
mod error;
mod events;
mod exercise2;
mod exercise3;
mod overlay;
mod truth;

use std::time::Duration;

use foresail_core::{Civil, Column, Frame, SeededRng, TimeZone, Timestamp};

pub use adversity::{Adversity, adversarial};
pub use error::Error;
pub use exercise3::load_at as exercise3_load;
pub use overlay::Overlay;
pub use truth::{Kind, Planted, Truth};

use error::choices;
use overlay::Effects;

choices! {
    /// What the load follows.
    Pattern ("pattern") {
        /// The law of the predictive autoscaler exercise: `requests`.
        Exercise3 = "exercise3",
        /// The metrics of the anomaly detection exercise, with planted anomalies: `requests`, `cpu`, `memory`,
        /// `response_time`.
        Exercise2 = "exercise2",
        /// Events of a queue service that come in scheduled batches, the largest at night; ScaleIQ's columns.
        EventsBursty = "events_bursty",
        /// Events that follow the day and the week, with announced campaigns; ScaleIQ's columns.
        EventsCampaigns = "events_campaigns",
        /// Jobs that each bring a heavy-tailed number of events (compound Poisson); ScaleIQ's columns.
        EventsHeavyTailed = "events_heavy_tailed",
    }
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// The law.
    pub pattern: Pattern,
    /// Start of the first row.
    pub start: Timestamp,
    /// Length in days of 24 hours, at least 1.
    pub days: u32,
    /// Length of a row, a positive whole number of microseconds; a day holds a whole or broken number of them.
    pub step: Duration,
    /// Zone in which hours and weekdays are read.
    pub zone: TimeZone,
    /// Seed of everything random.
    pub seed: u64,
    /// What befalls the load; several multiply.
    pub overlays: Vec<Overlay>,
    /// Multiplies loads (not utilisations or times), after noise and floor; positive.
    pub scale: f64,
}

impl GenerateOptions {
    /// Four weeks from Monday 2026-01-05 in UTC, seed 0: by the minute, or, for events, by two minutes as ScaleIQ.
    pub fn new(pattern: Pattern) -> Self {
        let step_s = match pattern {
            Pattern::Exercise2 | Pattern::Exercise3 => 60,
            Pattern::EventsBursty | Pattern::EventsCampaigns | Pattern::EventsHeavyTailed => 120,
        };
        Self {
            pattern,
            start: Timestamp::from_secs(1_767_571_200),
            days: 28,
            step: Duration::from_secs(step_s),
            zone: TimeZone::utc(),
            seed: 0,
            overlays: Vec::new(),
            scale: 1.0,
        }
    }
}

/// A series and what was planted in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The series; its target is the load.
    pub frame: Frame,
    /// Every anomaly, overlay and campaign.
    pub truth: Truth,
}

/// More rows than anyone generates on purpose.
const MAX_ROWS: u128 = 50_000_000;

/// Generates a series.
///
/// # Errors
/// [`Error::BadOption`] for an option out of its range.
pub fn generate(options: &GenerateOptions) -> Result<Generated, Error> {
    let canvas = Canvas::new(options)?;
    let (columns, mut planted) = match options.pattern {
        Pattern::Exercise3 => exercise3::paint(&canvas),
        Pattern::Exercise2 => exercise2::paint(&canvas),
        Pattern::EventsBursty => events::paint(&canvas, events::Stream::Bursty),
        Pattern::EventsCampaigns => events::paint(&canvas, events::Stream::Campaigns),
        Pattern::EventsHeavyTailed => events::paint(&canvas, events::Stream::HeavyTailed),
    };
    planted.extend(canvas.effects.planted());
    Ok(canvas.finish(options.pattern.to_string(), columns, planted))
}

/// The grid and what every law needs of the options.
struct Canvas {
    start: Timestamp,
    step: Duration,
    rows: usize,
    zone: TimeZone,
    seed: u64,
    scale: f64,
    effects: Effects,
}

impl Canvas {
    fn new(options: &GenerateOptions) -> Result<Self, Error> {
        let bad = |option, found: String, expected| Err(Error::BadOption { option, found, expected });
        let span = u128::from(options.days) * 86_400_000_000;
        let step = options.step.as_nanos();
        if step == 0 || !step.is_multiple_of(1_000) {
            return bad("step", format!("{:?}", options.step), "a positive whole number of microseconds".to_owned());
        }
        let rows = span / options.step.as_micros();
        if !(2..=MAX_ROWS).contains(&rows) {
            return bad("days", options.days.to_string(), format!("2 to {MAX_ROWS} rows at the step given"));
        }
        if !(options.scale.is_finite() && options.scale > 0.0) {
            return bad("scale", options.scale.to_string(), "a positive number".to_owned());
        }
        let effects = Effects::new(&options.overlays, options.start, &options.zone)?;
        Ok(Self {
            start: options.start,
            step: options.step,
            rows: rows as usize,
            zone: options.zone.clone(),
            seed: options.seed,
            scale: options.scale,
            effects,
        })
    }

    fn time(&self, row: usize) -> Timestamp {
        Timestamp::from_micros(self.start.as_micros() + self.step.as_micros() as i64 * row as i64)
    }

    /// The row at or before `time`, clamped to the grid.
    fn row_at(&self, time: Timestamp) -> usize {
        let rows = time.since(self.start).as_micros() / self.step.as_micros();
        (rows as usize).min(self.rows)
    }

    /// Rows in `span`, at least 1.
    fn rows_in(&self, span: Duration) -> usize {
        (span.as_micros() / self.step.as_micros()).max(1) as usize
    }

    fn step_s(&self) -> f64 {
        self.step.as_secs_f64()
    }

    /// The stream of random numbers of the part called `label`.
    fn rng(&self, label: u64) -> SeededRng {
        SeededRng::seed_from_u64(self.seed).fork(label)
    }

    /// A load without noise, at every row: the law, seen through the overlays. `mean` is the law's typical level, which
    /// an attack multiplies.
    fn load(&self, mean: f64, law: impl Fn(&Civil) -> f64) -> Vec<f64> {
        let row = |i| {
            let time = self.time(i);
            let pattern = law(&self.effects.pattern_time(time).civil(&self.zone));
            pattern * self.effects.factor(time) + mean * self.effects.added(time)
        };
        (0..self.rows).map(row).collect()
    }

    /// The same values, 0 where an outage holds.
    fn down_in_outages(&self, values: &mut [f64]) {
        for (row, value) in values.iter_mut().enumerate() {
            if self.effects.is_down(self.time(row)) {
                *value = 0.0;
            }
        }
    }

    /// A column with the gaps that the overlays make.
    fn column(&self, name: &str, values: Vec<f64>) -> Column {
        let seen = |(row, value)| (!self.effects.is_missing(self.time(row))).then_some(value);
        Column::new(name, values.into_iter().enumerate().map(seen))
    }

    fn finish(self, pattern: String, columns: Vec<Column>, mut planted: Vec<Planted>) -> Generated {
        planted.sort_by_key(|p| (p.from, p.to, p.kind));
        let frame = Frame::new(self.start, self.step, self.zone, columns)
            .expect("every law paints one value a row in columns of its own names, and the step was checked");
        Generated { frame, truth: Truth { pattern, seed: self.seed, planted } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn exercise3(seed: u64, overlays: Vec<Overlay>) -> Generated {
        generate(&GenerateOptions { seed, overlays, ..GenerateOptions::new(Pattern::Exercise3) }).unwrap()
    }

    #[test]
    fn a_seed_gives_one_series() {
        for &pattern in Pattern::ALL {
            let with = |seed| generate(&GenerateOptions { seed, days: 3, ..GenerateOptions::new(pattern) }).unwrap();
            assert_eq!(with(1), with(1), "{pattern}");
            assert_ne!(with(1).frame, with(2).frame, "{pattern}");
            assert!(with(1).frame.columns().iter().all(|c| c.values().iter().all(|v| *v >= 0.0)), "{pattern}");
        }
    }

    /// Around the law lies N(0, 5), and nothing below the floor.
    #[test]
    fn the_third_exercise_is_its_law_and_noise() {
        let got = exercise3(3, Vec::new()).frame;
        assert_eq!(got.len(), 28 * 1_440);
        assert!(got.min() >= 10.0);
        let residuals: Vec<f64> = (0..got.len())
            .map(|i| (got.target()[i], exercise3_load(&got.time(i).civil(got.zone()))))
            .filter(|(_, law)| *law > 35.0)
            .map(|(value, law)| value - law)
            .collect();
        let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
        let deviation = (residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64).sqrt();
        assert!(mean.abs() < 0.1 && (deviation - 5.0).abs() < 0.1, "{mean} {deviation}");
    }

    #[test]
    fn the_law_is_read_in_the_local_zone() {
        let zone = TimeZone::named("Asia/Tokyo").unwrap();
        let tokyo = generate(&GenerateOptions { zone, ..GenerateOptions::new(Pattern::Exercise3) }).unwrap().frame;
        let utc = exercise3(0, Vec::new()).frame;
        let law = |frame: &Frame, row: usize| exercise3_load(&frame.time(row).civil(frame.zone()));
        for row in (0..utc.len()).filter(|&i| tokyo.target()[i] > 10.0 && utc.target()[i] > 10.0) {
            let (values, laws) = (tokyo.target()[row] - utc.target()[row], law(&tokyo, row) - law(&utc, row));
            assert!((values - laws).abs() < 1e-9, "row {row}");
        }
        assert_eq!(law(&tokyo, 180), 80.0 * 1.5 * 1.2); // 3:00 UTC is noon in Tokyo
    }

    /// Outside an overlay's time, every value stays bit for bit what it was.
    #[test]
    fn an_overlay_changes_nothing_but_its_own_time() {
        let calm = exercise3(4, Vec::new()).frame;
        for &kind in &Kind::ALL[..8] {
            let overlay = Overlay { length: DAY / 2, ..Overlay::usual(kind, 8 * DAY + DAY / 3) };
            let got = exercise3(4, vec![overlay]);
            let [planted] = &got.truth.planted[..] else { panic!("one of {kind}") };
            let inside = got.frame.index_at(planted.from)..got.frame.index_at(planted.to);
            let cell = |frame: &Frame, i: usize| frame.target_column().get(i);
            let changed = (0..calm.len()).filter(|&i| cell(&got.frame, i) != cell(&calm, i)).collect::<Vec<_>>();
            assert!(changed.iter().all(|i| inside.contains(i)), "{kind}");
            assert!(changed.len() * 2 > inside.len(), "{kind}: {} of {}", changed.len(), inside.len());
        }
    }

    #[test]
    fn overlays_do_to_the_load_what_they_say() {
        let noon = 8 * DAY + DAY / 2;
        let hour = DAY / 24;
        let mean_of = |overlay: Option<Overlay>| {
            let frame = exercise3(4, overlay.into_iter().collect()).frame;
            let rows = frame.index_at(frame.start() + noon)..frame.index_at(frame.start() + noon + hour);
            frame.target()[rows].iter().sum::<f64>() / 60.0
        };
        let calm = mean_of(None);
        let with = |kind, factor| mean_of(Some(Overlay { factor, length: hour, ..Overlay::usual(kind, noon) }));
        assert!((with(Kind::LevelShift, 2.0) / calm - 2.0).abs() < 0.02);
        assert!((with(Kind::Holiday, 0.5) / calm - 0.5).abs() < 0.02);
        assert!((with(Kind::Attack, 10.0) - calm - 561.0).abs() < 1.0);
        assert_eq!(with(Kind::Outage, 1.0), 0.0);
        // An hour early: the load of one o'clock, without the lunch spike.
        assert!((with(Kind::PhaseShift, 1.0) / calm - 1.0 / 1.2).abs() < 0.03);
        assert!((with(Kind::Sawtooth, 3.0) / calm - 1.8).abs() < 0.2);
    }

    #[test]
    fn scale_multiplies_the_load() {
        let once = exercise3(5, Vec::new()).frame;
        let options = GenerateOptions { seed: 5, scale: 4.0, ..GenerateOptions::new(Pattern::Exercise3) };
        assert_eq!(generate(&options).unwrap().frame, once.scaled(4.0));
    }

    #[test]
    fn the_truth_survives_json() {
        let got = generate(&GenerateOptions::new(Pattern::Exercise2)).unwrap();
        let json = serde_json::to_string_pretty(&got.truth).unwrap();
        assert!(json.contains("\"kind\": \"broken_correlation\""), "{json}");
        assert_eq!(serde_json::from_str::<Truth>(&json).unwrap(), got.truth);
    }

    #[test]
    fn impossible_options_are_refused_by_name() {
        let good = GenerateOptions::new(Pattern::Exercise3);
        for (options, name) in [
            (GenerateOptions { days: 0, ..good.clone() }, "days"),
            (GenerateOptions { step: Duration::ZERO, ..good.clone() }, "step"),
            (GenerateOptions { step: Duration::from_micros(1), ..good.clone() }, "days"),
            (GenerateOptions { scale: f64::NAN, ..good.clone() }, "scale"),
        ] {
            let error = generate(&options).unwrap_err().to_string();
            assert!(error.starts_with(&format!("option {name}: ")), "{error}");
        }
        assert!("exercise4".parse::<Pattern>().unwrap_err().to_string().contains("exercise3"));
    }
}
