//! A fitted model on its way: the Kalman filter row by row.

use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use super::polynomial::Taps;
use super::sample::{Sample, Window};
use super::stationary::Process;

/// Directions in which a state may be uncertain at most; beyond twice as many, the smallest are let go.
const DIRECTIONS: usize = 32;
/// Rows that what is left of a filter's start is followed for at most.
const LIMIT: usize = 2000;
/// Values are cut here, in units of their mean magnitude, so that sums stay finite.
const CUT: f64 = 1e15;

/// The state of a differenced seasonal model, as one ARMA process whose AR part has the differencing in it (Harvey 1989,
/// §3.3): what past rows and shocks make of the rows to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Running {
    ar: Taps,
    ma: Taps,
    /// Mean, where nothing is differenced.
    level: f64,
    /// What a row adds, where differenced once.
    drift: f64,
    /// Rows since the trend was zero.
    elapsed: f64,
    state: Vec<f64>,
    /// The state's covariance, over the innovations' variance: outer products of the response to one shock (the shock of
    /// the row to come) and of these vectors. There are none once the start is forgotten and no row is missing, so an update
    /// is O(season); each missing row brings one, which fades as rows are seen.
    unsure: Vec<Vec<f64>>,
    /// Of the innovations.
    variance: f64,
}

impl Running {
    /// At the end of `window`; `None` if numbers fail.
    pub(super) fn new(window: &Window, season: usize, estimate: &Estimate, most_gaps: usize) -> Option<Self> {
        let form = estimate.form;
        let sample = Sample::new(window, form, season, most_gaps)?;
        let found = estimate.likelihood(&sample, season)?;
        let differencing = Taps::differencing(form, season);
        let process = &found.process;
        let ar = process.ar.times(&differencing);
        let ma = process.ma.clone();
        let rows = ar.reach().max(ma.reach() + 1);
        let unknown = found.unknowns.len();
        let gaps = sample.gaps.len();

        let constant = if sample.has_constant { found.unknowns[gaps] + sample.centre } else { 0.0 };
        let differenced = form.differences + form.seasonal_differences > 0;
        let apart = if form.seasonal_differences > 0 { season as f64 } else { 1.0 };
        let (level, drift) = if differenced { (0.0, constant / apart) } else { (constant, 0.0) };

        // The series with its gaps at their most likely values, without its trend.
        let mut values = window.values.clone();
        for (gap, off) in sample.gaps.iter().zip(&found.unknowns) {
            // The unknown is what the filled value is too high by.
            values[*gap] -= off;
        }
        values.iter_mut().enumerate().for_each(|(t, v)| *v -= level + drift * t as f64);

        let join = |state: &[f64], past: &[f64]| companion(process, &differencing, &ar, rows, state, past);
        let states = &found.filtered.states;
        let of_series = |i: usize| {
            let mut state = states[unknown][i];
            for (column, value) in found.unknowns.iter().enumerate() {
                state -= value * states[column][i];
            }
            state
        };
        let state: Vec<f64> = (0..process.rows).map(of_series).collect();
        let state = join(&state, &values);

        // Gaps near the end: their uncertainty is that of their estimates.
        let mut unsure = Vec::new();
        let columns: Vec<Vec<f64>> = (0..gaps)
            .map(|k| {
                let mut past = vec![0.0; values.len()];
                past[sample.gaps[k]] = 1.0;
                join(&states[k], &past)
            })
            .collect();
        for (k, column) in columns.iter().enumerate() {
            // Solves lower · direction = columns, a direction at a time.
            let mut direction = column.clone();
            for (j, before) in unsure.iter().enumerate() {
                let share = found.factor[k * unknown + j];
                direction.iter_mut().zip(before).for_each(|(d, b): (&mut f64, &f64)| *d -= share * b);
            }
            let pivot = found.factor[k * unknown + k];
            direction.iter_mut().for_each(|d| *d = if pivot > 0.0 { *d / pivot } else { 0.0 });
            unsure.push(direction);
        }
        if let Some(excess) = found.filtered.end.clone().excess(process, LIMIT) {
            let none = vec![0.0; values.len()];
            unsure.extend(directions(excess, process.rows).iter().map(|vector| join(vector, &none)));
        }
        let left = sample.used as f64 - form.parameters() as f64 + 1.0;
        let variance = found.squares / left.max(1.0);
        let elapsed = window.values.len() as f64;
        let mut running = Self { ar, ma, level, drift, elapsed, state, unsure, variance };
        running.tidy();
        running.is_sound().then_some(running)
    }

    /// A model that holds `level`, for a history that says no more.
    pub(super) fn holding(level: f64) -> Self {
        let (ar, ma) = (Taps::default(), Taps::default());
        Self { ar, ma, level, drift: 0.0, elapsed: 0.0, state: vec![0.0], unsure: Vec::new(), variance: 0.0 }
    }

    /// Takes in a row.
    pub(super) fn step(&mut self, value: Option<f64>) {
        let trend = self.level + self.drift * self.elapsed;
        self.elapsed += 1.0;
        match value {
            Some(value) => {
                let error = (value - trend - self.state[0]).clamp(-CUT, CUT);
                self.observe(error);
                self.shift();
            }
            None => {
                // What the row would have told stays unknown.
                let mut shock = vec![0.0; self.state.len()];
                shock[0] = 1.0;
                for (lag, c) in &self.ma.0 {
                    shock[*lag] += c;
                }
                self.unsure.push(shock);
                self.shift();
                self.tidy();
            }
        }
    }

    /// Moves the state, and what is unsure of it, by what a row's error tells of them.
    fn observe(&mut self, error: f64) {
        let told: f64 = self.unsure.iter().map(|vector| vector[0] * vector[0]).sum();
        let variance = 1.0 + told;
        let mut gain = vec![0.0; self.state.len()];
        gain[0] = 1.0;
        for (lag, c) in &self.ma.0 {
            gain[*lag] += c;
        }
        let shock = gain.clone();
        if told > 0.0 {
            for vector in &self.unsure {
                gain.iter_mut().zip(vector).for_each(|(g, v)| *g += vector[0] * v);
            }
            gain.iter_mut().for_each(|g| *g /= variance);
        }
        self.state.iter_mut().zip(&gain).for_each(|(state, g)| *state += g * error);
        if told == 0.0 {
            return;
        }
        // N (I - (1 - 1/√F)/(F - 1) · z z') for z, what each direction says of the row: the square root of what stays.
        let first: Vec<f64> = self.unsure.iter().map(|vector| vector[0]).collect();
        for (vector, z) in self.unsure.iter_mut().zip(&first) {
            vector.iter_mut().zip(&shock).for_each(|(v, s)| *v -= z * s);
        }
        let share = (1.0 - variance.sqrt().recip()) / told;
        let mut common = vec![0.0; self.state.len()];
        for (vector, z) in self.unsure.iter().zip(&first) {
            common.iter_mut().zip(vector).for_each(|(sum, v)| *sum += z * v);
        }
        for (vector, z) in self.unsure.iter_mut().zip(&first) {
            vector.iter_mut().zip(&common).for_each(|(v, c)| *v -= share * z * c);
        }
        self.unsure.retain(|vector| vector.iter().any(|v| v.abs() > 1e-9));
    }

    /// Lets a row pass.
    fn shift(&mut self) {
        let ar = &self.ar;
        for state in std::iter::once(&mut self.state).chain(&mut self.unsure) {
            let first = state[0];
            state.rotate_left(1);
            *state.last_mut().expect("a state has a row") = 0.0;
            for (lag, c) in &ar.0 {
                state[lag - 1] += c * first;
            }
            state.iter_mut().for_each(|v| *v = v.clamp(-CUT, CUT));
        }
    }

    /// Keeps what is unsure within [`DIRECTIONS`].
    fn tidy(&mut self) {
        if self.unsure.len() <= 2 * DIRECTIONS {
            return;
        }
        let rows = self.state.len();
        let mut sum = vec![0.0; rows * rows];
        for vector in &self.unsure {
            for (i, a) in vector.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                sum[i * rows..(i + 1) * rows].iter_mut().zip(vector).for_each(|(s, b)| *s += a * b);
            }
        }
        self.unsure = directions(sum, rows);
    }

    /// Means of the next `horizon` rows.
    pub(super) fn means(&self, horizon: usize) -> Vec<f64> {
        let trend = |ahead: usize| self.level + self.drift * (self.elapsed + ahead as f64);
        self.unrolled(&self.state, horizon).into_iter().enumerate().map(|(i, v)| trend(i) + v).collect()
    }

    /// Standard deviations of the next `horizon` rows around their means.
    pub(super) fn deviations(&self, horizon: usize) -> Vec<f64> {
        let process = Process::new(self.ar.clone(), self.ma.clone());
        let mut sum = 0.0;
        let mut variances: Vec<f64> = process
            .responses(horizon)
            .into_iter()
            .map(|psi| {
                sum += psi * psi;
                sum
            })
            .collect();
        for vector in &self.unsure {
            variances.iter_mut().zip(self.unrolled(vector, horizon)).for_each(|(sum, v)| *sum += v * v);
        }
        variances.into_iter().map(|v| (v * self.variance).sqrt()).collect()
    }

    /// What a state makes of the next `horizon` rows.
    fn unrolled(&self, state: &[f64], horizon: usize) -> Vec<f64> {
        let mut rows: Vec<f64> = state.iter().copied().take(horizon).collect();
        rows.resize(horizon, 0.0);
        for t in 1..horizon {
            let before = self.ar.0.iter().take_while(|(lag, _)| *lag <= t);
            let echo: f64 = before.map(|(lag, c)| c * rows[t - lag]).sum();
            rows[t] = (rows[t] + echo).clamp(-CUT, CUT);
        }
        rows
    }

    pub(super) fn is_sound(&self) -> bool {
        let rows = self.state.len();
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        let taps = |taps: &Taps| taps.0.iter().all(|(_, c)| c.is_finite());
        rows > 0
            && self.ar.is_sound(rows)
            && self.ma.is_sound(rows - 1)
            && taps(&self.ar)
            && taps(&self.ma)
            && self.unsure.iter().all(|vector| vector.len() == rows && finite(vector))
            && finite(&self.state)
            && finite(&[self.level, self.drift, self.elapsed, self.variance])
    }
}

/// The state of the whole process from that of the differenced one and the rows before: by what both expect of the rows to
/// come, which determines it.
fn companion(process: &Process, differencing: &Taps, ar: &Taps, rows: usize, state: &[f64], past: &[f64]) -> Vec<f64> {
    let mut differences: Vec<f64> = state.to_vec();
    differences.resize(rows, 0.0);
    let mut expected = vec![0.0; rows];
    let mut joined = vec![0.0; rows];
    for i in 0..rows {
        let echo: f64 =
            process.ar.0.iter().take_while(|(lag, _)| *lag <= i).map(|(lag, c)| c * differences[i - lag]).sum();
        differences[i] += echo;
        let before = differencing
            .0
            .iter()
            .map(|(lag, c)| c * if *lag <= i { expected[i - lag] } else { past[past.len() + i - lag] });
        expected[i] = differences[i] + before.sum::<f64>();
        let own: f64 = ar.0.iter().take_while(|(lag, _)| *lag <= i).map(|(lag, c)| c * expected[i - lag]).sum();
        joined[i] = expected[i] - own;
    }
    joined
}

/// At most [`DIRECTIONS`] vectors whose outer products sum up to a positive semidefinite matrix, or nearly: Cholesky's
/// factorisation, the largest pivot first.
fn directions(mut matrix: Vec<f64>, size: usize) -> Vec<Vec<f64>> {
    let trace: f64 = (0..size).map(|i| matrix[i * size + i]).sum();
    let mut found = Vec::new();
    while found.len() < DIRECTIONS.min(size) {
        let (pivot, largest) =
            (0..size).map(|i| (i, matrix[i * size + i])).max_by(|a, b| a.1.total_cmp(&b.1)).expect("a matrix has rows");
        if largest <= 1e-12 * trace.max(1e-12) || largest.is_nan() {
            break;
        }
        let root = largest.sqrt();
        let vector: Vec<f64> = matrix[pivot * size..(pivot + 1) * size].iter().map(|v| v / root).collect();
        for i in 0..size {
            let share = vector[i];
            matrix[i * size..(i + 1) * size].iter_mut().zip(&vector).for_each(|(m, v)| *m -= share * v);
        }
        found.push(vector);
    }
    found
}

#[cfg(test)]
mod tests {
    use foresail_core::{Frame, SeededRng};

    use super::super::form::ArimaForm;
    use super::super::polynomial::{Coefficients, Limits};
    use super::*;

    fn walk(rows: usize, gaps: &[usize]) -> Vec<f64> {
        let mut rng = SeededRng::seed_from_u64(3);
        let mut level = 20.0;
        let value = |i: usize| {
            level += rng.normal();
            if gaps.contains(&i) { f64::NAN } else { level + 3.0 * (i as f64 * 1.57).sin() }
        };
        (0..rows).map(value).collect()
    }

    /// Begun at `from` rows and led on by updates, a model expects what it does begun at all rows; gaps before and after.
    fn check(orders: [usize; 3], seasonal: [usize; 3], from: usize, gaps: &[usize], point: &[f64]) {
        let form = ArimaForm::new(orders, seasonal, false);
        let coefficients = Coefficients::at(form, point, Limits::OPEN);
        let estimate = Estimate { form, point: point.to_vec(), coefficients, log_likelihood: 0.0, aicc: 0.0 };
        let values = walk(70, gaps);
        let whole = Window::of(&Frame::from_values(values.iter().copied()), 1, 99).unwrap();
        let mut part = whole.clone();
        part.values.truncate(from);
        part.seen.truncate(from);
        let at_end = |window: &Window| Running { variance: 1.0, ..Running::new(window, 4, &estimate, 99).unwrap() };
        let mut led = at_end(&part);
        for (value, seen) in whole.values.iter().zip(&whole.seen).skip(from) {
            led.step(seen.then_some(*value));
        }
        let whole = at_end(&whole);
        let near = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-7 * (1.0 + b.abs()));
        assert!(
            near(led.means(12), whole.means(12)),
            "{form} {gaps:?}: {:?}, not {:?}",
            led.means(12),
            whole.means(12)
        );
        let (got, expected) = (led.deviations(12), whole.deviations(12));
        assert!(near(got.clone(), expected.clone()), "{form} {gaps:?}: deviations {got:?}, not {expected:?}");
    }

    #[test]
    fn updates_lead_where_a_filter_of_all_rows_does() {
        for gaps in [&[][..], &[68, 66], &[10, 30, 60, 61, 62, 63]] {
            check([1, 0, 0], [0, 0, 0], 40, gaps, &[1.2]);
            check([0, 0, 2], [0, 0, 0], 40, gaps, &[0.5, -0.8]);
            check([0, 1, 1], [0, 1, 1], 40, gaps, &[-0.5, -1.0]);
            check([2, 1, 2], [1, 0, 1], 35, gaps, &[0.4, 0.3, -0.6, 0.2, 1.1, -0.5]);
            check([0, 2, 1], [0, 0, 0], 64, gaps, &[-0.9]);
        }
    }

    /// A random walk: the variance is that of the rows since the last one seen, and the first seen after a gap counts whole.
    #[test]
    fn a_gap_widens_what_is_expected() {
        let form = ArimaForm::new([0, 1, 0], [0, 0, 0], false);
        let coefficients = Coefficients::default();
        let estimate = Estimate { form, point: Vec::new(), coefficients, log_likelihood: 0.0, aicc: 0.0 };
        let window = Window::of(&Frame::from_values(walk(50, &[])), 1, 99).unwrap();
        let mut running = Running { variance: 4.0, ..Running::new(&window, 1, &estimate, 9).unwrap() };
        (0..3).for_each(|_| running.step(None));
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(&running.deviations(2), &[4.0, 20.0_f64.sqrt()]), "{:?}", running.deviations(2));
        running.step(Some(7.0));
        assert!(close(&running.means(2), &[7.0, 7.0]) && close(&running.deviations(1), &[2.0]));
        assert!(running.unsure.is_empty());
    }

    #[test]
    fn a_long_gap_keeps_the_state_small() {
        let form = ArimaForm::new([1, 0, 1], [1, 0, 1], false);
        let coefficients = Coefficients::at(form, &[1.0, 0.3, 1.5, -0.8], Limits::OPEN);
        let estimate = Estimate { form, point: Vec::new(), coefficients, log_likelihood: 0.0, aicc: 0.0 };
        let window = Window::of(&Frame::from_values(walk(300, &[])), 1, 999).unwrap();
        let mut running = Running::new(&window, 24, &estimate, 9).unwrap();
        let before = running.deviations(400);
        (0..400).for_each(|_| running.step(None));
        assert!(running.unsure.len() <= 2 * DIRECTIONS);
        let (after, usual) = (running.deviations(1)[0], before[399]);
        assert!((after / usual - 1.0).abs() < 0.02, "{after}, not {usual}");
    }
}
