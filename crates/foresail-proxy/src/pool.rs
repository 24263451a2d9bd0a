//! One worker's connections to one endpoint.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use foresail_route::ConcurrencyLimit;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::body::UpBody;
use crate::clock;
use crate::config::Admission;
use crate::fleet::Slot;

pub(crate) struct LocalEndpoint {
    pub(crate) slot: Arc<Slot>,
    /// The last one used is at the end and used next, so that the rest may grow old.
    idle: RefCell<Vec<Idle>>,
    /// How many requests it is given at a time, by this worker's answers.
    pub(crate) limit: RefCell<ConcurrencyLimit>,
}

struct Idle {
    link: Link,
    since: Instant,
}

/// A connection to an endpoint, for one request at a time.
pub(crate) struct Link {
    pub(crate) sender: http1::SendRequest<UpBody>,
    pub(crate) meter: Rc<Meter>,
    /// Gets the bare connection when the endpoint switches protocols.
    pub(crate) tunnel: Option<oneshot::Receiver<http1::Parts<TokioIo<Upstream>>>>,
}

/// Bytes that have come over a connection.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    read: Cell<u64>,
}

impl Meter {
    pub(crate) fn read(&self) -> u64 {
        self.read.get()
    }
}

impl LocalEndpoint {
    pub(crate) fn new(slot: Arc<Slot>) -> Self {
        Self { slot, idle: RefCell::default(), limit: RefCell::default() }
    }

    /// Requests that may be there at a time, as far as this worker knows.
    pub(crate) fn most_in_flight(&self, admission: &Admission) -> u32 {
        let configured = match admission.in_flight_per_endpoint {
            0 => u32::MAX,
            some => some,
        };
        let learned = admission.adaptive.as_ref().map(|adaptive| self.limit.borrow().current(adaptive));
        learned.map_or(configured, |learned| learned.min(configured))
    }

    /// A connection kept from before that still looks alive.
    pub(crate) fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { link, .. }) = idle.pop() {
            if link.sender.is_ready() {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection whose answer has been read to its end. One still busy with the request's body is waited for.
    pub(crate) fn put(self: &Rc<Self>, link: Link, most: usize) {
        if link.sender.is_closed() || self.slot.health.is_draining() {
            return;
        }
        if link.sender.is_ready() {
            self.keep(link, most);
            return;
        }
        let endpoint = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut link = link;
            if link.sender.ready().await.is_ok() {
                endpoint.keep(link, most);
            }
        });
    }

    fn keep(&self, link: Link, most: usize) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < most && !self.slot.health.is_draining() {
            idle.push(Idle { link, since: clock::now() });
        }
    }

    pub(crate) fn sweep(&self, now: Instant, longest: Duration) {
        let gone = self.slot.health.is_draining();
        self.idle.borrow_mut().retain(|idle| {
            !gone && !idle.link.sender.is_closed() && now.saturating_duration_since(idle.since) < longest
        });
    }

    /// Makes a new connection by `deadline`.
    pub(crate) async fn connect(&self, deadline: Instant) -> io::Result<Link> {
        let opened = timeout_at(deadline.into(), open(&self.slot)).await;
        let io = opened.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let meter = Rc::new(Meter::default());
        let io = TokioIo::new(Upstream { io, meter: Rc::clone(&meter) });
        let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
        let (hand_over, tunnel) = oneshot::channel();
        tokio::task::spawn_local(async move {
            // An error here reaches whoever waits for the answer; without anyone it is an idle connection that ended.
            if let Ok(parts) = connection.without_shutdown().await {
                let _ = hand_over.send(parts);
            }
        });
        Ok(Link { sender, meter, tunnel: Some(tunnel) })
    }
}

async fn open(slot: &Slot) -> io::Result<Stream> {
    let tcp = TcpStream::connect(slot.address).await?;
    tcp.set_nodelay(true)?;
    let Some((_, tls)) = &slot.tls else { return Ok(Stream::Plain(tcp)) };
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    let stream = connector.connect(tls.server_name.clone(), tcp).await?;
    Ok(Stream::Tls(Box::new(stream)))
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The bytes of an upstream connection, counted.
pub(crate) struct Upstream {
    io: Stream,
    meter: Rc<Meter>,
}

impl AsyncRead for Upstream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = match &mut self.io {
            Stream::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Stream::Tls(io) => Pin::new(io).poll_read(cx, buf),
        };
        self.meter.read.set(self.meter.read.get() + (buf.filled().len() - before) as u64);
        result
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Stream::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Stream::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Stream::Plain(io) => Pin::new(io).poll_write_vectored(cx, slices),
            Stream::Tls(io) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Stream::Plain(io) => io.is_write_vectored(),
            Stream::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Stream::Plain(io) => Pin::new(io).poll_flush(cx),
            Stream::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Stream::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Stream::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
