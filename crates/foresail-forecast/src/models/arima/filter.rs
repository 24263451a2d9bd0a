//! The Kalman filter of a stationary process, by fast recursions.

use super::stationary::{Process, Start};

/// An exponent of what later rows move the gain by: below this they do not.
const STILL: f64 = 1e-10;
/// Of the innovation's variance, over the 1 that it tends to: below this it has arrived.
const ARRIVED: f64 = 1e-13;

/// Something to be filtered: the series, or what one of its unknowns adds to it.
pub(super) struct Column {
    /// The first row that is not zero.
    pub(super) from: usize,
    pub(super) values: Vec<f64>,
}

/// What the filter makes of some columns.
pub(super) struct Filtered {
    /// Sum of the logarithms of the innovations' variances.
    pub(super) log_determinant: f64,
    /// `columns × columns`, of which the lower half is filled: sums of products of the innovations, each over its variance.
    pub(super) products: Vec<f64>,
    /// For each column, the state at the end: what is expected of the next rows.
    pub(super) states: Vec<Vec<f64>>,
    /// What the variance of the state at the end has over that of a filter that has always been running: vectors whose
    /// outer products sum up to it are the rows of [`Recursion::excess`].
    pub(super) end: Recursion,
}

/// The gain and how it will move. The variance of the state changes from row to row by a matrix of rank one, so a row
/// costs O(state), not its square: the recursions of Morf, Sidhu & Kailath (1974), for ARMA likelihoods Mélard (1984,
/// AS 197). Here they are written as hyperbolic rotations of the gain and of the vector of that matrix, in which the
/// rotation's sine is at each row a partial autocorrelation of the series; where that is zero (in a seasonal model: mostly),
/// nothing moves.
#[derive(Clone)]
pub(super) struct Recursion {
    /// Variance of the innovation to come.
    pub(super) variance: f64,
    /// What an innovation tells of the rows after it.
    gain: Vec<f64>,
    /// The vector, a window that moves on by a place a row.
    moving: Vec<f64>,
    at: usize,
    /// Rows in a row at which nothing moved.
    still: usize,
    steady: bool,
}

impl Recursion {
    fn new(start: Start) -> Self {
        let rows = start.gain.len();
        let mut moving = start.gain.clone();
        moving.resize(rows * 9, 0.0);
        Self { variance: start.variance, gain: start.gain, moving, at: 0, still: 0, steady: false }
    }

    /// Moves on by a row.
    fn step(&mut self, process: &Process) {
        let (at, rows) = (self.at, process.rows);
        let sine = self.moving[at];
        for (lag, c) in &process.ar.0 {
            self.moving[at + lag] += c * sine;
        }
        if sine.abs() > STILL {
            self.still = 0;
            let scale = 1.0 / (1.0 - sine * sine);
            for (gain, moving) in self.gain.iter_mut().zip(&mut self.moving[at + 1..=at + rows]) {
                let (old, ahead) = (*gain, *moving);
                *gain = (old - sine * ahead) * scale;
                *moving = (ahead - sine * old) * scale;
            }
            self.variance *= 1.0 - sine * sine;
        } else {
            self.still += 1;
        }
        self.at += 1;
        if self.at + rows + 1 >= self.moving.len() {
            self.moving.copy_within(self.at..self.at + rows, 0);
            self.moving[rows..].fill(0.0);
            self.at = 0;
        }
        if self.variance - 1.0 < ARRIVED || self.still >= rows {
            self.steady = true;
            self.variance = 1.0;
        }
    }

    /// The sum of outer products of what is left to be learned, `rows × rows`, from at most `limit` more rows; `None` if
    /// there is nothing left.
    pub(super) fn excess(mut self, process: &Process, limit: usize) -> Option<Vec<f64>> {
        if self.steady {
            return None;
        }
        let rows = process.rows;
        let mut sum = vec![0.0; rows * rows];
        for _ in 0..limit {
            let vector = &self.moving[self.at..self.at + rows];
            for (i, a) in vector.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                let scaled = a * self.variance;
                sum[i * rows..i * rows + i + 1].iter_mut().zip(vector).for_each(|(s, b)| *s += scaled * b);
            }
            self.step(process);
            if self.steady {
                break;
            }
        }
        for i in 0..rows {
            for j in 0..i {
                sum[j * rows + i] = sum[i * rows + j];
            }
        }
        Some(sum)
    }
}

/// Filters `columns` of `rows` rows. The state of a column is the conditional mean of the `process.rows` rows to come as far
/// as past rows and past shocks make them (Harvey's form). `None` if numbers fail.
pub(super) fn filter(process: &Process, columns: &[Column], rows: usize) -> Option<Filtered> {
    let reach = process.rows;
    let width = rows + reach + 1;
    let mut states = vec![0.0; columns.len() * width];
    let mut products = vec![0.0; columns.len() * columns.len()];
    let mut errors = vec![0.0; columns.len()];
    let mut recursion = Recursion::new(process.start()?);
    let (mut determinant, mut log_determinant) = (1.0_f64, 0.0);
    for t in 0..rows {
        let steady = recursion.steady;
        for ((column, state), error) in columns.iter().zip(states.chunks_exact_mut(width)).zip(&mut errors) {
            if t < column.from {
                continue;
            }
            let (expected, value) = (state[t], column.values[t]);
            *error = value - expected;
            if steady {
                for (lag, c) in &process.ar.0 {
                    state[t + lag] += c * value;
                }
                for (lag, c) in &process.ma.0 {
                    state[t + lag] += c * *error;
                }
            } else {
                for (lag, c) in &process.ar.0 {
                    state[t + lag] += c * expected;
                }
                let ahead = &mut state[t + 1..=t + reach];
                ahead.iter_mut().zip(&recursion.gain).for_each(|(state, gain)| *state += gain * *error);
            }
        }
        let inverse = if steady { 1.0 } else { recursion.variance.recip() };
        for (i, a) in errors.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            let scaled = a * inverse;
            let row = &mut products[i * errors.len()..=i * errors.len() + i];
            row.iter_mut().zip(&errors).for_each(|(sum, b)| *sum += scaled * b);
        }
        if !steady {
            determinant *= recursion.variance;
            if determinant > 1e100 {
                log_determinant += determinant.ln();
                determinant = 1.0;
            }
            recursion.step(process);
        }
    }
    log_determinant += determinant.ln();
    if !log_determinant.is_finite() || !products.iter().all(|v| v.is_finite()) {
        return None;
    }
    let states = states.chunks_exact(width).map(|state| state[rows..rows + reach].to_vec()).collect();
    Some(Filtered { log_determinant, products, states, end: recursion })
}
