//! What the trees look at: the recent past, the same place of earlier seasons, the lead, and what the linear part says.

use super::layout::{Layout, SLOTS};
use super::window::View;

/// Single lags behind the last value.
const LAGS: [usize; 6] = [1, 2, 3, 5, 8, 12];
/// Numbers that hold for all leads of a window.
const SHARED: usize = LAGS.len() + 15;
/// Numbers of one lead.
const OWN: usize = SLOTS + 1 + 2 * NEIGHBOURS.len() + 3 + 6;
/// Rows beside the same place of the last two seasons.
const NEIGHBOURS: [i64; 4] = [-2, -1, 1, 2];

/// Numbers of a row.
pub(super) const WIDTH: usize = SHARED + OWN;

/// What holds for all leads of one window, in its unit; NaN where the past is too short.
pub(super) fn shared(layout: &Layout, view: &View<'_>, said: &[f32]) -> Vec<f32> {
    let past = view.past;
    let at = |back: usize| past.len().checked_sub(back + 1).map_or(f64::NAN, |at| view.of(past[at]));
    let mean = |rows: usize, before: usize| -> f64 {
        let Some(end) = past.len().checked_sub(before) else { return f64::NAN };
        let Some(start) = end.checked_sub(rows.max(1)) else { return f64::NAN };
        view.of(past[start..end].iter().sum::<f64>() / (end - start) as f64)
    };
    let season = layout.season;
    let seasonal = |value: f64| if season > 0 { value } else { f64::NAN };
    let context = &past[past.len() - layout.context..];
    let (low, high) = context.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let middle = context.iter().sum::<f64>() / context.len() as f64;
    let variance = context.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / context.len() as f64;
    let newest = &past[past.len().saturating_sub(25)..];
    let moves = newest.windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f64>() / (newest.len().max(2) - 1) as f64;
    let cycle = &past[past.len().saturating_sub(season.max(12))..];
    let strayed = cycle.iter().map(|v| (v - view.level).abs()).sum::<f64>() / cycle.len() as f64;
    let short = season.clamp(1, 24);
    let mut numbers: Vec<f64> = LAGS.iter().map(|lag| at(*lag)).collect();
    numbers.extend([
        mean(4, 0),
        mean(12, 0),
        seasonal(mean(season / 2, 0)),
        seasonal(mean(season, 0)),
        seasonal(mean(2 * season, 0)),
        seasonal(-at(season)),
        seasonal(mean(short, 0) - mean(short, season)),
        moves / view.unit,
        view.of(high),
        view.of(low),
        variance.sqrt() / view.unit,
        (view.level / view.unit).abs(),
        strayed / view.unit,
        f64::from(said.iter().sum::<f32>()) / said.len().max(1) as f64,
        f64::from(said.last().copied().unwrap_or(0.0)),
    ]);
    debug_assert_eq!(numbers.len(), SHARED);
    numbers.into_iter().map(|number| number as f32).collect()
}

/// Adds the numbers of the row `ahead` (from 0) of a window to `row`, which holds its [`shared`] ones. `said` is what the
/// linear part says of each row ahead, and `index` counts the origin's row on the grid since the epoch.
pub(super) fn own(layout: &Layout, view: &View<'_>, said: &[f32], index: i64, ahead: usize, row: &mut Vec<f32>) {
    let past = view.past;
    let seen = |back: i64| {
        // `back` counts from the row that is forecast.
        let at = past.len() as i64 + ahead as i64 - back;
        let place = usize::try_from(at).ok().filter(|at| *at < past.len());
        place.map_or(f64::NAN, |at| view.of(past[at]))
    };
    let start = row.len();
    if let Some(passed) = ahead.checked_div(layout.season) {
        let newest = (passed + 1) * layout.season;
        let places: [f64; SLOTS] = std::array::from_fn(|slot| seen((newest + slot * layout.season) as i64));
        let (sum, count) =
            places.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
        row.extend(places.map(|number| number as f32));
        row.push((sum / count) as f32);
        for slot in 0..2 {
            let back = (newest + slot * layout.season) as i64;
            row.extend(NEIGHBOURS.map(|beside| seen(back - beside) as f32));
        }
    } else {
        row.extend([f32::NAN; SLOTS + 1 + 2 * NEIGHBOURS.len()]);
    }
    let long = (ahead / layout.long.max(1) + 1) * layout.long;
    let far = [-1, 0, 1].map(|beside| if layout.long > 0 { seen(long as i64 - beside) as f32 } else { f32::NAN });
    row.extend(far);
    let place = |rows: usize| {
        if rows > 0 { (index + ahead as i64).rem_euclid(rows as i64) as f32 } else { f32::NAN }
    };
    let said_of = |ahead: usize| said.get(ahead).copied().unwrap_or(0.0);
    row.extend([
        ahead as f32,
        place(layout.season),
        place(layout.long),
        said_of(ahead),
        said_of(ahead) - said_of(0),
        view.base(ahead) as f32,
    ]);
    debug_assert_eq!(row.len() - start, OWN);
}

#[cfg(test)]
mod tests {
    use super::super::window::Norm;
    use super::*;

    #[test]
    fn the_same_place_of_earlier_seasons_is_looked_at() {
        let layout = Layout::of(&[10], 15, &[400]);
        let past: Vec<f64> = (0..100).map(|i| f64::from(i % 10) + f64::from(i / 10) * 100.0).collect();
        let view = View::new(Norm::Level, &layout, &past).unwrap();
        for (ahead, newest) in [(0, 900.0), (3, 903.0), (12, 902.0)] {
            let mut row = shared(&layout, &view, &[0.0; 15]);
            own(&layout, &view, &[0.0; 15], 100, ahead, &mut row);
            assert_eq!(row.len(), WIDTH);
            let seen = |at: usize| view.value(f64::from(row[SHARED + at]));
            assert!((seen(0) - newest).abs() < 1e-3 && (seen(1) - (newest - 100.0)).abs() < 1e-3);
        }
    }

    #[test]
    fn without_seasons_or_a_past_there_is_nothing_but_the_width() {
        let layout = Layout::of(&[], 4, &[20]);
        let view = View::new(Norm::Level, &layout, &[1.0, 2.0, 1.0, 3.0]).unwrap();
        let mut row = shared(&layout, &view, &[]);
        own(&layout, &view, &[], -5, 1, &mut row);
        assert_eq!(row.len(), WIDTH);
    }
}
