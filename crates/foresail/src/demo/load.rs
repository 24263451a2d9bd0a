//! An open-loop load generator: requests are sent when their time has come, whatever became of those before, and their
//! latency counts from that time. A generator that is held up itself thus measures too much and never too little (the
//! opposite is known as coordinated omission).

mod client;
mod counters;
mod plan;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use foresail_core::SeededRng;
use http_body_util::Empty;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

pub(crate) use self::client::Client;
pub(crate) use self::counters::{Counters, Counts, Histogram};
use self::plan::Arrivals;
pub(crate) use self::plan::{LoadPlan, Spread};

/// Most requests sent and not yet answered. One beyond is an error at once.
const MOST_IN_FLIGHT: usize = 16_384;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is sent, where, and when.
#[derive(Clone, Debug)]
pub(crate) struct LoadOptions {
    /// Where to connect to.
    pub(crate) target: SocketAddr,
    /// The `Host` of requests.
    pub(crate) host: String,
    /// Their path.
    pub(crate) path: String,
    /// The clients that requests are said to come from (`X-Forwarded-For`), so many addresses from that one on, each as
    /// likely; none says nothing.
    pub(crate) clients: Option<(Ipv4Addr, u32)>,
    /// Their rate over time.
    pub(crate) plan: LoadPlan,
    /// How they are spread at that rate.
    pub(crate) spread: Spread,
    /// Seed of the spread.
    pub(crate) seed: u64,
    /// Requests whose time comes before this much has passed are sent, but not counted.
    pub(crate) warm_up: Duration,
    /// Most connections open at a time, at least 1. A request waits for one, and that counts.
    pub(crate) connections: usize,
    /// When a request is given up, from its intended time.
    pub(crate) timeout: Duration,
    /// When an answer is late, from the intended time of its request.
    pub(crate) late_after: Duration,
}

impl LoadOptions {
    /// `plan` at `target`: Poisson arrivals, given up after 2 s, late after 250 ms, on at most 512 connections.
    pub(crate) fn new(target: SocketAddr, plan: LoadPlan, seed: u64) -> Self {
        Self {
            target,
            host: target.to_string(),
            path: "/".to_owned(),
            clients: None,
            plan,
            spread: Spread::Poisson,
            seed,
            warm_up: Duration::ZERO,
            connections: 512,
            timeout: Duration::from_secs(2),
            late_after: Duration::from_millis(250),
        }
    }
}

/// A generator at work, on a thread of its own. It ends with its plan, or when it is dropped.
#[derive(Debug)]
pub(crate) struct LoadGenerator {
    counters: Arc<Counters>,
    started: Instant,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl LoadGenerator {
    /// Starts to send.
    ///
    /// # Errors
    /// If the host or path is none, or the system gives no thread.
    pub(crate) fn start(options: LoadOptions) -> anyhow::Result<Self> {
        let client = Client::new(options.target, options.connections);
        let request = Template::new(&options.host, &options.path)?;
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for the load")?;
        let counters = Arc::new(Counters::new());
        let started = Instant::now();
        let (stop, mut stopping) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let shared = Arc::clone(&counters);
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = generate(options, client, &request, &shared, started) => {}
                    _ = stopping.wait_for(|stop| *stop) => {}
                }
            });
            end.send_replace(true);
        };
        let thread = thread::Builder::new().name("load".to_owned()).spawn(work).context("no thread for the load")?;
        Ok(Self { counters, started, stop, ended, thread: Some(thread) })
    }

    /// What it counts.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// When its plan began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Waits until the plan has been played and every request was answered or given up.
    pub(crate) async fn finished(&self) -> Counts {
        // An error says that the thread is gone, and its last counts are there all the same.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
        self.counters.read()
    }
}

/// Requests on their way are cut off.
impl Drop for LoadGenerator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join()); // a panic there has been printed
        }
    }
}

/// What is sent each time.
#[derive(Debug)]
struct Template {
    host: HeaderValue,
    uri: Uri,
}

impl Template {
    fn new(host: &str, path: &str) -> anyhow::Result<Self> {
        Ok(Self {
            host: HeaderValue::from_str(host).with_context(|| format!("{host:?} is no host"))?,
            uri: path.parse().with_context(|| format!("{path:?} is no path"))?,
        })
    }

    fn request(&self, client: Option<Ipv4Addr>) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(value) = client.and_then(|client| HeaderValue::from_str(&client.to_string()).ok()) {
            request.headers_mut().insert(FORWARDED_FOR, value);
        }
        request
    }
}

async fn generate(
    options: LoadOptions,
    client: Client,
    template: &Template,
    counters: &Arc<Counters>,
    started: Instant,
) {
    let LoadOptions { clients, plan, spread, seed, warm_up, timeout, late_after, .. } = options;
    let mut whose = SeededRng::seed_from_u64(seed).fork(1);
    let client = Arc::new(client);
    let mut requests = JoinSet::new();
    let uncounted = Arc::new(Counters::new());
    for arrival in Arrivals::new(plan, spread, seed) {
        let intended = started + Duration::from_secs_f64(arrival);
        let now = Instant::now();
        if intended > now {
            sleep_until(intended).await;
        } else {
            tokio::task::yield_now().await; // behind its plan, it must still let requests go on
        }
        let counters = if arrival < warm_up.as_secs_f64() { &uncounted } else { counters };
        counters.sent(intended.elapsed());
        while requests.try_join_next().is_some() {}
        if requests.len() >= MOST_IN_FLIGHT {
            counters.answered(false, intended.elapsed(), late_after);
            continue;
        }
        let from = clients.map(|(first, count)| {
            Ipv4Addr::from(u32::from(first).wrapping_add(whose.below(count.max(1) as usize) as u32))
        });
        let (client, counters, request) = (Arc::clone(&client), Arc::clone(counters), template.request(from));
        requests.spawn(async move {
            let answer = timeout_at(intended + timeout, client.send(request)).await;
            let good = matches!(answer, Ok(Ok(response)) if response.status().as_u16() < 400);
            counters.answered(good, intended.elapsed(), late_after);
        });
    }
    while requests.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers everything 200, `delay` later, keeping connections.
    async fn server(delay: Duration) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                        tokio::time::sleep(delay).await;
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                    }
                });
            }
        });
        (address, task)
    }

    fn second(rate: f64) -> LoadPlan {
        LoadPlan::new(vec![rate], Duration::from_secs(1)).unwrap()
    }

    #[tokio::test]
    async fn sends_what_is_planned_and_counts_what_came_of_it() {
        let (address, server) = server(Duration::ZERO).await;
        let mut options = LoadOptions::new(address, second(300.0), 1);
        options.spread = Spread::Constant;
        let load = LoadGenerator::start(options).unwrap();
        let counts = load.finished().await;
        assert!((299..=300).contains(&counts.sent), "{counts:?}"); // the last one comes just at the end
        assert_eq!((counts.ok, counts.errors), (counts.sent, 0));
        assert!(load.started().elapsed() >= Duration::from_millis(990));
        assert_eq!(load.counters().read(), counts);
        server.abort();
    }

    #[tokio::test]
    async fn waiting_for_a_connection_counts_from_the_intended_time() {
        let (address, server) = server(Duration::from_millis(100)).await;
        let mut options = LoadOptions::new(address, second(50.0), 1);
        (options.connections, options.timeout) = (1, Duration::from_millis(1_500));
        let counts = LoadGenerator::start(options).unwrap().finished().await;
        // One connection serves ten a second: what has waited for longer than the time-out is an error.
        assert!(counts.errors > 10 && counts.ok >= 5 && counts.late > counts.errors, "{counts:?}");
        assert_eq!(counts.ok + counts.errors, counts.sent);
        assert!(counts.latency(0.5).unwrap() >= Duration::from_millis(400));
        server.abort();
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_a_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let counts = LoadGenerator::start(LoadOptions::new(address, second(50.0), 3)).unwrap().finished().await;
        assert!(counts.sent > 20);
        assert_eq!((counts.errors, counts.late, counts.ok), (counts.sent, counts.sent, 0));
    }

    #[tokio::test]
    async fn what_is_sent_to_warm_up_is_not_counted() {
        let (address, server) = server(Duration::ZERO).await;
        let mut options = LoadOptions::new(address, second(300.0), 1);
        (options.spread, options.warm_up) = (Spread::Constant, Duration::from_millis(500));
        let counts = LoadGenerator::start(options).unwrap().finished().await;
        assert!((149..=151).contains(&counts.sent), "{}", counts.sent); // the first and the last come just at the limits
        assert_eq!(counts.ok, counts.sent);
        server.abort();
    }

    #[tokio::test]
    async fn a_dropped_generator_stops() {
        let (address, server) = server(Duration::from_secs(60)).await;
        let plan = LoadPlan::new(vec![100.0], Duration::from_secs(3600)).unwrap();
        let load = LoadGenerator::start(LoadOptions::new(address, plan, 3)).unwrap();
        let counters = load.counters();
        while counters.read().sent == 0 {
            tokio::task::yield_now().await;
        }
        drop(load);
        assert_eq!(counters.read().ok, 0);
        server.abort();
    }
}
