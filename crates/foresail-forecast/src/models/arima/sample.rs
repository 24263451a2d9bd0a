//! The part of a history that is learned, and what differencing makes of it.

use foresail_core::Frame;

use super::super::gaps::fill;
use super::super::live::magnitude;
use super::filter::Column;
use super::form::ArimaForm;
use super::polynomial::Taps;
use crate::Error;

/// The end of a history; it begins and ends with an observed row.
#[derive(Clone)]
pub(super) struct Window {
    /// Values over `scale`, gaps filled by straight lines.
    pub(super) values: Vec<f64>,
    pub(super) seen: Vec<bool>,
    pub(super) scale: f64,
    /// Where it ends in the history.
    pub(super) end: usize,
}

impl Window {
    /// The last `most` rows at most.
    ///
    /// # Errors
    /// [`Error::TooShort`] if fewer than `least` of them were observed.
    pub(super) fn of(history: &Frame, least: usize, most: usize) -> Result<Self, Error> {
        let mask = history.target_mask();
        let end = mask.iter().rposition(|seen| *seen).map_or(0, |last| last + 1);
        let earliest = end.saturating_sub(most);
        let start = earliest + mask[earliest..end].iter().position(|seen| *seen).unwrap_or(0);
        let seen = mask[start..end].to_vec();
        let got = seen.iter().filter(|seen| **seen).count();
        if got < least {
            return Err(Error::TooShort { needed: least, got });
        }
        let scale = magnitude(history);
        let mut values: Vec<f64> = history.target()[start..end].iter().map(|value| value / scale).collect();
        fill(&mut values, &seen);
        Ok(Self { values, seen, scale, end })
    }

    /// Keeps the last `most` rows.
    pub(super) fn keep(&mut self, most: usize) {
        let mut from = self.values.len().saturating_sub(most);
        from += self.seen[from..].iter().position(|seen| *seen).unwrap_or(0);
        self.values.drain(..from);
        self.seen.drain(..from);
    }

    /// Rows that count when `form` is fitted.
    pub(super) fn used(&self, form: ArimaForm, season: usize, most_gaps: usize) -> usize {
        Sample::new(self, form, season, most_gaps).map_or(0, |sample| sample.used)
    }

    /// Rows that were missing, the first first.
    fn gaps(&self) -> Vec<usize> {
        self.seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(row, _)| row).collect()
    }
}

/// A window, differenced, with what is not known of it.
pub(super) struct Sample {
    /// One for each gap (what its value adds to the differenced series), one for the constant if there is one, and last the
    /// series itself.
    pub(super) columns: Vec<Column>,
    /// The rows of the gaps in the window.
    pub(super) gaps: Vec<usize>,
    pub(super) has_constant: bool,
    /// Taken from the differenced series beforehand, and added to the constant: sums of small numbers keep their digits.
    pub(super) centre: f64,
    /// Rows of the differenced series.
    pub(super) rows: usize,
    /// Of these, those that count: less the gaps.
    pub(super) used: usize,
}

impl Sample {
    /// Takes the newest `most_gaps` gaps for unknowns; those before them count as seen, on the line that fills them.
    /// `None` if differencing leaves no row.
    pub(super) fn new(window: &Window, form: ArimaForm, season: usize, most_gaps: usize) -> Option<Self> {
        let differencing = Taps::differencing(form, season);
        let lost = differencing.reach();
        let rows = window.values.len().checked_sub(lost).filter(|rows| *rows > 0)?;
        let mut values = difference(&window.values, &differencing);
        let all = window.gaps();
        let gaps = all[all.len().saturating_sub(most_gaps)..].to_vec();
        let mut columns: Vec<Column> = gaps
            .iter()
            .map(|gap| {
                let mut pulse = vec![0.0; rows];
                let own = std::iter::once((0, 1.0)).chain(differencing.0.iter().map(|(lag, c)| (*lag, -c)));
                for (lag, c) in own {
                    // A gap among the first rows has its place before the first difference.
                    if let Some(place) = (gap + lag).checked_sub(lost).and_then(|at| pulse.get_mut(at)) {
                        *place += c;
                    }
                }
                Column { from: pulse.iter().position(|v| *v != 0.0).unwrap_or(rows), values: pulse }
            })
            .collect();
        // A gap that no difference knows of is none.
        let gaps: Vec<usize> =
            gaps.into_iter().zip(&columns).filter(|(_, c)| c.from < rows).map(|(gap, _)| gap).collect();
        columns.retain(|column| column.from < rows);
        let has_constant = form.has_constant();
        let mut centre = 0.0;
        if has_constant {
            centre = values.iter().sum::<f64>() / rows as f64;
            values.iter_mut().for_each(|v| *v -= centre);
            columns.push(Column { from: 0, values: vec![1.0; rows] });
        }
        columns.push(Column { from: 0, values });
        let used = rows.checked_sub(gaps.len()).filter(|used| *used > 0)?;
        Some(Self { columns, gaps, has_constant, centre, rows, used })
    }

    /// The differenced series.
    pub(super) fn series(&self) -> &[f64] {
        &self.columns[self.columns.len() - 1].values
    }
}

/// `values` differenced; shorter by the reach of `differencing`.
pub(super) fn difference(values: &[f64], differencing: &Taps) -> Vec<f64> {
    let lost = differencing.reach();
    (lost..values.len())
        .map(|t| values[t] - differencing.0.iter().map(|(lag, c)| c * values[t - lag]).sum::<f64>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Window {
        Window::of(&Frame::from_values(values.iter().copied()), 1, 100).unwrap()
    }

    /// In the unit of the values.
    fn window(values: &[f64]) -> Window {
        let window = of(values);
        Window { values: window.values.iter().map(|v| v * window.scale).collect(), scale: 1.0, ..window }
    }

    #[test]
    fn a_gap_is_an_unknown_of_all_the_differences_it_is_in() {
        let window = window(&[1.0, 2.0, f64::NAN, 4.0, 7.0, 8.0]);
        let form = ArimaForm::new([0, 1, 0], [0, 1, 0], false);
        let sample = Sample::new(&window, form, 2, 9).unwrap();
        // Its filled value 3 hits the differences at rows 3 (-1) and 4 (-1) and 5 (+1) of (1 - B)(1 - B²).
        assert_eq!((sample.rows, sample.used, &sample.gaps[..]), (3, 2, &[2][..]));
        assert_eq!(sample.columns[0].values, [-1.0, -1.0, 1.0]);
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(sample.series(), &[0.0, 2.0, 0.0]), "{:?}", sample.series());
        let series = sample.series().to_vec();
        let other = Window { values: vec![1.0, 2.0, 13.0, 4.0, 7.0, 8.0], ..window.clone() };
        let moved = Sample::new(&other, form, 2, 9).unwrap();
        let expected: Vec<f64> = series.iter().zip(&sample.columns[0].values).map(|(v, c)| v + 10.0 * c).collect();
        assert!(near(moved.series(), &expected));
    }

    #[test]
    fn a_window_begins_and_ends_where_something_was_seen() {
        let gap = f64::NAN;
        let window = window(&[gap, 2.0, gap, 6.0, gap]);
        assert_eq!((window.values.len(), window.end), (3, 4));
        assert_eq!(window.values, [2.0, 4.0, 6.0]);
        assert!(Window::of(&Frame::from_values([gap, 1.0]), 2, 9).is_err());
    }
}
