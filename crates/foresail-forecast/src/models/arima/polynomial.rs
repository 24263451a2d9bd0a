//! From coordinates without bounds to the coefficients of stationary, invertible models, and to lags.

use serde::{Deserialize, Serialize};

use super::form::ArimaForm;

/// How large partial autocorrelations may be, within ±1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) plain: f64,
    pub(super) seasonal: f64,
}

impl Limits {
    /// All but the unit circle itself, from which nothing stationary starts.
    pub(super) const OPEN: Self = Self { plain: 0.999_999, seasonal: 0.999_999 };
}

/// The coefficients of the four polynomials of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Coefficients {
    pub(super) ar: Vec<f64>,
    pub(super) ma: Vec<f64>,
    pub(super) seasonal_ar: Vec<f64>,
    pub(super) seasonal_ma: Vec<f64>,
}

impl Coefficients {
    /// Those of `form` at a point of the search: first the AR, then the MA, then the seasonal ones, each group through its
    /// partial autocorrelations (Monahan 1984), which a hyperbolic tangent keeps within `limits`.
    pub(super) fn at(form: ArimaForm, point: &[f64], limits: Limits) -> Self {
        let (ar, rest) = point.split_at(form.ar);
        let (ma, rest) = rest.split_at(form.ma);
        let (seasonal_ar, seasonal_ma) = rest.split_at(form.seasonal_ar);
        let inverted = |point: &[f64], limit: f64| stationary(point, limit).iter().map(|c| -c).collect();
        Self {
            ar: stationary(ar, limits.plain),
            ma: inverted(ma, limits.plain),
            seasonal_ar: stationary(seasonal_ar, limits.seasonal),
            seasonal_ma: inverted(seasonal_ma, limits.seasonal),
        }
    }

    /// The product of the AR polynomials.
    pub(super) fn ar_taps(&self, season: usize) -> Taps {
        Taps::product(&self.ar, &self.seasonal_ar, season, -1.0)
    }

    /// The product of the MA polynomials.
    pub(super) fn ma_taps(&self, season: usize) -> Taps {
        Taps::product(&self.ma, &self.seasonal_ma, season, 1.0)
    }
}

/// Coefficients of a stationary AR polynomial from coordinates on the whole line, by the recursion of Durbin & Levinson.
fn stationary(point: &[f64], limit: f64) -> Vec<f64> {
    let mut coefficients = Vec::with_capacity(point.len());
    for x in point {
        let partial = limit * x.tanh();
        let before = coefficients.clone();
        for (c, mirrored) in coefficients.iter_mut().zip(before.iter().rev()) {
            *c -= partial * mirrored;
        }
        coefficients.push(partial);
    }
    coefficients
}

/// What is not zero of a polynomial without its leading 1: lags, ascending from 1, with their coefficients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Taps(pub(super) Vec<(usize, f64)>);

impl Taps {
    /// `1 + s·Σ plain + s·Σ seasonal + Σ plain × seasonal` for the sign `s` that the model's equation has on its left.
    fn product(plain: &[f64], seasonal: &[f64], season: usize, sign: f64) -> Self {
        let mut whole = vec![0.0; plain.len() + season * seasonal.len() + 1];
        let of = |coefficients: &[f64], apart: usize| -> Vec<(usize, f64)> {
            let scaled = coefficients.iter().enumerate().map(|(i, c)| ((i + 1) * apart, sign * c));
            std::iter::once((0, 1.0)).chain(scaled).collect()
        };
        for (lag, c) in of(seasonal, season) {
            for (more, other) in of(plain, 1) {
                whole[lag + more] += c * other;
            }
        }
        Self::of(whole.into_iter().map(|c| sign * c))
    }

    /// From all coefficients, the leading one first; it is left out.
    fn of(whole: impl Iterator<Item = f64>) -> Self {
        Self(whole.enumerate().skip(1).filter(|(_, c)| *c != 0.0).collect())
    }

    /// `(1 - B)^differences (1 - B^season)^seasonal`, written so that what is lost is on the right: a row is the sum of
    /// `coefficient × row lag rows ago`, and its difference.
    pub(super) fn differencing(form: ArimaForm, season: usize) -> Self {
        let lags =
            std::iter::repeat_n(1, form.differences).chain(std::iter::repeat_n(season, form.seasonal_differences));
        let whole = lags.fold(vec![1.0], |whole, lag| {
            let mut next = whole.clone();
            next.resize(whole.len() + lag, 0.0);
            for (i, c) in whole.iter().enumerate() {
                next[i + lag] -= c;
            }
            next
        });
        Self::of(whole.into_iter().map(|c| -c))
    }

    /// The product of two AR-like polynomials `1 - Σ`.
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut whole = vec![0.0; self.reach() + other.reach() + 1];
        let of = |taps: &Self| -> Vec<(usize, f64)> {
            std::iter::once((0, 1.0)).chain(taps.0.iter().map(|(lag, c)| (*lag, -c))).collect()
        };
        for (lag, c) in of(self) {
            for (more, d) in of(other) {
                whole[lag + more] += c * d;
            }
        }
        Self::of(whole.into_iter().map(|c| -c))
    }

    /// The longest lag, 0 without any.
    pub(super) fn reach(&self) -> usize {
        self.0.last().map_or(0, |(lag, _)| *lag)
    }

    /// Lags ascend from 1 to at most `reach`.
    pub(super) fn is_sound(&self, reach: usize) -> bool {
        let ascending = self.0.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ascending && self.0.first().is_none_or(|(lag, _)| *lag >= 1) && self.reach() <= reach
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seasonal_polynomials_are_multiplied_out() {
        let given = Coefficients { ar: vec![0.5], ma: vec![0.4], seasonal_ar: vec![0.2], seasonal_ma: vec![-0.3] };
        assert_eq!(given.ar_taps(4).0, [(1, 0.5), (4, 0.2), (5, -0.1)]);
        assert_eq!(given.ma_taps(4).0, [(1, 0.4), (4, -0.3), (5, -0.12)]);
        let twice = ArimaForm::new([0, 1, 0], [0, 1, 0], false);
        assert_eq!(Taps::differencing(twice, 4).0, [(1, 1.0), (4, 1.0), (5, -1.0)]);
        let ones = Taps(vec![(1, 1.0)]);
        assert_eq!(ones.times(&ones).0, [(1, 2.0), (2, -1.0)]);
    }

    proptest! {
        /// What a point stands for is stationary: taken down step by step, every partial autocorrelation lies within the
        /// limit, where its coordinate says.
        #[test]
        fn any_point_is_stationary(point in proptest::collection::vec(-2.0..2.0_f64, 1..6)) {
            let mut c = stationary(&point, 0.999_99);
            for x in point.iter().rev() {
                let partial = c.pop().expect("one coefficient for each coordinate");
                prop_assert!((partial - 0.999_99 * x.tanh()).abs() < 1e-6);
                let rest = c.iter().zip(c.iter().rev());
                c = rest.map(|(near, far)| (near + partial * far) / (1.0 - partial * partial)).collect();
            }
        }
    }
}
