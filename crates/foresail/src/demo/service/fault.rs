//! Faults of the sample service, from its start or while it runs.

use std::str::FromStr;
use std::time::Duration;

use crate::args::Span;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Every request takes this many times as long; 1 is well again.
    Slow(f64),
    /// This share of requests is answered 500; 0 is well again.
    Failing(f64),
    /// This share of requests is answered 500 at once, without a worker; 0 is well again.
    FailingFast(f64),
    /// The process ends with an error after this long.
    Crash(Duration),
    /// Nothing but /metrics is answered any more, after this long.
    Hang(Duration),
}

/// A fault of one copy, or of all: `slow=5`, `failing=0.5@3`, `failing-fast=1`, `crash=10s`, `hang=1m@2` (`@` the id of the copy).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CopyFault {
    /// What goes wrong.
    pub(crate) fault: Fault,
    /// With which copy; with all of them if absent.
    pub(crate) copy: Option<u64>,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "{text:?} is not a fault; accepted are slow=FACTOR (0.01 to 1000), failing=SHARE or failing-fast=SHARE (0 to 1), crash=DURATION and hang=DURATION"
            )
        };
        let (kind, value) = text.split_once('=').ok_or_else(bad)?;
        let number = value.parse::<f64>().ok();
        let share = number.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(bad);
        let span = value.parse::<Span>().map(|span| span.0);
        match kind {
            "slow" => number.filter(|factor| (0.01..=1000.0).contains(factor)).map(Self::Slow).ok_or_else(bad),
            "failing" => share.map(Self::Failing),
            "failing-fast" => share.map(Self::FailingFast),
            "crash" => span.map(Self::Crash).map_err(|_| bad()),
            "hang" => span.map(Self::Hang).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

impl FromStr for CopyFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((fault, copy)) = text.split_once('@') else {
            return Ok(Self { fault: text.parse()?, copy: None });
        };
        let copy = copy.parse().map_err(|_| format!("{copy:?} is not the id of a copy"))?;
        Ok(Self { fault: fault.parse()?, copy: Some(copy) })
    }
}

impl CopyFault {
    /// The fault, if it is one of copy `id`.
    pub(crate) fn of(self, id: u64) -> Option<Fault> {
        self.copy.is_none_or(|copy| copy == id).then_some(self.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_with_their_copy() {
        let read = |text: &str| text.parse::<CopyFault>();
        assert_eq!(read("slow=5"), Ok(CopyFault { fault: Fault::Slow(5.0), copy: None }));
        assert_eq!(read("failing=0.5@3"), Ok(CopyFault { fault: Fault::Failing(0.5), copy: Some(3) }));
        assert_eq!(read("failing-fast=1"), Ok(CopyFault { fault: Fault::FailingFast(1.0), copy: None }));
        assert_eq!(read("crash=10s@2").unwrap().of(2), Some(Fault::Crash(Duration::from_secs(10))));
        assert_eq!(read("hang=500ms@2").unwrap().of(1), None);
        for text in ["", "slow", "slow=0", "slow=nan", "failing=1.1", "crash=soon", "hang=1s@x", "melt=1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
