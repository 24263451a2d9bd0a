//! The exercise's eight features: what clock and calendar say.

use std::f64::consts::TAU;

const MINUTE_US: i64 = 60_000_000;

/// Number of calendar features.
pub(super) const CALENDAR: usize = 8;

/// Hour, day of the week (Monday is 0), minute, whether it is a weekend, and sine and cosine of hour and day, for a local
/// time in microseconds since a Monday's midnight.
pub(super) fn calendar_features(local_us: i64) -> [f32; CALENDAR] {
    let minutes = local_us.div_euclid(MINUTE_US);
    let (minute, hour, day) = (minutes.rem_euclid(60), minutes.div_euclid(60).rem_euclid(24), minutes.div_euclid(1440));
    let weekday = day.rem_euclid(7);
    let (hour_angle, day_angle) = (hour as f64 / 24.0 * TAU, weekday as f64 / 7.0 * TAU);
    [
        hour as f32,
        weekday as f32,
        minute as f32,
        f32::from(weekday >= 5),
        hour_angle.sin() as f32,
        hour_angle.cos() as f32,
        day_angle.sin() as f32,
        day_angle.cos() as f32,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saturday_evening() {
        let features = calendar_features(((5 * 24 + 18) * 60 + 7) * MINUTE_US + 1);
        assert_eq!(features[..4], [18.0, 5.0, 7.0, 1.0]);
        assert!((features[4] + 1.0).abs() < 1e-6 && features[5].abs() < 1e-6);
        assert_eq!(calendar_features(-MINUTE_US)[..4], [23.0, 6.0, 59.0, 1.0]);
    }
}
