//! Requests of one HTTP/1 connection as two readers see them: hyper, set up as in the proxy, and the framing that a head
//! declares.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Incoming};
use hyper::rt::{Read as HyperRead, ReadBufCursor, Write as HyperWrite};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// One request.
#[derive(Debug, Default, PartialEq)]
pub struct Read {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    minor: u8,
    body: Vec<u8>,
    is_whole: bool,
}

impl Read {
    /// What a head says that passed the gate: it must be one that httparse reads, to its last byte.
    pub fn from_head(bytes: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(bytes);
        assert_eq!(parsed, Ok(httparse::Status::Complete(bytes.len())), "{:?}", String::from_utf8_lossy(bytes));
        let target = hyper::Uri::try_from(request.path.unwrap_or_default()).expect("a target that passed is one");
        Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: target.to_string(),
            minor: request.version.unwrap_or(9),
            headers: request.headers.iter().map(|h| (h.name.to_ascii_lowercase(), h.value.to_vec())).collect(),
            body: Vec::new(),
            is_whole: true,
        }
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    /// Takes the bytes of its body as they were sent.
    pub fn take_body(&mut self, mut bytes: &[u8]) {
        if self.values("transfer-encoding").next().is_none() {
            self.body.extend_from_slice(bytes);
            return;
        }
        loop {
            let size = httparse::parse_chunk_size(bytes);
            let Ok(httparse::Status::Complete((line, size))) = size else { panic!("a chunk of {size:?}") };
            let size = usize::try_from(size).expect("the chunk is there");
            if size == 0 {
                return;
            }
            self.body.extend_from_slice(&bytes[line..line + size]);
            bytes = &bytes[line + size + 2..];
        }
    }

    /// Whether no further request is read after this one: it asks for that, or is HTTP/1.0 and does not ask to go on. Of
    /// several fields each is heard in turn, as hyper has it.
    pub fn ends_connection(&self) -> bool {
        let lists = |value: &[u8], token: &str| {
            let text = std::str::from_utf8(value).unwrap_or_default();
            text.is_ascii() && text.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
        };
        let goes_on = self.values("connection").fold(self.minor == 1, |goes_on, value| {
            if goes_on { !lists(value, "close") } else { lists(value, "keep-alive") }
        });
        self.method == "CONNECT" || !goes_on
    }

    /// Whether `other` is the same request, as far as its body goes if that was broken off.
    pub fn agrees_with(&self, other: &Self, is_whole: bool) -> bool {
        let same_head = self.method == other.method && self.target == other.target && self.minor == other.minor;
        let (mut ours, mut theirs) = (self.headers.clone(), other.headers.clone());
        ours.sort();
        theirs.sort();
        same_head && ours == theirs && (!is_whole || (other.is_whole && self.body == other.body))
    }
}

/// Reads the requests in `bytes`, after which nothing more comes for now, as the proxy's server side does.
pub fn read_with_hyper(bytes: &[u8], most_head_bytes: usize, most_headers: usize) -> Vec<Read> {
    let requests: Rc<RefCell<Vec<Read>>> = Rc::default();
    let kept = Rc::clone(&requests);
    let service = service_fn(move |request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        let headers = parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
        let number = kept.borrow().len();
        kept.borrow_mut().push(Read {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers,
            minor: u8::from(parts.version == hyper::Version::HTTP_11),
            ..Read::default()
        });
        let kept = Rc::clone(&kept);
        async move {
            let (body, is_whole) = collect(body).await;
            let read = &mut kept.borrow_mut()[number];
            (read.body, read.is_whole) = (body, is_whole);
            Ok::<_, Infallible>(Response::new(Empty))
        }
    });
    let mut builder = Builder::new();
    builder.max_header_size(most_head_bytes + 2).max_headers(most_headers.max(100));
    let left = Rc::new(Cell::new(bytes.len()));
    let wire = Wire { bytes: bytes.to_vec(), left: Rc::clone(&left) };
    let mut connection = builder.serve_connection(wire, service);
    let mut context = Context::from_waker(Waker::noop());
    // Until it stands still, which it does where it waits for more; an error is an end.
    let (mut still, mut before) = (0, (0, 0));
    while still < 8 && Pin::new(&mut connection).poll(&mut context).is_pending() {
        let now = (left.get(), requests.borrow().len());
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    drop(connection);
    Rc::into_inner(requests).expect("the service is gone").into_inner()
}

/// The bytes of a body, and whether it came to its end.
async fn collect(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => all.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return (all, false),
            None => return (all, true),
        }
    }
}

/// A body of nothing.
struct Empty;

impl Body for Empty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// A connection that is silent after these bytes and on which every answer is thrown away.
struct Wire {
    bytes: Vec<u8>,
    left: Rc<Cell<usize>>,
}

impl HyperRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let left = self.left.get();
        let (from, count) = (self.bytes.len() - left, buf.remaining().min(left));
        buf.put_slice(&self.bytes[from..from + count]);
        self.left.set(left - count);
        if left == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl HyperWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
