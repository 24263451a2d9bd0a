//! The application's own figures, asked of a Prometheus for the fingerprint of its work.

use std::time::Duration;

use foresail_ingest::PrometheusHttp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::Tempo;

/// Prometheus is asked twice an interval, and this often at most.
const OFTEN: Duration = Duration::from_secs(1);

/// The newest value of each figure, in the order of their names; none of what did not answer.
pub(super) type Values = Vec<Option<f64>>;

/// Queries of a Prometheus, a figure each.
pub(super) struct OwnMetrics {
    /// Name of the service, for the log.
    pub(super) service: String,
    /// Whom to ask.
    pub(super) source: PrometheusHttp,
    /// Name and PromQL of each.
    pub(super) queries: Vec<(String, String)>,
    /// Length of an interval of the fingerprint.
    pub(super) interval: Duration,
    /// The service's clock.
    pub(super) tempo: Tempo,
}

impl OwnMetrics {
    /// Keeps `values` at what there is, until nobody reads them any more. What does not answer is a gap in the fingerprint.
    pub(super) async fn run(self, values: watch::Sender<Values>) {
        let mut turns = interval((self.interval / 2).max(OFTEN));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut are_away = vec![false; self.queries.len()];
        loop {
            tokio::select! {
                () = values.closed() => return,
                _ = turns.tick() => {}
            }
            let mut found = Vec::with_capacity(self.queries.len());
            for ((name, query), is_away) in self.queries.iter().zip(&mut are_away) {
                let newest = self.source.newest(query, self.interval, None, self.tempo.now()).await;
                match &newest {
                    Ok(_) if *is_away => tracing::info!("{}: {name} answers again", self.service),
                    Err(error) if *is_away => tracing::debug!("{}: {name}: {error}", self.service),
                    Err(error) => tracing::warn!("{}: {name} is a gap in the fingerprint: {error}", self.service),
                    Ok(_) => {}
                }
                *is_away = newest.is_err();
                found.push(newest.ok().flatten().map(|newest| newest.value));
            }
            values.send_replace(found);
        }
    }
}
