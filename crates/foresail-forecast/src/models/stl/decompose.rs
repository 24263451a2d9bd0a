//! Decomposition into a trend, one or several seasons and a remainder, by loess.

use super::loess::Loess;

/// Windows longer than this are smoothed at every so many rows that they hold about a hundred.
const EVERY_ROW: usize = 300;
const PLACES: usize = 100;
/// Rounds of seasonal and trend smoothing a decomposition (statsmodels' number without robustness weights).
const INNER: usize = 5;

/// A series taken apart: at every row, trend, seasons and remainder add up to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decomposition {
    /// What is neither a season's nor noise.
    pub trend: Vec<f64>,
    /// One series a season, in the order of the lengths told.
    pub seasons: Vec<Vec<f64>>,
    /// The rest.
    pub remainder: Vec<f64>,
    /// How much of a row goes into what its season's place is taken to be next: what a repeated decomposition would give
    /// the newest row.
    pub(super) shares: Vec<f64>,
}

/// Takes `values` apart into a trend, a season for each of `lengths` (in rows, ascending, at least 2 and at most half the
/// values) and a remainder: MSTL (Bandara, Hyndman & Bergmeir, *MSTL: a seasonal-trend decomposition algorithm for time
/// series with multiple seasonal patterns*, 2021) over STL (Cleveland, Cleveland, McRae & Terpenning, 1990), with the
/// settings of `forecast::mstl` and statsforecast: seasonal windows 11, 15, 19, … of degree 0, two rounds over the seasons.
///
/// Lengths that do not fit are left with a season of zeros. Costs O(rows) times the window of the trend (1.5 to 2 seasons),
/// of a hundred at most for windows longer than 300 rows.
pub fn decompose(values: &[f64], lengths: &[usize]) -> Decomposition {
    let rows = values.len();
    let fits = |length: usize| length >= 2 && 2 * length <= rows;
    let mut parts: Vec<(usize, Stl)> = Vec::new();
    for (i, length) in lengths.iter().enumerate().filter(|(_, length)| fits(**length)) {
        parts.push((i, Stl::new(rows, *length, 7 + 4 * (i + 1))));
    }
    let mut seasons = vec![vec![0.0; rows]; lengths.len()];
    let mut rest = values.to_vec();
    let rounds = if parts.len() > 1 { 2 } else { 1 };
    for _ in 0..rounds {
        for (i, stl) in &mut parts {
            let season = &mut seasons[*i];
            rest.iter_mut().zip(season.iter()).for_each(|(rest, effect)| *rest += effect);
            stl.run(&rest);
            season.copy_from_slice(&stl.season);
            rest.iter_mut().zip(season.iter()).for_each(|(rest, effect)| *rest -= effect);
        }
    }
    let trend = parts.last().map_or_else(|| values.to_vec(), |(_, stl)| stl.trend.clone());
    let remainder = rest.iter().zip(&trend).map(|(rest, trend)| rest - trend).collect();
    let mut shares = vec![0.0; lengths.len()];
    parts.iter().for_each(|(i, stl)| shares[*i] = stl.longer.newest());
    Decomposition { trend, seasons, remainder, shares }
}

/// STL of series of some length, and room for it.
struct Stl {
    period: usize,
    /// Smoothers of the places that occur once more than the others, and of the others.
    longer: Loess,
    shorter: Loess,
    low: Loess,
    trending: Loess,
    season: Vec<f64>,
    trend: Vec<f64>,
    /// The places' series smoothed, reaching one season further at both ends.
    cycles: Vec<f64>,
    one: Vec<f64>,
    smooth: Vec<f64>,
    work: [Vec<f64>; 2],
}

impl Stl {
    /// For `rows` rows, at least two of `period`; `window` is that of the places' smoother.
    fn new(rows: usize, period: usize, window: usize) -> Self {
        let odd = |rows: usize| rows + usize::from(rows.is_multiple_of(2));
        let jump = |window: usize| if window <= EVERY_ROW { 1 } else { window.div_ceil(PLACES) };
        let low = odd(period + 1);
        let trend = odd((1.5 * period as f64 / (1.0 - 1.5 / window as f64)).ceil() as usize);
        let most = rows.div_ceil(period);
        Self {
            period,
            longer: Loess::new(most, window, 0, 1),
            shorter: Loess::new(most - 1, window, 0, 1),
            low: Loess::new(rows, low, 1, jump(low)),
            trending: Loess::new(rows, trend, 1, jump(trend)),
            season: vec![0.0; rows],
            trend: vec![0.0; rows],
            cycles: vec![0.0; rows + 2 * period],
            one: vec![0.0; most],
            smooth: vec![0.0; most],
            work: [vec![0.0; rows + 2 * period], vec![0.0; rows + 2 * period]],
        }
    }

    /// Fills season and trend (Cleveland et al. 1990, §2.2, steps 1 to 6).
    fn run(&mut self, values: &[f64]) {
        let (rows, period) = (values.len(), self.period);
        self.trend.fill(0.0);
        for _ in 0..INNER {
            let [work, other] = &mut self.work;
            for (work, (value, trend)) in work.iter_mut().zip(values.iter().zip(&self.trend)) {
                *work = value - trend;
            }
            for place in 0..period {
                let count = (rows - place).div_ceil(period);
                let of_place = |from: usize| (0..count).map(move |k| from + k * period);
                for (one, row) in self.one.iter_mut().zip(of_place(place)) {
                    *one = work[row];
                }
                let smoother = if count == rows.div_ceil(period) { &self.longer } else { &self.shorter };
                smoother.smooth(&self.one[..count], &mut self.smooth[..count]);
                let (before, after) = smoother.around(&self.one[..count]);
                self.cycles[place] = before;
                for (smooth, row) in self.smooth.iter().zip(of_place(place + period)) {
                    self.cycles[row] = *smooth;
                }
                self.cycles[place + (count + 1) * period] = after;
            }
            let first = moving_average(&self.cycles, period, work);
            let second = moving_average(&work[..first], period, other);
            let third = moving_average(&other[..second], 3, work);
            debug_assert_eq!(third, rows);
            self.low.smooth(&work[..rows], &mut other[..rows]);
            for (i, season) in self.season.iter_mut().enumerate() {
                *season = self.cycles[period + i] - other[i];
                work[i] = values[i] - *season;
            }
            self.trending.smooth(&work[..rows], &mut self.trend);
        }
    }
}

/// Means of every `length` neighbours, into `means`; how many there are.
fn moving_average(values: &[f64], length: usize, means: &mut [f64]) -> usize {
    let count = values.len() - length + 1;
    let mut sum: f64 = values[..length].iter().sum();
    means[0] = sum / length as f64;
    for i in 1..count {
        sum += values[i + length - 1] - values[i - 1];
        means[i] = sum / length as f64;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn apart(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
    }

    #[test]
    fn two_seasons_and_a_line_are_told_apart() {
        let day: Vec<f64> = (0..600).map(|i| [3.0, -1.0, -2.0, 0.0, 1.0, -1.0][i % 6]).collect();
        let week: Vec<f64> = (0..600).map(|i| if (i / 6) % 7 >= 5 { -2.5 } else { 1.0 }).collect();
        let line: Vec<f64> = (0..600).map(|i| 10.0 + 0.01 * i as f64).collect();
        let values: Vec<f64> = (0..600).map(|i| day[i] + week[i] + line[i]).collect();
        let parts = decompose(&values, &[6, 42]);
        let off = [
            apart(&parts.seasons[0], &day),
            apart(&parts.seasons[1], &week),
            apart(&parts.trend, &line),
            apart(&parts.remainder, &[0.0; 600]),
        ];
        assert!(off.iter().all(|off| *off < 0.1), "{off:?}");
    }

    #[test]
    fn moving_averages_are_means_of_neighbours() {
        let mut means = [0.0; 4];
        assert_eq!(moving_average(&[1.0, 2.0, 6.0, 4.0], 3, &mut means), 2);
        assert_eq!(means[..2], [3.0, 4.0]);
    }

    #[test]
    fn without_a_season_that_fits_all_is_trend() {
        let values = [1.0, 4.0, 2.0];
        for lengths in [&[][..], &[2], &[0, 1, 7]] {
            let parts = decompose(&values, lengths);
            assert_eq!((parts.trend, parts.seasons.len()), (values.to_vec(), lengths.len()));
        }
        assert_eq!(decompose(&[], &[24]).remainder, Vec::<f64>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn parts_add_up(values in vec(-1e3..1e3_f64, 0..200), lengths in vec(0_usize..40, 0..3)) {
            let parts = decompose(&values, &lengths);
            for (i, value) in values.iter().enumerate() {
                let seasons: f64 = parts.seasons.iter().map(|season| season[i]).sum();
                prop_assert!((parts.trend[i] + seasons + parts.remainder[i] - value).abs() < 1e-9);
            }
        }
    }
}
