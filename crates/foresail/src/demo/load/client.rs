//! Requests over a bounded number of kept connections, opened as they are needed.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

type Connection = SendRequest<Empty<Bytes>>;

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    host: HeaderValue,
    uri: Uri,
    /// One a connection there may be.
    room: Semaphore,
    /// Connections kept for the next request, the one used last on top.
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr, host: &str, path: &str, connections: usize) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            host: HeaderValue::from_str(host).with_context(|| format!("{host:?} is no host"))?,
            uri: path.parse().with_context(|| format!("{path:?} is no path"))?,
            room: Semaphore::new(connections),
            idle: Mutex::new(Vec::with_capacity(connections)),
        })
    }

    /// Sends one request and reads the whole answer. If it is cancelled, its connection is closed.
    pub(super) async fn get(&self) -> anyhow::Result<StatusCode> {
        let _place = self.room.acquire().await?;
        let mut request = self.request();
        let (mut connection, mut response) = loop {
            let (mut connection, is_kept) = match self.kept() {
                Some(connection) => (connection, true),
                None => (self.connect().await?, false),
            };
            match connection.try_send_request(request).await {
                Ok(response) => break (connection, response),
                // The server had closed a kept connection, and has seen nothing of the request.
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(refused.into_error().into()),
                },
            }
        };
        while let Some(frame) = response.body_mut().frame().await {
            frame?;
        }
        if connection.ready().await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(response.status())
    }

    /// A kept connection that the server has not closed.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends when its sender is dropped; the generator's runtime, which goes with it, owns it.
        tokio::spawn(connection);
        sender.ready().await?;
        Ok(sender)
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        request
    }
}
