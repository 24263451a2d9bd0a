//! What a reader is told: where the time and the values are, and the rule for every flaw.

use std::time::Duration;

use foresail_core::TimeZone;

use crate::Error;

/// A closed choice with its spelling on the command line and in files.
macro_rules! choices {
    ($(#[$meta:meta])* $name:ident ($option:literal) { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(Error::BadOption {
                        option: $option,
                        found: text.to_owned(),
                        expected: [$($text),*].join(", "),
                    }),
                }
            }
        }
    };
}
pub(crate) use choices;

choices! {
    /// How an input is laid out.
    Format ("format") {
        /// Comma, semicolon, tab or bar separated text, with a header or without.
        Csv = "csv",
        /// Apache Parquet, uncompressed, snappy or zstd inside.
        Parquet = "parquet",
        /// The JSON answer of Prometheus' `query_range`.
        Prometheus = "prometheus",
    }
}

choices! {
    /// What becomes of several samples that fall into one step of the grid.
    Aggregation ("aggregation") {
        /// Their mean.
        Mean = "mean",
        /// Their sum.
        Sum = "sum",
        /// The largest.
        Max = "max",
        /// The smallest.
        Min = "min",
        /// The latest by time; of equal times the later in the file.
        Last = "last",
        /// How many there are; 0, not a gap, where there is none.
        Count = "count",
    }
}

choices! {
    /// The unit of numeric times.
    EpochUnit ("epoch unit") {
        /// Seconds since 1970.
        Seconds = "s",
        /// Milliseconds since 1970.
        Millis = "ms",
        /// Microseconds since 1970.
        Micros = "us",
        /// Nanoseconds since 1970; what is finer than a microsecond is cut.
        Nanos = "ns",
    }
}

choices! {
    /// What becomes of rows with the very same time.
    Duplicates ("duplicates") {
        /// They are aggregated like any samples of one step.
        Aggregate = "aggregate",
        /// Only the last of them in the file is kept.
        Last = "last",
    }
}

choices! {
    /// What becomes of negative values; in a counter they are always gaps.
    Negative ("negative") {
        /// They stay.
        Keep = "keep",
        /// They become gaps.
        Gap = "gap",
        /// They become 0.
        Zero = "zero",
    }
}

/// Which value columns only ever count up and are to be turned into rates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Counters {
    /// None.
    #[default]
    No,
    /// All.
    All,
    /// Those named.
    These(Vec<String>),
}

impl Counters {
    pub(crate) fn holds(&self, name: &str) -> bool {
        match self {
            Self::No => false,
            Self::All => true,
            Self::These(names) => names.iter().any(|n| n == name),
        }
    }
}

/// How to read. The default finds format, time column, step and every numeric column by itself, takes the mean of what
/// falls into one step, and refuses the first cell it cannot understand.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The format; `None` decides by the first bytes, then by the name's ending.
    pub format: Option<Format>,
    /// Zone of times written without an offset, and of the frame's calendar. Default UTC. A local time that the clocks
    /// skipped moves forward by the gap; one that occurs twice is the earlier instant, unless that would not be later
    /// than the row before and the later instant would.
    pub zone: TimeZone,
    /// Name of the time column; `None` looks for a usual name (timestamp, time, ts, datetime, date, ds, …) and then for
    /// a column that holds times.
    pub time: Option<String>,
    /// Unit of numeric times; `None` decides by the largest magnitude among the first 1,000: below 1e11 seconds, below
    /// 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
    pub epoch_unit: Option<EpochUnit>,
    /// Value columns, in the order the frame shall have; empty takes every named column of which at least half of the
    /// first 1,000 non-empty cells are numbers.
    pub values: Vec<String>,
    /// Further value columns to take where they are present; a trailing `*` stands for any ending.
    pub optional: Vec<String>,
    /// The column to forecast; `None` is the first value column.
    pub target: Option<String>,
    /// Step of the grid, a positive whole number of microseconds of at most a year; `None` is the most common
    /// difference between successive times. Times are rounded down to the grid, which passes through the remainder
    /// that the times share, or else through local midnight (a grid of weeks through Monday's).
    pub step: Option<Duration>,
    /// What becomes of several samples in one step.
    pub aggregation: Aggregation,
    /// What becomes of rows with the very same time.
    pub duplicates: Duplicates,
    /// Columns to turn from counts into rates per second: the increase since the sample before over the time between
    /// them, stamped at the earlier. A decrease is a reset: what was counted since is the increase. An increase over
    /// more than five steps says too little of each, and is a gap.
    pub counters: Counters,
    /// What becomes of negative values.
    pub negative: Negative,
    /// Replaces the value columns with one, `sum`: their sum in each row, of those that have a value there. Counters
    /// are summed as rates.
    pub sum: bool,
    /// Skips and counts what cannot be understood, instead of refusing it: a bad number becomes a gap, a row with a bad
    /// time or the wrong number of cells is left out, and fewer than two rows are a (very short) frame.
    pub lenient: bool,
    /// Separator of CSV cells; `None` takes the most frequent of comma, semicolon, tab and bar in the first line.
    pub delimiter: Option<u8>,
    /// Most samples to hold, and most cells of the grid: rows times value columns.
    pub max_cells: usize,
    /// Most bytes to read, once decompressed.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            zone: TimeZone::utc(),
            time: None,
            epoch_unit: None,
            values: Vec::new(),
            optional: Vec::new(),
            target: None,
            step: None,
            aggregation: Aggregation::Mean,
            duplicates: Duplicates::Aggregate,
            counters: Counters::No,
            negative: Negative::Keep,
            sum: false,
            lenient: false,
            delimiter: None,
            max_cells: 50_000_000,
            max_bytes: 16 << 30,
        }
    }
}

impl ReadOptions {
    /// Refuses options that no input could satisfy.
    pub(crate) fn check(&self) -> Result<(), Error> {
        const YEAR: Duration = Duration::from_secs(366 * 86_400);
        if let Some(step) = self.step
            && (step.is_zero() || step > YEAR || !step.as_nanos().is_multiple_of(1_000))
        {
            return Err(Error::BadOption {
                option: "step",
                found: format!("{step:?}"),
                expected: "a whole number of microseconds from 1us to 366d".to_owned(),
            });
        }
        if let Some(delimiter) = self.delimiter
            && (matches!(delimiter, b'"' | b'\r' | b'\n') || !delimiter.is_ascii())
        {
            return Err(Error::BadOption {
                option: "delimiter",
                found: char::from(delimiter).to_string(),
                expected: "an ASCII character other than a quote or a line end".to_owned(),
            });
        }
        Ok(())
    }
}
