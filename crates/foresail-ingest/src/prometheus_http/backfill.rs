//! What was: a query over a span, in as many requests as it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_core::Timestamp;

use super::{PrometheusHttp, check_step, seconds, shown};
use crate::assemble::assemble;
use crate::prometheus::{Line, lines, table};
use crate::read::{Ingested, Input};
use crate::{Codec, Error, Format, ReadOptions};

/// Points that Prometheus gives in one answer.
const POINTS: u64 = 11_000;

/// A series and how it came about.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// The frame, and what was found on the way.
    pub ingested: Ingested,
    /// Requests that were made.
    pub requests: usize,
    /// What the source warned of, where that is accepted.
    pub warnings: Vec<String>,
}

impl PrometheusHttp {
    /// The values of `query` in rows of `step` over `[from, to)`, as far as they have settled by `now`: each row's value
    /// is that of the query at the row's end. Each series becomes a column, named as in a saved answer; `options` choose
    /// and treat them in the same way (its step and format are not used). Rows before the first value there is are not
    /// part of the frame.
    ///
    /// Makes a request for every 11,000 rows, one after the other; the answers together may be as long as one may be.
    ///
    /// # Errors
    /// [`Error::NoData`] if no series has a value in the span, [`Error::BadOption`] for a step or span that cannot be,
    /// [`Error::Refused`], [`Error::Partial`], [`Error::Http`] and those of [`read`](crate::read). A request that failed
    /// fails the whole.
    pub async fn backfill(
        &self,
        query: &str,
        (from, to): (Timestamp, Timestamp),
        step: Duration,
        now: Timestamp,
        options: &ReadOptions,
    ) -> Result<Backfill, Error> {
        check_step(step)?;
        options.check()?;
        let (from, to) = (from.floor_to(step), to.floor_to(step).min(self.settled(now, step)));
        let rows = to.since(from).as_micros() as u64 / step.as_micros() as u64;
        let when = || format!("from {from} to {to}");
        if rows == 0 {
            return Err(Error::NoData { query: shown(query), when: when() });
        }
        let requests = rows.div_ceil(POINTS);
        if requests > self.max_requests as u64 {
            let expected = format!("at most {} rows of {step:?}", self.max_requests as u64 * POINTS);
            return Err(Error::BadOption { option: "span", found: format!("{rows} rows"), expected });
        }
        let url = self.base.with_path("/api/v1/query_range").to_string();
        let options = ReadOptions { step: Some(step), format: Some(Format::Prometheus), ..options.clone() };
        let input = Input { file: &url, codec: Codec::Plain, seekable: None, options: &options };
        let mut series: BTreeMap<BTreeMap<String, String>, Line> = BTreeMap::new();
        let mut warnings = Vec::new();
        let mut bytes = 0;
        for request in 0..requests {
            let first = from + scaled(step, request * POINTS + 1);
            let last = from + scaled(step, ((request + 1) * POINTS).min(rows));
            let (first, last, step) = (seconds(first), seconds(last), step.as_secs_f64().to_string());
            let asked = [("query", query), ("start", &first), ("end", &last), ("step", &step)];
            let (body, warned) = self.ask("/api/v1/query_range", &asked).await?;
            bytes += body.len();
            if bytes > self.max_bytes {
                let place = input.place(crate::At::Whole, None);
                return Err(Error::TooManyBytes { place, max_bytes: self.max_bytes as u64 });
            }
            warnings.extend(warned);
            for mut line in lines(&input, &body)? {
                match series.get_mut(&line.labels) {
                    Some(known) => known.readings.append(&mut line.readings),
                    None => drop(series.insert(line.labels.clone(), line)),
                }
            }
        }
        warnings.sort();
        warnings.dedup();
        let mut series: Vec<Line> = series.into_values().collect();
        if series.iter().all(|line| line.readings.is_empty()) {
            return Err(Error::NoData { query: shown(query), when: when() });
        }
        for (stamp, _) in series.iter_mut().flat_map(|line| &mut line.readings) {
            // From the end of the step to its beginning.
            *stamp = stamp.map(|t| t - step.as_micros() as i64);
        }
        let ingested = assemble(&input, Format::Prometheus, table(&input, &series)?)?;
        Ok(Backfill { ingested, requests: requests as usize, warnings })
    }
}

/// `step` times `count`, far in the future at most.
fn scaled(step: Duration, count: u64) -> Duration {
    Duration::from_micros((step.as_micros() as u64).saturating_mul(count))
}
