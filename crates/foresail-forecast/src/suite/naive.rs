//! The forecast that everything is measured against.

use foresail_core::Column;

use super::{Dataset, LEVELS, Predictions, Quantiles};

/// Standard normal quantiles at [`LEVELS`].
const NORMAL: Quantiles = [
    -1.281_551_565_544_600_4,
    -0.841_621_233_572_914_2,
    -0.524_400_512_708_041,
    -0.253_347_103_135_799_7,
    0.0,
    0.253_347_103_135_799_7,
    0.524_400_512_708_041,
    0.841_621_233_572_914_2,
    1.281_551_565_544_600_4,
];

/// The seasonal naive forecast as the textbook has it and GIFT-Eval runs it (Hyndman & Athanasopoulos, FPP3, §5.2 and
/// §5.5): the value one season before, and normal quantiles around it whose deviation is that of the seasonal differences
/// of the history, growing with the root of the seasons ahead. A gap is filled with the value before it. This is the
/// baseline of the suite; the model `seasonal_naive` of the registry has calibrated intervals and is entered beside it.
pub fn textbook_naive(dataset: &Dataset) -> Predictions {
    let one = |(series, window): (usize, usize)| {
        let column = dataset.series()[series].1.target_column();
        forecast(&filled(column, dataset.rows(series, window).start), dataset.season(), dataset.horizon())
    };
    dataset.places().map(one).collect()
}

/// The first `rows` values; a gap holds the value before it, those at the front the first value there is.
fn filled(column: &Column, rows: usize) -> Vec<f64> {
    let first = (0..rows).find_map(|row| column.get(row)).unwrap_or(0.0);
    let fill = |last: &mut f64, row: usize| {
        *last = column.get(row).unwrap_or(*last);
        Some(*last)
    };
    (0..rows).scan(first, fill).collect()
}

fn forecast(history: &[f64], season: usize, horizon: usize) -> Vec<Quantiles> {
    let season = season.min(history.len()).max(1);
    let misses = history.iter().skip(season).zip(history).map(|(now, then)| (now - then).powi(2));
    let count = history.len() - season;
    let deviation = if count == 0 { 0.0 } else { (misses.sum::<f64>() / count as f64).sqrt() };
    let last = &history[history.len() - season..];
    let step = |ahead: usize| {
        let width = deviation * ((ahead / season + 1) as f64).sqrt();
        NORMAL.map(|z| last[ahead % season] + z * width)
    };
    debug_assert_eq!(NORMAL.len(), LEVELS.len());
    (0..horizon).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_repeats_and_its_intervals_widen_with_each() {
        let steps = forecast(&[1.0, 5.0, 3.0, 5.0], 2, 5); // differences 2 and 0: deviation √2
        let medians: Vec<f64> = steps.iter().map(|q| q[4]).collect();
        assert_eq!(medians, [3.0, 5.0, 3.0, 5.0, 3.0]);
        let widths: Vec<f64> = steps.iter().map(|q| (q[8] - q[0]) / (2.0 * NORMAL[8])).collect();
        for (width, expected) in widths.iter().zip([2.0_f64, 2.0, 4.0, 4.0, 6.0]) {
            assert!((width - expected.sqrt()).abs() < 1e-12);
        }
    }

    #[test]
    fn gaps_and_short_histories_are_answered() {
        let column = Column::new("y", [None, Some(2.0), None, Some(4.0)]);
        assert_eq!(filled(&column, 4), [2.0, 2.0, 2.0, 4.0]);
        assert_eq!(forecast(&[7.0], 24, 2), [[7.0; 9]; 2]);
    }
}
