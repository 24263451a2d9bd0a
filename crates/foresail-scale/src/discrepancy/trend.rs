//! A steady rise, told from what the load explains and from noise that remembers.

/// A value at a time, with what else may explain it. Points of one group share a level; between groups levels may differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) group: u32,
    pub(super) hours: f64,
    pub(super) value: f64,
    pub(super) explains: [f64; 2],
}

/// A slope with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// Value an hour.
    pub(super) slope: f64,
    /// Standard error of the slope.
    pub(super) error: f64,
    /// Degrees of freedom of that error.
    freedom: f64,
}

impl Trend {
    /// The slope less so many standard errors, widened as Student's distribution is at few degrees of freedom (first term
    /// of its Cornish-Fisher expansion).
    pub(super) fn low(&self, sd: f64) -> f64 {
        self.slope - self.reach(sd)
    }

    /// The slope and so many standard errors, widened alike.
    pub(super) fn high(&self, sd: f64) -> f64 {
        self.slope + self.reach(sd)
    }

    fn reach(&self, sd: f64) -> f64 {
        sd * (1.0 + (sd * sd + 1.0) / (4.0 * self.freedom)) * self.error
    }
}

/// The slope of `points` in time, in the order they were measured. None where there are too few to tell.
///
/// What the covariates explain is taken out of the values and of the times (Frisch & Waugh, Econometrica 1, 1933), so that
/// a load that happens to rise for hours widens the uncertainty instead of passing for a trend. The slope is then the
/// median over pairs (Theil 1950; Sen, JASA 63, 1968), in which a few freak points do not count. Its error is that of least
/// squares, with as many points fewer as neighbours repeat one another (lag-1 autocorrelation, corrected for its bias in
/// short detrended series; Bayley & Hammersley 1946): few random walks pass for a trend. Cost: quadratic in the number of points.
pub(super) fn trend(points: &[Point]) -> Option<Trend> {
    let n = points.len();
    let groups: Vec<u32> = points.iter().map(|p| p.group).collect();
    let column = |f: &dyn Fn(&Point) -> f64| centred(&groups, points.iter().map(f).collect());
    let mut values = column(&|p| p.value);
    let mut hours = column(&|p| p.hours);
    let mut explained = 0;
    let mut first: Option<Vec<f64>> = None;
    for index in 0..2 {
        let mut cause = column(&|p| p.explains[index]);
        let before = dot(&cause, &cause);
        if let Some(first) = &first {
            take_out(&mut cause, first);
        }
        let own = dot(&cause, &cause);
        if own <= 1e-6 * before || own <= 0.0 {
            continue;
        }
        take_out(&mut values, &cause);
        take_out(&mut hours, &cause);
        explained += 1;
        first = Some(cause);
    }
    let count = 1 + groups.windows(2).filter(|w| w[0] != w[1]).count();
    let freedom = n as f64 - (count + 1 + explained) as f64;
    let spread = dot(&hours, &hours);
    if freedom < 4.0 || spread <= 1e-12 {
        return None;
    }
    let slope = median_slope(&groups, &hours, &values, (spread / n as f64).sqrt())?;
    let rest: Vec<f64> = values.iter().zip(&hours).map(|(v, h)| v - slope * h).collect();
    let rest = centred(&groups, rest);
    let variance = dot(&rest, &rest) / freedom;
    let error = (variance / spread).sqrt() * repetition(&groups, &rest);
    (slope.is_finite() && error.is_finite()).then_some(Trend { slope, error, freedom })
}

/// Factor by which a standard error grows because neighbours repeat one another.
pub(super) fn repetition(groups: &[u32], rest: &[f64]) -> f64 {
    let n = rest.len() as f64;
    let own = dot(rest, rest);
    if own <= 0.0 {
        return 1.0;
    }
    let pairs = rest.windows(2).zip(groups.windows(2)).filter(|(_, g)| g[0] == g[1]);
    let measured = pairs.map(|(r, _)| r[0] * r[1]).sum::<f64>() / own;
    let lag = ((n * measured + 3.0) / (n - 5.0).max(1.0)).clamp(0.0, 0.97);
    ((1.0 + lag) / (1.0 - lag)).sqrt()
}

/// Median of the slopes between points of one group that are not at nearly the same time.
fn median_slope(groups: &[u32], hours: &[f64], values: &[f64], sd_hours: f64) -> Option<f64> {
    let mut slopes = Vec::with_capacity(hours.len() * hours.len() / 2);
    for later in 1..hours.len() {
        for earlier in 0..later {
            let apart = hours[later] - hours[earlier];
            if groups[later] == groups[earlier] && apart.abs() > 0.05 * sd_hours {
                slopes.push((values[later] - values[earlier]) / apart);
            }
        }
    }
    median(&mut slopes)
}

/// The median, of whatever order; none of nothing.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Less the mean of each group; groups are runs.
fn centred(groups: &[u32], mut values: Vec<f64>) -> Vec<f64> {
    let mut start = 0;
    for run in groups.chunk_by(|a, b| a == b) {
        let own = &mut values[start..start + run.len()];
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        own.iter_mut().for_each(|v| *v -= mean);
        start += run.len();
    }
    values
}

/// Takes out of `from` what `cause` explains by least squares.
fn take_out(from: &mut [f64], cause: &[f64]) {
    let share = dot(from, cause) / dot(cause, cause);
    from.iter_mut().zip(cause).for_each(|(v, c)| *v -= share * c);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    fn point(index: usize, value: f64, load: f64) -> Point {
        Point { group: 1, hours: index as f64 / 6.0, value, explains: [load, 0.0] }
    }

    #[test]
    fn the_slope_is_found_through_noise_and_freaks() {
        let mut rng = SeededRng::seed_from_u64(1);
        let points: Vec<Point> = (0..48)
            .map(|i| {
                let freak = if i % 12 == 5 { 20.0 } else { 0.0 };
                point(i, 100.0 + 2.0 * i as f64 / 6.0 + rng.normal() + freak, 5.0)
            })
            .collect();
        let trend = trend(&points).expect("enough");
        assert!((trend.slope - 2.0).abs() < 0.3, "{trend:?}");
        assert!(trend.low(2.0) < 2.0 && 2.0 < trend.high(2.0) && trend.low(2.0) < trend.low(1.0), "{trend:?}");
    }

    #[test]
    fn what_the_load_explains_is_no_trend_and_what_it_does_not_is() {
        let mut rng = SeededRng::seed_from_u64(2);
        let load = |i: usize| 100.0 * (i as f64 / 48.0 * 1.4).sin();
        for leak in [0.0, 3.0] {
            let points: Vec<Point> = (0..48)
                .map(|i| point(i, 400.0 + 2.0 * load(i) + leak * i as f64 / 6.0 + rng.normal(), load(i)))
                .collect();
            let trend = trend(&points).expect("enough");
            assert_eq!(trend.low(4.0) > 0.0, leak > 0.0, "{leak}: {trend:?}");
            assert!(trend.low(4.0) < leak && leak < trend.high(4.0), "{leak}: {trend:?}");
        }
    }

    /// Levels differ between groups, as after a restart: only what happens within each counts.
    #[test]
    fn groups_have_levels_of_their_own() {
        let points: Vec<Point> = (0..40)
            .map(|i| Point { group: i / 10, hours: f64::from(i), value: f64::from(i % 10), explains: [0.0; 2] })
            .collect();
        let trend = trend(&points).expect("enough");
        assert!((trend.slope - 1.0).abs() < 1e-9 && trend.error < 1e-6, "{trend:?}");
    }

    /// Over 500 random walks of 48 points one in twenty at most is called a trend at four standard errors (four in five would
    /// be without regard to repetition); noise never.
    #[test]
    fn a_random_walk_is_rarely_a_trend() {
        let mut called = [0, 0];
        for seed in 0..500 {
            let mut rng = SeededRng::seed_from_u64(seed);
            let mut walk = 0.0;
            for (kind, called) in called.iter_mut().enumerate() {
                let points: Vec<Point> = (0..48)
                    .map(|i| {
                        walk = if kind == 0 { walk + rng.normal() } else { rng.normal() };
                        point(i, walk, 0.0)
                    })
                    .collect();
                *called += u32::from(trend(&points).expect("enough").low(4.0) > 0.0);
            }
        }
        assert!(called[0] <= 25 && called[1] == 0, "{called:?}");
    }

    #[test]
    fn too_little_is_nothing() {
        assert_eq!(trend(&[]), None);
        let same: Vec<Point> = (0..20).map(|_| point(3, 1.0, 1.0)).collect();
        assert_eq!(trend(&same), None);
        let flat: Vec<Point> = (0..20).map(|i| point(i, 1.0, 1.0)).collect();
        assert!(trend(&flat).is_some_and(|t| t.slope == 0.0 && t.error == 0.0));
        // The load explains all of time: there is nothing left to see a trend in.
        let alike: Vec<Point> = (0..20).map(|i| point(i, i as f64, i as f64)).collect();
        assert_eq!(trend(&alike), None);
    }
}
