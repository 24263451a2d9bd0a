//! Season lengths read off the series, for whoever was not told them.
//!
//! Peaks of the periodogram that stand out from a background of smoothly changing strength are the candidates (Mann & Lees,
//! "Robust estimation of background noise and signal detection in climatic time series", 1996: medians of neighbouring
//! frequencies, so that neither trend nor a wandering level passes for a season). The autocorrelation then places each
//! between two frequencies (Vlachos, Yu & Castelli, "On periodicity detection and structural periodic similarity", 2005),
//! and it has to explain what is left of the series after the seasons found before: seasons are taken shortest first, so
//! that a week is one only for what it has beyond its days.
//!
//! ```
//! use std::time::Duration;
//! use foresail_core::Frame;
//! use foresail_forecast::seasonality::detect;
//!
//! let law = |i: i32| 100.0 + 0.01 * f64::from(i) + 20.0 * (f64::from(i) * std::f64::consts::TAU / 48.0).sin();
//! let history = Frame::from_values((0..480).map(law)); // rows of a minute
//! assert_eq!(detect(&history), [Duration::from_secs(48 * 60)]);
//! ```

mod detecting;
mod fold;
mod spectrum;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;

use std::time::Duration;

use foresail_core::Frame;

use crate::models::gaps::fill;
pub(crate) use detecting::Detecting;
use fold::Folded;
use spectrum::Spectrum;

/// Rows looked back at most: six weeks of minutes.
const MAX_ROWS: usize = 60_480;
/// Rows needed.
const LEAST_ROWS: usize = 24;
/// Seasons found at most.
const MOST: usize = 3;
/// The share of what is left that a season must explain, beyond chance, when seen ever so often; when seen `k` times, at
/// least `FEW / k`, for a wandering level repeats itself a few times by chance.
const LEAST_SHARE: f64 = 0.1;
const FEW: f64 = 1.5;
/// The share of the whole series' variance that it must explain: a clean series leaves only traces of its own season.
const LEAST_OF_ALL: f64 = 0.002;
/// Of two candidates, the shorter is taken if it explains so much of what the other does; of a part of a day against the
/// day, so much, for a day with two peaks is still one; and of a day against longer ones, so much, for weeks have days.
const AS_GOOD: f64 = 0.6;
const AS_GOOD_AS_DAY: f64 = 0.85;
const DAY_AS_GOOD: f64 = 0.3;
/// What a length that has a name is favoured by against others a little longer or shorter.
const NAMED: f64 = 1.25;
const DAY_SECS: u64 = 86_400;
/// Lengths that people give things, in seconds.
const NATURAL_SECS: [u64; 15] =
    [60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 604_800];

/// The lengths of at most three seasons that `history` has, shortest first; each was seen three times or more. Looks at
/// the last 60,480 rows, in O(rows log rows) and O(rows) a candidate, of which there are some hundred at most.
pub fn detect(history: &Frame) -> Vec<Duration> {
    let step = history.step().as_micros() as u64;
    let whole = |secs: u64| (secs * 1_000_000).is_multiple_of(step).then(|| (secs * 1_000_000 / step) as usize);
    let natural: Vec<usize> = NATURAL_SECS.into_iter().filter_map(whole).collect();
    let rows = rows(history).map_or_else(Vec::new, |values| lengths(&values, &natural, whole(DAY_SECS)));
    rows.into_iter().map(|rows| Duration::from_micros(step * rows as u64)).collect()
}

/// The rows to look at, centred and in the unit of their spread, with gaps filled and the strangest two in a hundred cut;
/// none if there are too few, most are missing, or all are alike.
fn rows(history: &Frame) -> Option<Vec<f64>> {
    let mask = history.target_mask();
    let end = mask.iter().rposition(|seen| *seen)? + 1;
    let earliest = end.saturating_sub(MAX_ROWS);
    let start = earliest + mask[earliest..end].iter().position(|seen| *seen)?;
    let seen = &mask[start..end];
    let mut sorted: Vec<f64> =
        history.target()[start..end].iter().zip(seen).filter(|(_, seen)| **seen).map(|(v, _)| *v).collect();
    if sorted.len() < LEAST_ROWS || 2 * sorted.len() < seen.len() {
        return None;
    }
    sorted.sort_by(f64::total_cmp);
    // Halves, so that the difference of the largest numbers there are is one.
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize] / 2.0;
    let (low, middle, high) = (at(0.01), at(0.5), at(0.99));
    let spread = high - low;
    if spread <= 0.0 {
        return None;
    }
    let unit = |value: &f64| ((value / 2.0).clamp(low, high) - middle) / spread;
    let mut values: Vec<f64> = history.target()[start..end].iter().map(unit).collect();
    fill(&mut values, seen);
    values.iter().all(|v| v.is_finite()).then_some(values)
}

/// Season lengths of `values`, in rows.
fn lengths(values: &[f64], natural: &[usize], day: Option<usize>) -> Vec<usize> {
    let spectrum = Spectrum::of(values);
    let mut candidates: Vec<usize> = Vec::new();
    for peak in spectrum.peaks() {
        let (low, high) = (peak.shortest.max(2), peak.longest.min(values.len() / 3));
        if low > high {
            continue;
        }
        candidates.push(spectrum.repeats_best(low, high));
        candidates.extend(natural.iter().filter(|rows| (low..=high).contains(rows)));
    }
    // A shape may show in its overtones alone: what they are parts of is a candidate too, unless they are a season.
    let peaks = candidates.clone();
    let longest = values.len() / 3;
    candidates.extend(peaks.iter().flat_map(|rows| [2 * rows, 3 * rows]).filter(|rows| *rows <= longest));
    let wholes = natural.iter().filter(|whole| **whole <= longest);
    // The autocorrelation of few cycles may peak beside the length that fits best.
    candidates.extend(peaks.iter().flat_map(|rows| [rows - 1, rows + 1]).filter(|rows| (2..=longest).contains(rows)));
    candidates.extend(wholes.filter(|whole| peaks.iter().any(|rows| is_part(**whole, *rows))));
    candidates.sort_unstable();
    candidates.dedup();
    let shown =
        |rows: usize, found: &[usize]| peaks.contains(&rows) || !found.iter().any(|known| is_part(rows, *known));

    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let least = LEAST_OF_ALL * values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64;
    let mut rest = values.to_vec();
    let mut found: Vec<usize> = Vec::new();
    while found.len() < MOST {
        let folded: Vec<Folded> = candidates
            .iter()
            .filter(|rows| !found.iter().any(|known| close(*known, **rows)) && shown(**rows, &found))
            .map(|rows| Folded::of(&rest, *rows))
            .filter(|folded| folded.share >= LEAST_SHARE.max(FEW / folded.cycles) && folded.variance >= least)
            .collect();
        let best = folded.iter().map(|folded| folded.share).fold(0.0, f64::max);
        let of_day = folded.iter().find(|folded| Some(folded.rows) == day).map(|folded| folded.share);
        let is_good = |folded: &&Folded| {
            if day == Some(folded.rows) {
                return folded.share >= DAY_AS_GOOD * best;
            }
            let part = day.is_some_and(|day| is_part(day, folded.rows));
            folded.share >= AS_GOOD * best && (!part || folded.share >= AS_GOOD_AS_DAY * of_day.unwrap_or(0.0))
        };
        let Some(shortest) = folded.iter().find(is_good) else { break };
        // Of those about as long the best, and of equals the one that has a name.
        let rank = |folded: &&Folded| folded.share * if natural.contains(&folded.rows) { NAMED } else { 1.0 };
        let chosen = folded
            .iter()
            .filter(|folded| close(folded.rows, shortest.rows))
            .max_by(|a, b| rank(a).total_cmp(&rank(b)))
            .expect("the shortest is close to itself");
        chosen.take_from(&mut rest);
        found.push(chosen.rows);
    }
    found.sort_unstable();
    found
}

/// Whether `whole` is some 2 to 12 times `rows`.
fn is_part(whole: usize, rows: usize) -> bool {
    let times = (whole as f64 / rows as f64).round();
    (2.0..=12.0).contains(&times) && (whole as f64 / rows as f64 / times - 1.0).abs() < 0.01
}

/// Whether two lengths are so near that they mean one season.
fn close(a: usize, b: usize) -> bool {
    a.abs_diff(b) * 4 <= a.max(b)
}
