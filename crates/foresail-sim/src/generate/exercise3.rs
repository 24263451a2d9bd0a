//! The load of the predictive autoscaler exercise.

use foresail_core::{Civil, Column};

use super::{Canvas, Planted};

const NOISE: f64 = 5.0;
const FLOOR: f64 = 10.0;

/// The load without noise at a local time: `50 + 30·sin((hour − 6)·π/12)`, ×1.5 from 9:00 to 17:00, ×1.2 from 12:00 to
/// 13:00, ×0.6 on Saturday and Sunday. The hour of the sine is fractional (12.5 at half past twelve), so the curve has
/// no steps of its own; the three factors hold by the clock, the end of each span excluded.
pub fn load_at(local: &Civil) -> f64 {
    let hour = local.minute_of_day() / 60.0;
    let base = 50.0 + 30.0 * ((hour - 6.0) * std::f64::consts::PI / 12.0).sin();
    let business = if (9..17).contains(&local.hour) { 1.5 } else { 1.0 };
    let lunch = if local.hour == 12 { 1.2 } else { 1.0 };
    let weekend = if local.is_weekend() { 0.6 } else { 1.0 };
    base * business * lunch * weekend
}

/// The law's mean over a week.
const MEAN: f64 = 56.1;

/// `requests`: the law through the overlays, plus N(0, 5), at least 10, scaled.
pub(super) fn paint(canvas: &Canvas) -> (Vec<Column>, Vec<Planted>) {
    let mut rng = canvas.rng(1);
    let mut load = canvas.load(MEAN, load_at);
    for value in &mut load {
        *value = canvas.scale * (*value + NOISE * rng.normal()).max(FLOOR);
    }
    canvas.down_in_outages(&mut load);
    (vec![canvas.column("requests", load)], Vec::new())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_1_SQRT_2;

    use foresail_core::{TimeZone, Timestamp};

    use super::*;

    fn law(time: &str) -> f64 {
        load_at(&Timestamp::parse(time).unwrap().civil(&TimeZone::utc()))
    }

    #[test]
    fn the_law_is_the_exercises() {
        // 2026-01-07 is a Wednesday, 2026-01-10 a Saturday.
        for (time, expected) in [
            ("2026-01-07T00:00:00Z", 20.0),
            ("2026-01-07T06:00:00Z", 50.0),
            ("2026-01-07T08:59:59Z", 50.0 + 30.0 * (2.999_722_222_222_222 * std::f64::consts::PI / 12.0).sin()),
            ("2026-01-07T09:00:00Z", (50.0 + 30.0 * FRAC_1_SQRT_2) * 1.5),
            ("2026-01-07T12:00:00Z", 80.0 * 1.5 * 1.2),
            ("2026-01-07T13:00:00Z", (50.0 + 30.0 * (7.0 * std::f64::consts::PI / 12.0).sin()) * 1.5),
            ("2026-01-07T17:00:00Z", 50.0 + 30.0 * (11.0 * std::f64::consts::PI / 12.0).sin()),
            ("2026-01-07T18:00:00Z", 50.0),
            ("2026-01-10T12:00:00Z", 80.0 * 1.5 * 1.2 * 0.6),
            ("2026-01-11T00:00:00Z", 12.0),
        ] {
            assert!((law(time) - expected).abs() < 1e-9, "{time}: {} against {expected}", law(time));
        }
    }

    #[test]
    fn its_mean_is_what_attacks_are_measured_by() {
        let week = (0..7 * 1_440).map(|m| law(&Timestamp::from_secs(1_767_571_200 + m * 60).to_string()));
        let mean = week.sum::<f64>() / (7.0 * 1_440.0);
        assert!((mean - MEAN).abs() < 0.1, "{mean}");
    }
}
