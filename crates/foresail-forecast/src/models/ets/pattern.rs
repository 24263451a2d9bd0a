//! Which forms are compared: a name in the letters of the literature, `Z` where it is left open.

use super::super::smoothing::{Form, Noise, Seasonal, Trend};
use crate::Error;

/// What forms a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    noise: Option<Noise>,
    trend: Option<Trend>,
    seasonal: Option<Seasonal>,
}

impl Pattern {
    /// Any form that is stable and does not grow by a factor.
    pub(super) const ANY: Self = Self { noise: None, trend: None, seasonal: None };

    /// Any of these without a season.
    pub(super) const WITHOUT_SEASON: Self = Self { seasonal: Some(Seasonal::None), ..Self::ANY };

    /// Reads a name such as `AAdM` or `ZZN`: error (`A`, `M`), trend (`N`, `A`, `Ad`, `M`, `Md`) and season (`N`, `A`, `M`).
    pub(super) fn read(name: &str) -> Result<Self, Error> {
        let bad = || Error::BadParameter {
            parameter: "form",
            value: format!("{name:?}"),
            range: "error A, M or Z, then trend N, A, Ad, M, Md or Z, then season N, A, M or Z, as in AAdM or ZZZ",
        };
        let noise = match name.get(..1).ok_or_else(bad)? {
            "A" => Some(Noise::Additive),
            "M" => Some(Noise::Multiplicative),
            "Z" => None,
            _ => return Err(bad()),
        };
        let last = name.len() - 1;
        let trend = match name.get(1..last.max(1)).ok_or_else(bad)? {
            "N" => Some(Trend::None),
            "A" => Some(Trend::Additive),
            "Ad" => Some(Trend::AdditiveDamped),
            "M" => Some(Trend::Multiplicative),
            "Md" => Some(Trend::MultiplicativeDamped),
            "Z" => None,
            _ => return Err(bad()),
        };
        let seasonal = match name.get(last..).ok_or_else(bad)? {
            "N" => Some(Seasonal::None),
            "A" => Some(Seasonal::Additive),
            "M" => Some(Seasonal::Multiplicative),
            "Z" => None,
            _ => return Err(bad()),
        };
        Ok(Self { noise, trend, seasonal })
    }

    /// Whether a season is asked for.
    pub(super) fn needs_season(self) -> bool {
        self.seasonal.is_some_and(|seasonal| seasonal != Seasonal::None)
    }

    /// The forms it stands for. A fixed one is taken at its word; where there is a choice, unstable forms are left out
    /// unless nothing else is left, and a trend that grows by a factor has to be named.
    pub(super) fn forms(self) -> Vec<Form> {
        let is_meant = |form: &Form| {
            self.noise.is_none_or(|noise| noise == form.noise)
                && self.trend.map_or(!form.trend.is_multiplicative(), |trend| trend == form.trend)
                && self.seasonal.is_none_or(|seasonal| seasonal == form.seasonal)
        };
        let all: Vec<Form> = Form::all().filter(is_meant).collect();
        let stable: Vec<Form> = all.iter().copied().filter(|form| !form.is_unstable()).collect();
        if stable.is_empty() { all } else { stable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_from_its_name() {
        for form in Form::all() {
            let pattern = Pattern::read(&form.to_string()).unwrap();
            assert_eq!(pattern.forms(), [form]);
        }
    }

    #[test]
    fn what_is_left_open_is_compared() {
        let check = |name: &str, expected: &str| {
            let names: Vec<String> = Pattern::read(name).unwrap().forms().iter().map(Form::to_string).collect();
            assert_eq!(names.join(" "), expected, "{name}");
        };
        check("ZZN", "ANN AAN AAdN MNN MAN MAdN");
        check("ZMZ", "MMN MMM");
        check("MZM", "MNM MAM MAdM");
        check("AZM", "ANM AAM AAdM");
        assert_eq!(Pattern::read("ZZZ").unwrap(), Pattern::ANY);
        assert_eq!(Pattern::ANY.forms().len(), 15);
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "A", "AA", "AdA", "AAAA", "ZZZZ", "aan", "éé", "ANé", "AéN"] {
            let message = Pattern::read(name).unwrap_err().to_string();
            assert!(message.starts_with(&format!("form is {name:?}, accepted is error A")), "{message}");
        }
    }
}
