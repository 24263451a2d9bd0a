//! The sample service of the demonstration: an HTTP server whose capacity is known, since each request occupies one of a
//! bounded number of workers for a time that is drawn. It waits that time out instead of computing, so that a fleet of
//! copies fits on a small machine.

pub(crate) mod client;
mod fault;
mod workers;

use std::convert::Infallible;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::fault::{CopyFault, Fault};
use self::workers::{Outcome, Workers};
use crate::args::Span;

/// Is on every answer, so that those of proxies are told from it.
pub(crate) const SERVED_BY: header::HeaderName = header::HeaderName::from_static("x-served-by");

/// Most connections open at a time; more wait to be accepted.
const MOST_CONNECTIONS: usize = 4096;

/// A connection on which no request comes for this long is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(300);

/// The longest body of a request that is read; what is longer is refused.
const LONGEST_BODY: usize = 1 << 20;

/// How service times are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    /// Exponentially, with the mean given.
    Exponential,
    /// Lognormally, with the mean given and a logarithm of standard deviation 1.
    Lognormal,
    /// All alike.
    Fixed,
}

/// What the sample service is like.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServiceOptions {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Port to listen on.
    #[arg(long)]
    pub(crate) port: u16,
    /// Which copy this is, for faults and draws of its own.
    #[arg(long, default_value_t = 1)]
    pub(crate) id: u64,
    /// Requests worked on at a time. SIGUSR1 has it read again from the file that FORESAIL_SIZE_FILE names.
    #[arg(long, default_value_t = 4, value_parser = workers)]
    pub(crate) workers: usize,
    /// Mean time a request occupies a worker.
    #[arg(long, default_value = "40ms")]
    pub(crate) service_time: Span,
    /// How that time is drawn.
    #[arg(long, value_enum, default_value_t = Distribution::Exponential)]
    pub(crate) distribution: Distribution,
    /// Requests waiting for a worker beyond which more are answered 503.
    #[arg(long, default_value_t = 64)]
    pub(crate) queue: usize,
    /// Time from the start to listening.
    #[arg(long)]
    pub(crate) start_up: Option<Span>,
    /// Relative spread of that time: it is drawn evenly from within this share around it.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub(crate) start_up_spread: f64,
    /// Bytes of an answer.
    #[arg(long, default_value_t = 256)]
    pub(crate) body: usize,
    /// A fault: slow=FACTOR, failing=SHARE, failing-fast=SHARE, crash=DURATION or hang=DURATION, with @ID for one copy only. Repeatable. While
    /// it runs, POST /fault?slow=5 and the like do the same.
    #[arg(long = "fault")]
    pub(crate) faults: Vec<CopyFault>,
    /// Time that requests have to end after SIGTERM.
    #[arg(long, default_value = "10s")]
    pub(crate) drain: Span,
    /// Seed of all draws.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
}

fn workers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
    number.ok_or_else(|| format!("{text:?} is not accepted; expected 1 to 100000"))
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    number.ok_or_else(|| format!("{text:?} is not accepted; expected 0 to 1"))
}

/// Serves until SIGTERM, then ends what has begun.
pub(crate) async fn serve(options: ServiceOptions) -> anyhow::Result<()> {
    // Before anything else: a signal that comes early must find its handler.
    let mut terminated = signal(SignalKind::terminate()).context("no SIGTERM")?;
    let mut resized = signal(SignalKind::user_defined1()).context("no SIGUSR1")?;
    let workers = Arc::new(Workers::new(&options));
    let mut chores = JoinSet::new();
    for fault in options.faults.iter().filter_map(|fault| fault.of(options.id)) {
        let workers = Arc::clone(&workers);
        chores.spawn(async move { workers.suffer(fault).await });
    }
    tokio::select! {
        () = sleep(start_up(&options)) => {}
        _ = terminated.recv() => return Ok(()),
        () = workers.crash.notified() => anyhow::bail!("crashed, as told"),
    }
    let address = SocketAddr::new(options.host, options.port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let body = Bytes::from(vec![b'.'; options.body]);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            _ = terminated.recv() => break,
            _ = resized.recv() => {
                let workers = Arc::clone(&workers);
                chores.spawn(async move { resize(&workers).await });
            }
            () = workers.crash.notified() => anyhow::bail!("crashed, as told"),
            accepted = accept(&listener, &room) => {
                let (stream, permit) = accepted;
                let (workers, body, stopping) = (Arc::clone(&workers), body.clone(), stopping.clone());
                connections.spawn(async move {
                    converse(stream, &workers, &body, stopping).await;
                    drop(permit);
                });
            }
        }
    }
    drop((listener, stop));
    let ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is cut off with the process.
    drop(timeout(options.drain.0, ended).await);
    Ok(())
}

fn start_up(options: &ServiceOptions) -> Duration {
    let mut draws = foresail_core::SeededRng::seed_from_u64(options.seed).fork(options.id ^ (1 << 63));
    let factor = 1.0 + options.start_up_spread * (2.0 * draws.uniform() - 1.0);
    options.start_up.map_or(Duration::ZERO, |span| span.0.mul_f64(factor))
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
    let permit = Arc::clone(room).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            // Out of descriptors, or a client that is gone already: neither gets better by trying at once.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the file's name comes by the environment, set by whoever resizes")]
async fn resize(workers: &Workers) {
    let Some(path) = std::env::var_os("FORESAIL_SIZE_FILE") else { return };
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
    if let Ok(Ok(text)) = read
        && let Ok(count) = self::workers(text.trim())
    {
        workers.resize(count).await;
    }
}

async fn converse(stream: TcpStream, workers: &Workers, body: &Bytes, mut stopping: watch::Receiver<()>) {
    drop(stream.set_nodelay(true)); // only the pace suffers without
    let service = service_fn(async |request| answer(request, workers, body).await);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(LONGEST_IDLE);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends is the client's affair.
    tokio::select! {
        _ = &mut connection => {}
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    workers: &Workers,
    body: &Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if !matches!(request.uri().path(), "/healthz" | "/metrics" | "/warm" | "/fault") {
        workers.arrive();
    }
    if workers.is_hanging() && request.uri().path() != "/metrics" {
        pending::<()>().await;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if Limited::new(request.into_body(), LONGEST_BODY).collect().await.is_err() {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()));
    }
    Ok(match (method, path.as_str()) {
        (Method::GET, "/healthz") => plain(StatusCode::OK, Bytes::from_static(b"ok\n")),
        (Method::GET, "/metrics") => plain(StatusCode::OK, workers.metrics().into()),
        (Method::POST, "/warm") => match query.strip_prefix("share=").and_then(|share| share.parse::<f64>().ok()) {
            Some(share) if (0.0..=1.0).contains(&share) => {
                workers.warm(share);
                plain(StatusCode::NO_CONTENT, Bytes::new())
            }
            _ => plain(StatusCode::BAD_REQUEST, Bytes::from_static(b"expected share=0 to 1\n")),
        },
        (Method::POST, "/fault") => match query.parse::<Fault>() {
            Ok(fault) => {
                workers.suffer(fault).await;
                plain(StatusCode::NO_CONTENT, Bytes::new())
            }
            Err(error) => plain(StatusCode::BAD_REQUEST, error.into()),
        },
        _ => match workers.work().await {
            Outcome::Served => plain(StatusCode::OK, body.clone()),
            Outcome::Failed => plain(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"failed, as told\n")),
            Outcome::Refused => plain(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"queue full\n")),
        },
    })
}

fn plain(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(SERVED_BY, header::HeaderValue::from_static("sample-service"));
    response
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::demo::load::{LoadGenerator, LoadOptions, LoadPlan};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: ServiceOptions,
    }

    fn options(arguments: &str) -> Result<ServiceOptions, clap::Error> {
        let line = format!("serve {arguments}");
        Line::try_parse_from(line.split(' ')).map(|line| line.options)
    }

    #[test]
    fn options_have_defaults_and_ranges() {
        let read = options("--port 80 --fault slow=5@2 --fault failing=0.5@3 --service-time 20ms").unwrap();
        assert_eq!((read.workers, read.faults.len(), start_up(&read)), (4, 2, Duration::ZERO));
        for arguments in ["", "--port 80 --workers 0", "--port 80 --fault slow", "--port 80 --start-up-spread 1.5"] {
            assert!(options(arguments).is_err(), "{arguments}");
        }
        let read = options("--port 80 --start-up 10s --start-up-spread 0.2 --id 3").unwrap();
        let delay = start_up(&read);
        assert!(delay != Duration::from_secs(10) && delay.abs_diff(Duration::from_secs(10)) <= Duration::from_secs(2));
        assert_eq!(delay, start_up(&read));
    }

    #[tokio::test]
    async fn workers_are_bounded_and_so_is_the_queue() {
        let read = options("--port 80 --workers 2 --queue 1 --service-time 200ms --distribution fixed").unwrap();
        let workers = Arc::new(Workers::new(&read));
        let mut requests = JoinSet::new();
        for _ in 0..4 {
            let workers = Arc::clone(&workers);
            requests.spawn(async move { workers.work().await });
        }
        let outcomes = requests.join_all().await;
        let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        assert_eq!((count(Outcome::Served), count(Outcome::Refused)), (3, 1));
        workers.resize(1).await;
        workers.suffer(Fault::Failing(1.0)).await;
        assert_eq!(workers.work().await, Outcome::Failed);
        let metrics = workers.metrics();
        for line in ["served_total 3", "failed_total 1", "refused_total 1", "workers 1", "in_flight 0"] {
            assert!(metrics.contains(&format!("foresail_sample_{line}\n")), "{metrics}");
        }
    }

    #[tokio::test]
    async fn serves_the_load_it_is_sent() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let service = options(&format!("--port {} --workers 50 --service-time 5ms", address.port())).unwrap();
        drop(held);
        let task = tokio::spawn(serve(service));
        while TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        let plan = LoadPlan::new(vec![200.0], Duration::from_secs(1)).unwrap();
        let counts = LoadGenerator::start(LoadOptions::new(address, plan, 1)).unwrap().finished().await;
        assert!(counts.sent > 100 && counts.errors == 0, "{counts:?}");
        task.abort();
    }
}
