//! Has a change left the shape of the season as it was?

/// Seasons before the change that the shape is taken from, at most.
const SEASONS: usize = 4;
/// The shape holds if what came errs less about it than this share of its errors about a constant.
const HOLDS: f64 = 0.7;
/// A series that varies by less of its level has no shape.
const FLAT: f64 = 0.02;

/// Whether the season's shape in `before`, brought to the level of `after`, which follows at once, still tells what came: mean
/// absolute errors against those of a constant, over the later half of `after`, so that a spike at its beginning is no new
/// shape. Where that cannot be told (a half of less than a season, nothing to compare, no shape), it holds.
///
/// `season` is in rows; values are in any one unit; gaps are none. O(rows of `after` + seasons × season).
pub fn keeps_shape(before: &[Option<f64>], after: &[Option<f64>], season: usize) -> bool {
    let begin = after.len() / 2;
    let Some(level) = mean(after[begin..].iter().flatten().copied()) else { return true };
    if season < 2 || after.len() - begin < season || before.len() < season {
        return true;
    }
    let used = &before[before.len().saturating_sub(SEASONS * season)..];
    let Some(usual) = mean(used.iter().flatten().copied()).filter(|usual| *usual != 0.0) else { return true };
    // Row `i` of `after` has the phase of those that precede it by whole seasons.
    let phase = |i: usize| {
        let at = (i % season) + used.len() % season;
        mean(used.iter().skip(at % season).step_by(season).flatten().copied())
    };
    let profile: Vec<Option<f64>> = (0..season).map(phase).collect();
    let (mut about_shape, mut about_level, mut rows) = (0.0, 0.0, 0.0);
    for (i, value) in after.iter().enumerate().skip(begin) {
        let (Some(value), Some(expected)) = (value, profile[i % season]) else { continue };
        about_shape += (value - expected * level / usual).abs();
        about_level += (value - level).abs();
        rows += 1.0;
    }
    about_level <= FLAT * level.abs() * rows || about_shape < HOLDS * about_level
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn day(rows: usize, level: f64, peak: f64) -> Vec<Option<f64>> {
        (0..rows).map(|i| Some(level * (1.0 + 0.4 * ((i as f64 - peak) / 24.0 * TAU).sin()))).collect()
    }

    #[test]
    fn a_new_level_keeps_the_shape_and_a_moved_peak_does_not() {
        let before = day(240, 100.0, 0.0);
        assert!(keeps_shape(&before, &day(60, 60.0, 0.0), 24));
        assert!(!keeps_shape(&before, &day(60, 60.0, 6.0), 24));
        assert!(!keeps_shape(&before, &day(60, 100.0, 12.0), 24));
    }

    /// What comes after need not begin with a season.
    #[test]
    fn phases_go_on_where_the_past_ended() {
        let all = day(400, 100.0, 0.0);
        assert!((241..265).all(|cut| keeps_shape(&all[..cut], &all[cut..cut + 48], 24)));
    }

    #[test]
    fn what_cannot_be_told_holds() {
        let before = day(240, 100.0, 0.0);
        assert!(keeps_shape(&before, &day(46, 60.0, 6.0), 24), "less than a season");
        assert!(keeps_shape(&before[..20], &day(60, 60.0, 6.0), 24), "too little before");
        assert!(keeps_shape(&before, &[None; 60], 24));
        assert!(keeps_shape(&[Some(0.0); 60], &day(60, 60.0, 6.0), 24));
        assert!(keeps_shape(&before, &[Some(50.0); 60], 24), "flat");
        assert!(keeps_shape(&before, &day(60, 60.0, 6.0), 0));
    }
}
