//! Endpoints, clients and waiting.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use foresail_proxy::{Endpoint, Proxy, ProxyConfig, ProxyStats};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

/// No wait in these tests takes longer unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What an endpoint was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// An endpoint that answers by path and remembers what it was asked.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Lets a `/held` request go.
    pub(crate) release: Arc<Notify>,
    name: String,
}

impl Upstream {
    pub(crate) async fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            connections: Arc::default(),
            release: Arc::default(),
            name: name.to_owned(),
        };
        let (asked, connections, release) =
            (Arc::clone(&upstream.asked), Arc::clone(&upstream.connections), Arc::clone(&upstream.release));
        let name = upstream.name.clone();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (asked, release, name) = (Arc::clone(&asked), Arc::clone(&release), name.clone());
                let service =
                    service_fn(move |request| answer(request, Arc::clone(&asked), Arc::clone(&release), name.clone()));
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .half_close(true)
                        .serve_connection(TokioIo::new(tcp), service);
                    let _ = connection.with_upgrades().await;
                });
            }
        });
        upstream
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { id: self.name.clone(), address: self.address, weight: 1.0, tls: None }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Asked>>>,
    release: Arc<Notify>,
    name: String,
) -> Result<Answer, Infallible> {
    let (parts, mut body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let note = |body: Vec<u8>, trailers: Option<HeaderMap>| {
        asked.lock().unwrap().push(Asked {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers: parts.headers.clone(),
            body,
            trailers,
        });
    };
    if path == "/stream" {
        // Sends back every piece as it comes.
        note(Vec::new(), None);
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(4);
        tokio::spawn(async move {
            while let Some(Ok(frame)) = body.frame().await {
                if sender.send(Ok(frame)).await.is_err() {
                    return;
                }
            }
        });
        return Ok(Response::new(StreamBody::new(ReceiverStream(receiver)).boxed()));
    }
    let collected = body.collect().await;
    let Ok(collected) = collected else { return Ok(whole(400, "broken body")) };
    let trailers = collected.trailers().cloned();
    note(collected.to_bytes().to_vec(), trailers);
    if let Some(status) = path.strip_prefix("/status/") {
        return Ok(whole(status.parse().unwrap(), &name));
    }
    match path.as_str() {
        "/held" => {
            release.notified().await;
            Ok(whole(200, &name))
        }
        "/trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", "42".parse().unwrap());
            let frames = vec![Ok(Frame::data(Bytes::from("body"))), Ok(Frame::trailers(trailers))];
            let mut response = Response::new(StreamBody::new(Iter(frames.into_iter())).boxed());
            response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
            Ok(response)
        }
        "/hop" => {
            let mut response = whole(200, &name);
            response.headers_mut().insert("connection", "x-secret".parse().unwrap());
            response.headers_mut().insert("x-secret", "1".parse().unwrap());
            response.headers_mut().insert("keep-alive", "timeout=5".parse().unwrap());
            Ok(response)
        }
        _ => Ok(whole(200, &name)),
    }
}

pub(crate) fn whole(status: u16, text: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())).boxed());
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
    response
}

/// A channel as a stream of frames.
struct ReceiverStream<T>(tokio::sync::mpsc::Receiver<T>);

impl<T> futures_core::Stream for ReceiverStream<T> {
    type Item = T;
    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

struct Iter<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Iter<I> {
    type Item = I::Item;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

/// An endpoint whose every connection is handled by `handle`, byte by byte.
pub(crate) async fn raw_upstream<F, R>(handle: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(handle(tcp, number));
        }
    });
    address
}

/// Reads up to the end of a head.
pub(crate) async fn read_head(tcp: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if tcp.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(String::from_utf8(bytes).unwrap())
}

pub(crate) fn endpoint(id: &str, address: SocketAddr) -> Endpoint {
    Endpoint { id: id.to_owned(), address, weight: 1.0, tls: None }
}

pub(crate) fn one_worker() -> ProxyConfig {
    ProxyConfig { workers: 1, ..ProxyConfig::default() }
}

pub(crate) fn start(config: ProxyConfig, upstreams: &[&Upstream]) -> Proxy {
    Proxy::start(config, upstreams.iter().map(|u| u.endpoint()).collect()).unwrap()
}

/// Sends bytes and reads until the proxy closes.
pub(crate) async fn exchange(proxy: &Proxy, bytes: impl AsRef<[u8]>) -> String {
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    tcp.write_all(bytes.as_ref()).await.unwrap();
    read_all(&mut tcp).await
}

pub(crate) async fn read_all(tcp: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.expect("closes in time");
    // A reset after the answer is no answer lost.
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A request that closes the connection after its answer.
pub(crate) async fn get(proxy: &Proxy, path: &str) -> String {
    exchange(proxy, format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await
}

pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}

/// Reads one answer with a content-length off a connection that stays open.
pub(crate) async fn read_answer(tcp: &mut TcpStream) -> String {
    let head = timeout(PATIENCE, read_head(tcp)).await.expect("answers in time").expect("a whole head");
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .map_or(0, |text| text.trim().parse().unwrap());
    let mut body = vec![0; length];
    timeout(PATIENCE, tcp.read_exact(&mut body)).await.expect("answers in time").unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// Waits until the statistics satisfy `done`.
pub(crate) async fn until(proxy: &Proxy, what: &str, done: impl Fn(&ProxyStats) -> bool) -> ProxyStats {
    let begin = tokio::time::Instant::now();
    loop {
        let stats = proxy.stats();
        if done(&stats) {
            return stats;
        }
        assert!(begin.elapsed() < PATIENCE, "still not {what}: {stats:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every arrival ends in exactly one way.
pub(crate) fn check_balance(stats: &ProxyStats) {
    let ended = stats.completed + stats.failed + stats.rejected + stats.aborted;
    assert_eq!(stats.arrivals, ended + stats.in_flight + stats.queued, "{stats:?}");
}
