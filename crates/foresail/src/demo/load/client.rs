//! Requests over a bounded number of kept connections, opened as they are needed.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

type Connection = SendRequest<Empty<Bytes>>;

/// A client of one server.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    /// One a connection there may be.
    room: Semaphore,
    /// Connections kept for the next request, the one used last on top.
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    /// One with at most so many connections, at least 1.
    pub(crate) fn new(address: SocketAddr, connections: usize) -> Self {
        let connections = connections.max(1);
        let idle = Mutex::new(Vec::with_capacity(connections));
        Self { address, room: Semaphore::new(connections), idle }
    }

    /// Sends one request and reads the whole answer. If it is cancelled, its connection is closed.
    pub(crate) async fn send(&self, mut request: Request<Empty<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let _place = self.room.acquire().await?;
        let (mut connection, response) = loop {
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
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        if connection.ready().await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Response::from_parts(head, body))
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
}
