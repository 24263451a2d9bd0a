//! What is: the newest complete value of a query.

use std::time::Duration;

use foresail_core::Timestamp;

use super::{PrometheusHttp, answer, check_step, seconds, shown};
use crate::cell::Number;
use crate::read::Input;
use crate::{Codec, Error, ReadOptions};

/// A value of `[time − step, time)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newest {
    /// The end of the step it is about.
    pub time: Timestamp,
    /// The value, finite.
    pub value: f64,
}

impl PrometheusHttp {
    /// The newest value of `query`, which must give one series, on the grid of `step`, if it is younger than `since` and
    /// older than the evaluation delay. `None`, without asking, if there can be none yet. Steps that were missed in
    /// between are for [`PrometheusHttp::backfill`].
    ///
    /// # Errors
    /// [`Error::NoData`] if the query gives no series or no number, [`Error::ManySeries`], [`Error::TooYoung`] if the
    /// source does not keep to the time asked for, [`Error::Refused`], [`Error::Partial`], [`Error::Http`] and those of
    /// the format.
    pub async fn newest(
        &self,
        query: &str,
        step: Duration,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Newest>, Error> {
        check_step(step)?;
        let asked = self.settled(now, step);
        if since.is_some_and(|since| asked <= since) {
            return Ok(None);
        }
        let (body, _) = self.ask("/api/v1/query", &[("query", query), ("time", &seconds(asked))]).await?;
        let url = self.base.with_path("/api/v1/query").to_string();
        let options = ReadOptions::default();
        let input = Input { file: &url, codec: Codec::Plain, seekable: None, options: &options };
        let readings = answer::instant(&input, &body)?;
        let (stamp, number) = match readings[..] {
            [(Some(stamp), number)] => (stamp, number),
            [] | [(None, _)] => return Err(no_data(query, asked)),
            _ => return Err(Error::ManySeries { query: shown(query), found: readings.len() }),
        };
        let time = Timestamp::from_micros(stamp);
        if time > asked {
            return Err(Error::TooYoung { url, found: time, asked });
        }
        let Number::Finite(value) = number else { return Err(no_data(query, asked)) };
        Ok(Some(Newest { time, value }).filter(|n| since.is_none_or(|since| n.time > since)))
    }
}

fn no_data(query: &str, asked: Timestamp) -> Error {
    Error::NoData { query: shown(query), when: format!("at {asked}") }
}
