//! One cell of an input, and the number in it.

use crate::error::shown;

/// A cell as its format hands it over: text from CSV, typed from Parquet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Empty,
    Text(&'a [u8]),
    Int(i64),
    Float(f64),
    /// A typed time, in microseconds since the epoch.
    Instant(i64),
    /// A typed time on an unnamed local clock, in microseconds since its 1970.
    Local(i64),
}

/// What a value cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Finite(f64),
    /// NaN or infinite: a gap, counted apart from an empty cell.
    NonFinite,
    Empty,
    Bad,
}

impl<'a> Cell<'a> {
    /// Text without surrounding blanks; the spellings of nothing (empty, `null`, `none`, `NA`, `N/A`) are empty.
    pub(crate) fn text(bytes: &'a [u8]) -> Self {
        let text = bytes.trim_ascii();
        let nothing = match text.len() {
            0 => true,
            2..=4 => [&b"null"[..], b"none", b"na", b"n/a"].iter().any(|n| text.eq_ignore_ascii_case(n)),
            _ => false,
        };
        if nothing { Self::Empty } else { Self::Text(text) }
    }

    /// The number in it; `true` is 1 and `false` is 0.
    pub(crate) fn number(self) -> Number {
        let number = match self {
            Self::Empty => return Number::Empty,
            Self::Int(n) => n as f64,
            Self::Float(x) => x,
            Self::Instant(_) | Self::Local(_) => return Number::Bad,
            Self::Text(text) if text.eq_ignore_ascii_case(b"true") => 1.0,
            Self::Text(text) if text.eq_ignore_ascii_case(b"false") => 0.0,
            Self::Text(text) => match std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()) {
                Some(number) => number,
                None => return Number::Bad,
            },
        };
        if number.is_finite() { Number::Finite(number) } else { Number::NonFinite }
    }

    /// As an error shows it.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => shown(text),
            Self::Int(n) => n.to_string(),
            Self::Float(x) => x.to_string(),
            Self::Instant(micros) | Self::Local(micros) => foresail_core::Timestamp::from_micros(micros).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_gaps_and_nonsense_are_told_apart() {
        for (text, expected) in [
            ("12", Number::Finite(12.0)),
            (" -0.5\t", Number::Finite(-0.5)),
            ("+1.2e3", Number::Finite(1200.0)),
            ("TRUE", Number::Finite(1.0)),
            ("false", Number::Finite(0.0)),
            ("", Number::Empty),
            ("  ", Number::Empty),
            ("N/A", Number::Empty),
            ("null", Number::Empty),
            ("NaN", Number::NonFinite),
            ("-Inf", Number::NonFinite),
            ("1e999", Number::NonFinite),
            ("abc", Number::Bad),
            ("1,234", Number::Bad),
            ("12ms", Number::Bad),
            ("0x10", Number::Bad),
        ] {
            assert_eq!(Cell::text(text.as_bytes()).number(), expected, "{text:?}");
        }
        assert_eq!(Cell::Text(b"\xff\xfe").number(), Number::Bad);
    }

    #[test]
    fn a_long_cell_is_cut_where_it_is_shown() {
        assert_eq!(Cell::Text("é".repeat(100).as_bytes()).shown(), format!("{}…", "é".repeat(40)));
    }
}
