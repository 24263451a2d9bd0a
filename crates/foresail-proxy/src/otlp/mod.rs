//! Spans on their way to a collector: queued by the workers, sent in batches by a thread of their own.
//!
//! OTLP over HTTP in its JSON encoding. What is answered 429, 502, 503 or 504, or not at all, is sent again after a pause
//! that grows with every attempt, or as long as the collector asks (`Retry-After`); everything else is not.

mod encode;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foresail_core::SeededRng;
use foresail_http::{Client, ClientOptions, Endpoint};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout_at};

use crate::config::{HeaderText, OtlpConfig};
use crate::record::Record;
use crate::shared::Shared;
use crate::{Error, clock};

/// Time for the spans that are left when the proxy ends.
const LAST: Duration = Duration::from_secs(2);
/// Pauses between attempts, the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Longest answer that is read.
const ANSWER: usize = 64 * 1024;

/// Takes records to the exporter.
#[derive(Clone, Debug)]
pub(crate) struct SpanSender(mpsc::Sender<Record>);

impl SpanSender {
    /// Whether the record was taken; it is not if the exporter has fallen behind.
    pub(crate) fn send(&self, record: Record) -> bool {
        self.0.try_send(record).is_ok()
    }
}

/// The thread that sends, as its owner sees it.
#[derive(Debug)]
pub(crate) struct Exporter {
    thread: JoinHandle<()>,
    /// By when the last span must be out, once that is known.
    end: watch::Sender<Option<Instant>>,
}

impl Exporter {
    /// Sends what is left, for a short while; to be called when nobody has anything more to hand over.
    pub(crate) fn finish(self) {
        self.end.send_replace(Some(clock::now() + LAST));
        if self.thread.join().is_err() {
            tracing::error!("the exporter of spans has panicked");
        }
    }
}

/// Starts the thread, which ends when the last sender is gone.
///
/// # Errors
/// [`Error::File`] or [`Error::Certificate`] for files that are no good, [`Error::Worker`] if there can be no thread.
pub(crate) fn start(config: &OtlpConfig, shared: Arc<Shared>) -> Result<(SpanSender, Exporter), Error> {
    let (sender, queue) = mpsc::channel(config.queue);
    let (end, ends) = watch::channel(None);
    let delivery = Delivery {
        client: client(config)?,
        endpoint: config.address()?,
        headers: headers(config)?,
        config: config.clone(),
        shared,
        queue,
        ends,
        pending: 0,
        not_before: clock::now(),
        pause: PAUSES.0,
        is_failing: false,
        rng: SeededRng::seed_from_u64(RandomState::new().hash_one(0)),
    };
    let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(Error::Worker)?;
    let run = move || {
        runtime.block_on(delivery.run_to_end());
        // Finding the collector's address may hang in the system for longer than anybody waits for us.
        runtime.shutdown_background();
    };
    let thread = std::thread::Builder::new().name("proxy-spans".to_owned()).spawn(run).map_err(Error::Worker)?;
    Ok((SpanSender(sender), Exporter { thread, end }))
}

fn client(config: &OtlpConfig) -> Result<Client, Error> {
    let path = config.authorities.clone().unwrap_or_default();
    let ca_pem = match &config.authorities {
        Some(path) => Some(std::fs::read(path).map_err(|cause| Error::File { path: path.clone(), cause })?),
        None => None,
    };
    let options = ClientOptions {
        connect_timeout: config.timeout,
        timeout: config.timeout,
        max_bytes: ANSWER,
        ca_pem,
        ..ClientOptions::default()
    };
    Client::new(&options).map_err(|error| Error::Certificate { path, cause: error.to_string() })
}

fn headers(config: &OtlpConfig) -> Result<Vec<(String, String)>, Error> {
    let text = |text: &HeaderText| match text {
        HeaderText::Plain(text) => Ok(text.clone()),
        HeaderText::Secret { file } => match std::fs::read_to_string(file) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(cause) => Err(Error::File { path: file.clone(), cause }),
        },
    };
    config.headers.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect()
}

/// The sending side, on its thread.
struct Delivery {
    client: Client,
    endpoint: Endpoint,
    headers: Vec<(String, String)>,
    config: OtlpConfig,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Record>,
    ends: watch::Receiver<Option<Instant>>,
    /// Spans taken out of the queue and not yet accounted for.
    pending: usize,
    /// The collector is left alone until then.
    not_before: Instant,
    /// The next pause that the collector does not choose itself.
    pause: Duration,
    /// The last delivery failed, which has been said.
    is_failing: bool,
    rng: SeededRng,
}

/// What became of an attempt to deliver.
enum Answer {
    /// Taken, but for so many spans.
    Taken { rejected: usize },
    /// Try again, after that time if the collector names one.
    Later { after: Option<Duration>, why: String },
    /// Not ever.
    Refused { why: String },
}

impl Delivery {
    async fn run_to_end(mut self) {
        let mut ends = self.ends.clone();
        let over = async {
            // An owner that is gone without a word waits for nothing.
            if let Some(end) = ends.wait_for(Option::is_some).await.ok().and_then(|end| *end) {
                sleep_until(end.into()).await;
            }
        };
        tokio::select! {
            () = self.run() => {}
            () = over => {}
        }
        let left = self.pending + self.queue.len();
        if left > 0 {
            tracing::warn!(endpoint = %self.endpoint, spans = left, "not delivered by the end");
            count(&self.shared.spans_failed, left);
        }
    }

    async fn run(&mut self) {
        let mut batch = Vec::with_capacity(self.config.batch);
        while self.fill(&mut batch).await {
            self.deliver(&batch).await;
            batch.clear();
        }
    }

    /// Waits for a batch, full or with its first span waiting long enough; false at the end.
    async fn fill(&mut self, batch: &mut Vec<Record>) -> bool {
        let Some(first) = self.queue.recv().await else { return false };
        batch.push(first);
        self.pending = 1;
        let due = clock::now() + self.config.delay;
        while batch.len() < self.config.batch {
            let room = self.config.batch - batch.len();
            // None by then, or none ever again.
            let more = timeout_at(due.into(), self.queue.recv_many(batch, room)).await.unwrap_or(0);
            self.pending = batch.len();
            if more == 0 {
                break;
            }
        }
        true
    }

    /// Sends a batch until it is taken, refused, or too old.
    async fn deliver(&mut self, batch: &[Record]) {
        let give_up = clock::now() + self.config.retry_for;
        let body = Bytes::from(encode::request(&self.config.service_name, batch));
        let mut why = "the collector asks to be left alone".to_owned();
        loop {
            if self.not_before > clock::now() && (self.not_before > give_up || !self.may_wait().await) {
                break;
            }
            match self.attempt(body.clone()).await {
                Answer::Taken { rejected } => {
                    self.pause = PAUSES.0;
                    return self.account(rejected.min(batch.len()), || format!("{rejected} spans were rejected"));
                }
                Answer::Refused { why } => return self.account(batch.len(), || why),
                Answer::Later { after, why: cause } => {
                    // Spread, so that those who were turned away together do not come back together.
                    let pause = after.unwrap_or_else(|| self.pause.mul_f64(0.5 + self.rng.uniform()));
                    self.not_before = clock::now() + pause;
                    self.pause = (2 * self.pause).min(PAUSES.1);
                    why = cause;
                }
            }
        }
        self.account(batch.len(), || why);
    }

    /// Waits until the collector may be asked again; false if the proxy ends first, or has ended.
    async fn may_wait(&mut self) -> bool {
        let mut ends = self.ends.clone();
        tokio::select! {
            biased;
            _ = ends.wait_for(Option::is_some) => false,
            () = sleep_until(self.not_before.into()) => true,
        }
    }

    async fn attempt(&self, body: Bytes) -> Answer {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        match self.client.post_json(&self.endpoint, &headers, body).await {
            Ok(response) if response.is_success() => Answer::Taken { rejected: encode::rejected(&response.body) },
            Ok(response) => {
                let why = format!("{} {}", response.status, response.excerpt(200));
                match response.status {
                    429 | 502 | 503 | 504 => Answer::Later { after: response.retry_after, why },
                    _ => Answer::Refused { why },
                }
            }
            Err(error) if error.is_transient() => Answer::Later { after: None, why: error.to_string() },
            Err(error) => Answer::Refused { why: error.to_string() },
        }
    }

    /// Counts the batch in hand, of which `failed` spans did not arrive; says why when that begins.
    fn account(&mut self, failed: usize, why: impl FnOnce() -> String) {
        count(&self.shared.spans_failed, failed);
        count(&self.shared.spans_exported, std::mem::take(&mut self.pending).saturating_sub(failed));
        if failed > 0 && !self.is_failing {
            tracing::warn!(endpoint = %self.endpoint, why = why(), "spans are lost");
        }
        self.is_failing = failed > 0;
    }
}

fn count(counter: &AtomicU64, spans: usize) {
    counter.fetch_add(spans as u64, Ordering::Relaxed);
}
