//! One client connection: from the accepted socket to its end.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::forwarded::is_trusted;
use crate::gate::Gate;
use crate::scan::{Refusal, Scanner};
use crate::serve::{serve_http1, serve_http2};
use crate::stream::Streams;
use crate::tls::ServerTls;
use crate::watch::{Finding, Watch};
use crate::worker::Worker;
use crate::{clock, proxy_protocol, tunnel};

/// Header fields for which the parser needs no memory of its own.
const INLINE_HEADERS: usize = 100;
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a listener says about its connections.
#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) proxy_protocol: bool,
    /// Another process may listen on the address, too.
    pub(crate) is_shared: bool,
}

/// Serves a connection to its end. Errors of clients are no concern of ours beyond ending it.
pub(crate) async fn run(worker: Rc<Worker>, mut tcp: TcpStream, peer: SocketAddr, kind: Kind) {
    let Some(mut entered) = worker.enter() else { return };
    let config = worker.config();
    let deadline = clock::now() + config.deadlines.header;
    let mut peer = peer;
    if kind.proxy_protocol {
        if !is_trusted(peer.ip().to_canonical(), &config.trusted_proxies) {
            return;
        }
        match timeout_at(deadline.into(), proxy_protocol::read(&mut tcp)).await {
            Ok(Ok(source)) => peer = source.unwrap_or(peer),
            _ => return,
        }
    }
    if !entered.belongs_to(peer.ip().to_canonical()) || tcp.set_nodelay(true).is_err() {
        return;
    }
    let trusted = is_trusted(peer.ip().to_canonical(), &config.trusted_proxies);
    let watch = Rc::new(Watch::new(peer, trusted, kind.tls.is_some(), clock::now()));
    entered.register(&watch);
    // Each stage is on the heap by itself, so that a connection holds memory only for the one that it is at.
    match kind.tls {
        Some(tls) => {
            let accepting = Box::pin(TlsAcceptor::from(tls.get()).accept(tcp));
            let Ok(Ok(stream)) = timeout_at(deadline.into(), accepting).await else { return };
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            speak(worker, watch, Box::new(stream), is_h2).await;
        }
        None => {
            let is_h2 = timeout_at(deadline.into(), Box::pin(begins_h2(&tcp))).await;
            let Ok(Ok(is_h2)) = is_h2 else { return };
            speak(worker, watch, tcp, is_h2).await;
        }
    }
    drop(entered);
}

async fn speak<T>(worker: Rc<Worker>, watch: Rc<Watch>, io: T, is_h2: bool)
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = worker.config().limits;
    watch.is_raw.set(is_h2);
    let scanner = Scanner::new(limits.header_bytes, limits.headers);
    let gate = TokioIo::new(Gate::new(io, Rc::clone(&watch), scanner));
    if is_h2 {
        Box::pin(speak_http2(worker, watch, gate)).await;
        return;
    }
    let (worker, at) = (worker, Rc::clone(&watch));
    let Some(mut io) = Box::pin(speak_http1(&worker, watch, gate)).await else { return };
    let opened = at.tunnel.borrow_mut().take();
    match opened {
        Some(opened) => {
            Box::pin(tunnel::run(io.0, io.1, opened, worker.config().deadlines.tunnel_idle)).await;
        }
        None => Box::pin(linger(&mut io.0, worker.config().deadlines.header)).await,
    }
}

async fn speak_http2<T>(worker: Rc<Worker>, watch: Rc<Watch>, gate: TokioIo<Gate<T>>)
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (limits, deadlines) = (worker.config().limits, worker.config().deadlines);
    let mut builder = http2::Builder::new(Streams::new(&watch, deadlines.stall));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes as u32)
        .keep_alive_interval(Some(deadlines.idle))
        .keep_alive_timeout(deadlines.stall);
    let (for_service, at) = (Rc::clone(&worker), Rc::clone(&watch));
    let service = service_fn(move |request| serve_http2(Rc::clone(&for_service), Rc::clone(&watch), request));
    let connection = pin!(builder.serve_connection(gate, service));
    drive(&worker, &at, connection, |c, cx| c.poll(cx).map(drop), http2::Connection::graceful_shutdown, true).await;
}

/// The bare connection with what has been read of it already, unless it had to be cut off.
async fn speak_http1<T>(worker: &Rc<Worker>, watch: Rc<Watch>, gate: TokioIo<Gate<T>>) -> Option<(Gate<T>, Bytes)>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = worker.config().limits;
    let mut builder = http1::Builder::new();
    builder.max_header_size(limits.header_bytes + 2);
    if limits.headers > INLINE_HEADERS {
        builder.max_headers(limits.headers);
    }
    let (for_service, at) = (Rc::clone(worker), Rc::clone(&watch));
    // Boxed, for handing the bare connection back needs a future that can be moved.
    let service = service_fn(move |request| Box::pin(serve_http1(&for_service, &watch, request)));
    let mut connection = builder.serve_connection(gate, service);
    let is_cut = drive(
        worker,
        &at,
        Pin::new(&mut connection),
        |mut c, cx| c.poll_without_shutdown(cx).map(drop),
        http1::Connection::graceful_shutdown,
        false,
    )
    .await;
    let http1::Parts { io, read_buf, .. } = connection.into_parts();
    if is_cut { None } else { Some((io.into_inner(), read_buf)) }
}

/// Whether the client starts with HTTP/2's preface; nothing is consumed.
async fn begins_h2(tcp: &TcpStream) -> io::Result<bool> {
    let mut start = [0; 24];
    let mut pause = Duration::from_millis(1);
    loop {
        let count = tcp.peek(&mut start).await?;
        if count == 0 || start[..count] != H2_PREFACE[..count] {
            return Ok(false);
        }
        if count == H2_PREFACE.len() {
            return Ok(true);
        }
        // A part of the preface lies there already, so waiting for readiness would not wait.
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_millis(200));
    }
}

/// Says goodbye so that the last answer is not lost: closing with unread bytes in the socket would reset it.
async fn linger<T: AsyncRead + AsyncWrite + Unpin>(io: &mut Gate<T>, most: Duration) {
    let most = most.min(Duration::from_secs(1));
    let _ = timeout_at((clock::now() + most).into(), io.close()).await;
}

/// Polls a connection and watches its deadlines until it ends; true if it had to be cut off.
async fn drive<C>(
    worker: &Rc<Worker>,
    watch: &Rc<Watch>,
    mut connection: Pin<&mut C>,
    mut poll: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Poll<()>,
    shut: impl Fn(Pin<&mut C>),
    is_h2: bool,
) -> bool {
    let first = clock::now() + worker.config().deadlines.shortest_watched();
    let mut timer = pin!(sleep_until(first.into()));
    let closing: Cell<Option<Instant>> = Cell::new(None);
    poll_fn(|cx| {
        watch.register(cx.waker());
        loop {
            if watch.take_drain() {
                shut(connection.as_mut());
            }
            if poll(connection.as_mut(), cx).is_ready() {
                return Poll::Ready(false);
            }
            if watch.is_killed() {
                return Poll::Ready(true);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = clock::now();
            match watch.look(now, &worker.config().deadlines) {
                Finding::Fine(next) => timer.as_mut().reset(next.into()),
                Finding::Refuse => {
                    watch.refuse_next(Refusal::TooSlow);
                    timer.as_mut().reset((now + Duration::from_secs(1)).into());
                }
                Finding::Close if is_h2 && closing.get().is_none() => {
                    closing.set(Some(now));
                    shut(connection.as_mut());
                    timer.as_mut().reset((now + Duration::from_secs(1)).into());
                }
                Finding::Close => return Poll::Ready(true),
            }
        }
    })
    .await
}
