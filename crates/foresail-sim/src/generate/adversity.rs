//! Ten days of requests to a public service, in the last three of which something happens that no history announces.

use std::time::Duration;

use foresail_core::{Civil, SeededRng};

use super::draw::{between, log_normal};
use super::error::choices;
use super::{Canvas, GenerateOptions, Generated, Kind, Overlay, Pattern};

choices! {
    /// What happens in the last three days.
    Adversity ("adversity") {
        /// Four crowds of 3 to 6 times the load, each at its height within 2 to 6 minutes.
        FlashCrowd = "flash_crowd",
        /// The load nearly doubles for good, then falls below where it was.
        LevelShift = "level_shift",
        /// The day begins an hour early, as when clocks change; a day and a half later, three hours more.
        PhaseShift = "phase_shift",
        /// A whole day of metrics is missing.
        MissingDay = "missing_day",
        /// The load climbs to three times its level and falls back at once, every 40 minutes, for twelve hours a day.
        Sawtooth = "sawtooth",
    }
}

/// Days in all, and how many of them pass before anything happens.
const DAYS: u32 = 10;
const QUIET_DAYS: f64 = 7.0;
/// Requests a second on average.
const MEAN_RPS: f64 = 600.0;

/// Requests without noise at a local time: low before dawn, a shoulder at noon, the peak in the evening; weekends fuller
/// by day. Of mean about 1.
fn shape(local: &Civil) -> f64 {
    use std::f64::consts::TAU;
    let day = local.minute_of_day() / 1_440.0;
    let daily = 1.0 + 0.55 * (TAU * (day - 0.57)).cos() + 0.18 * (2.0 * TAU * (day - 0.85)).cos();
    let weekend = if local.is_weekend() { 1.0 + 0.12 * (TAU * (day - 0.55)).cos() } else { 1.0 };
    daily * weekend
}

/// Ten days at one-minute rows from Monday 2026-01-05, UTC: `rps`, a daily shape that drifts and wavers, and in the last
/// three days the adversity. The same seed has the same first seven days whatever the adversity.
pub fn adversarial(adversity: Adversity, seed: u64) -> Generated {
    let options = GenerateOptions {
        days: DAYS,
        seed,
        overlays: overlays(adversity, &mut SeededRng::seed_from_u64(seed).fork(2)),
        ..GenerateOptions::new(Pattern::Exercise3)
    };
    let canvas = Canvas::new(&options).expect("every option is in range");
    let mut rng = canvas.rng(1);
    // A day is never quite like the last: the level wavers by some percent with a memory of hours.
    let memory = 1.0 - canvas.step_s() / 14_400.0;
    let mut drift = 0.0;
    let mut load = canvas.load(MEAN_RPS, |local| MEAN_RPS * shape(local));
    for value in &mut load {
        drift = memory * drift + 0.05 * (1.0 - memory * memory).sqrt() * rng.normal();
        // A minute's mean of counts, and bursts beyond it.
        let counted = 1.0 + rng.normal() / (*value * canvas.step_s()).max(1.0).sqrt();
        *value = (*value * (1.0 + drift) * counted * log_normal(0.03, &mut rng)).max(0.0);
    }
    let columns = vec![canvas.column("rps", load)];
    let planted = canvas.effects.planted();
    canvas.finish(adversity.to_string(), columns, planted)
}

fn overlays(adversity: Adversity, rng: &mut SeededRng) -> Vec<Overlay> {
    let days = |days: f64| Duration::from_secs((days * 1_440.0).round() as u64 * 60);
    let over = |kind, from: f64, length: f64, factor| {
        let after = days(from);
        Overlay { kind, after, length: days(from + length) - after, factor }
    };
    let rest = |from: f64| f64::from(DAYS) - from;
    match adversity {
        Adversity::FlashCrowd => (0..4)
            .map(|i| {
                let from = QUIET_DAYS + 0.75 * f64::from(i) + between(0.05, 0.6, rng);
                // The rise is the twentieth part of 40 to 120 minutes.
                over(Kind::FlashCrowd, from, between(40.0, 120.0, rng) / 1_440.0, between(3.0, 6.0, rng))
            })
            .collect(),
        Adversity::LevelShift => {
            let (up, down) = (QUIET_DAYS + between(0.2, 0.8, rng), QUIET_DAYS + between(1.6, 2.2, rng));
            vec![
                over(Kind::LevelShift, up, down - up, between(1.7, 2.0, rng)),
                over(Kind::LevelShift, down, rest(down), between(0.6, 0.8, rng)),
            ]
        }
        Adversity::PhaseShift => {
            let more = QUIET_DAYS + between(1.3, 1.7, rng);
            vec![
                over(Kind::PhaseShift, QUIET_DAYS + 2.0 / 24.0, rest(QUIET_DAYS + 2.0 / 24.0), 1.0),
                over(Kind::PhaseShift, more, rest(more), 3.0),
            ]
        }
        Adversity::MissingDay => vec![over(Kind::MissingDay, QUIET_DAYS + 1.0, 1.0, 0.0)],
        Adversity::Sawtooth => (0..3)
            .map(|day| over(Kind::Sawtooth, QUIET_DAYS + f64::from(day) + between(0.1, 0.4, rng), 0.5, 3.0))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_week_is_the_same_and_the_rest_is_not() {
        let all: Vec<Generated> = Adversity::ALL.iter().map(|&a| adversarial(a, 9)).collect();
        for got in &all {
            assert_eq!(got.frame.len(), 14_400);
            assert_eq!(got.frame.target()[..10_080], all[0].frame.target()[..10_080], "{}", got.truth.pattern);
            assert!(got.truth.planted.iter().all(|p| p.from >= got.frame.time(10_080) && p.to <= got.frame.end()));
            assert!(got.frame.min() >= 0.0);
        }
        assert_eq!(adversarial(Adversity::Sawtooth, 9), adversarial(Adversity::Sawtooth, 9));
        assert_ne!(adversarial(Adversity::Sawtooth, 9).frame, adversarial(Adversity::Sawtooth, 10).frame);
    }

    #[test]
    fn each_does_what_it_says() {
        let planted = |a| adversarial(a, 1).truth.planted;
        let calm = adversarial(Adversity::MissingDay, 1).frame;
        assert_eq!(calm.target_mask().iter().filter(|v| !**v).count(), 1_440);

        let crowds = adversarial(Adversity::FlashCrowd, 1).frame;
        for crowd in planted(Adversity::FlashCrowd) {
            let rows = crowds.index_at(crowd.from)..crowds.index_at(crowd.to);
            let highest = rows.clone().map(|i| crowds.target()[i]).fold(0.0, f64::max);
            assert!(highest > 2.0 * crowds.target()[rows.start - 1], "{crowd:?}");
        }
        let shifts = planted(Adversity::LevelShift);
        assert!(shifts[0].factor > 1.6 && shifts[1].factor < 1.0 && shifts[0].to == shifts[1].from);
        assert_eq!(planted(Adversity::PhaseShift).iter().map(|p| p.factor).collect::<Vec<_>>(), [1.0, 3.0]);

        let saw = adversarial(Adversity::Sawtooth, 1).frame;
        let falls = (10_080..14_399).filter(|&i| saw.target()[i + 1] < 0.6 * saw.target()[i]).count();
        assert!((48..=60).contains(&falls), "{falls}");
    }

    #[test]
    fn the_shape_has_mean_one_and_a_deep_night() {
        let at = |minute: i64| {
            let time = foresail_core::Timestamp::from_secs(1_767_571_200 + minute * 60);
            shape(&time.civil(&foresail_core::TimeZone::utc()))
        };
        let day: Vec<f64> = (0..1_440).map(at).collect();
        let mean = day.iter().sum::<f64>() / 1_440.0;
        let (low, high) = (day.iter().copied().fold(9.0, f64::min), day.iter().copied().fold(0.0, f64::max));
        assert!((mean - 1.0).abs() < 0.01 && high / low > 2.5 && low > 0.2, "{mean} {low} {high}");
    }
}
