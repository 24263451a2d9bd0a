//! Orders of a model.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Orders of a seasonal ARIMA model, (p, d, q)(P, D, Q) in the notation of Box & Jenkins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArimaForm {
    /// Autoregressive order p.
    pub ar: usize,
    /// Differences d.
    pub differences: usize,
    /// Moving-average order q.
    pub ma: usize,
    /// Seasonal autoregressive order P.
    pub seasonal_ar: usize,
    /// Seasonal differences D.
    pub seasonal_differences: usize,
    /// Seasonal moving-average order Q.
    pub seasonal_ma: usize,
    /// With a mean, or where differenced once, a drift. Of no account where differenced twice or more.
    pub constant: bool,
}

impl ArimaForm {
    /// `[p, d, q]` and `[P, D, Q]`.
    pub fn new(orders: [usize; 3], seasonal: [usize; 3], constant: bool) -> Self {
        let ([ar, differences, ma], [seasonal_ar, seasonal_differences, seasonal_ma]) = (orders, seasonal);
        Self { ar, differences, ma, seasonal_ar, seasonal_differences, seasonal_ma, constant }
    }

    /// Whether any part repeats with the season.
    pub fn is_seasonal(self) -> bool {
        self.seasonal_ar + self.seasonal_differences + self.seasonal_ma > 0
    }

    /// Autoregressive and moving-average coefficients.
    pub fn coefficients(self) -> usize {
        self.ar + self.ma + self.seasonal_ar + self.seasonal_ma
    }

    /// Whether a mean or a drift is fitted.
    pub fn has_constant(self) -> bool {
        self.constant && self.differences + self.seasonal_differences <= 1
    }

    /// Everything fitted: coefficients, constant and the variance.
    pub fn parameters(self) -> usize {
        self.coefficients() + usize::from(self.has_constant()) + 1
    }

    /// Rows that differencing uses up, with a season of `season` rows.
    pub fn lost(self, season: usize) -> usize {
        self.differences + season * self.seasonal_differences
    }
}

impl fmt::Display for ArimaForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{},{})", self.ar, self.differences, self.ma)?;
        if self.is_seasonal() {
            write!(f, "({},{},{})", self.seasonal_ar, self.seasonal_differences, self.seasonal_ma)?;
        }
        match (self.has_constant(), self.differences + self.seasonal_differences) {
            (true, 0) => f.write_str(" with mean"),
            (true, _) => f.write_str(" with drift"),
            (false, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_written_as_textbooks_do() {
        let form = ArimaForm::new([2, 0, 1], [0, 1, 1], true);
        assert_eq!(form.to_string(), "(2,0,1)(0,1,1) with drift");
        assert_eq!((form.parameters(), form.lost(24)), (6, 24));
        assert_eq!(ArimaForm::new([0, 2, 1], [0, 0, 0], true).to_string(), "(0,2,1)");
    }
}
