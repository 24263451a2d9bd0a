//! A running Prometheus, asked and never written to: `query_range` for what was, `query` for what is.
//!
//! Protocol: <https://prometheus.io/docs/prometheus/latest/querying/api/>. Whatever speaks it (Thanos, Mimir,
//! VictoriaMetrics) will do.
//!
//! A query evaluated at `t` says something about the step that ends at `t` (`rate(x[1m])` about the minute before), so
//! its value belongs to the row that begins a step earlier. Nothing is asked for that is younger than the evaluation
//! delay: scrapes and remote writes arrive late, and a rate over a minute half of which is missing is half too low.

mod answer;
mod backfill;
mod newest;
mod options;

use std::time::Duration;

use foresail_core::Timestamp;
use foresail_http::{Client, ClientOptions, Endpoint};

use crate::Error;

pub use backfill::Backfill;
pub use foresail_http::{Auth, Secret};
pub use newest::Newest;
pub use options::PrometheusOptions;

/// Longest piece of a query that an error repeats, in characters.
const MAX_QUERY: usize = 120;

/// A Prometheus that can be asked.
#[derive(Clone, Debug)]
pub struct PrometheusHttp {
    client: Client,
    base: Endpoint,
    evaluation_delay: Duration,
    accept_partial: bool,
    max_bytes: usize,
    max_requests: usize,
}

impl PrometheusHttp {
    /// A source that asks as `options` say. Asks nothing yet.
    ///
    /// # Errors
    /// [`Error::Http`] for an address, a token or certificates that cannot be used.
    pub fn new(options: PrometheusOptions) -> Result<Self, Error> {
        let client = Client::new(&ClientOptions {
            auth: options.auth,
            timeout: options.timeout,
            max_bytes: options.max_bytes,
            ca_pem: options.ca_pem,
            ..ClientOptions::default()
        })?;
        Ok(Self {
            client,
            base: Endpoint::parse(&options.url)?,
            evaluation_delay: options.evaluation_delay,
            accept_partial: options.accept_partial,
            max_bytes: options.max_bytes,
            max_requests: options.max_requests.max(1),
        })
    }

    /// The newest instant of the grid of `step` whose samples have arrived by `now`.
    pub fn settled(&self, now: Timestamp, step: Duration) -> Timestamp {
        (now - self.evaluation_delay).floor_to(step)
    }

    /// Asks, and gives the body of a successful answer with what it warns of.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<(Vec<u8>, Vec<String>), Error> {
        let endpoint = self.base.with_query(path, query);
        let response = self.client.get(&endpoint).await?;
        let url = self.base.with_path(path).to_string();
        let warnings = answer::check(&url, &response)?;
        if !warnings.is_empty() && !self.accept_partial {
            return Err(Error::Partial { url, warnings });
        }
        Ok((response.body.into(), warnings))
    }
}

/// Refuses a step that Prometheus cannot have.
fn check_step(step: Duration) -> Result<(), Error> {
    if step.is_zero() || !step.as_nanos().is_multiple_of(1_000_000) {
        let expected = "a positive whole number of milliseconds".to_owned();
        return Err(Error::BadOption { option: "step", found: format!("{step:?}"), expected });
    }
    Ok(())
}

/// An instant as the protocol has it: seconds, to the millisecond.
fn seconds(time: Timestamp) -> String {
    let millis = time.as_micros().div_euclid(1_000);
    format!("{}{}.{:03}", if millis < 0 { "-" } else { "" }, millis.abs() / 1_000, millis.abs() % 1_000)
}

/// A query as errors repeat it.
fn shown(query: &str) -> String {
    if query.chars().count() <= MAX_QUERY {
        return query.to_owned();
    }
    query.chars().take(MAX_QUERY).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_seconds_to_the_millisecond() {
        for (micros, expected) in [(0, "0.000"), (1_772_366_400_250_999, "1772366400.250"), (-1_500_000, "-1.500")] {
            assert_eq!(seconds(Timestamp::from_micros(micros)), expected);
        }
    }

    #[test]
    fn a_step_is_whole_milliseconds() {
        for (step, good) in [
            (Duration::from_millis(1), true),
            (Duration::from_secs(3_600), true),
            (Duration::ZERO, false),
            (Duration::from_micros(1_500), false),
            (Duration::from_nanos(1_000_001), false),
        ] {
            assert_eq!(check_step(step).is_ok(), good, "{step:?}");
        }
    }
}
