//! One HTTP/1.1 request to a copy on a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends a request without a body and returns the status of the answer, whose body is not waited for.
///
/// # Errors
/// Whatever keeps the answer from coming within `limit`.
pub(super) async fn call(
    address: SocketAddr,
    method: Method,
    path: &str,
    limit: Duration,
) -> Result<StatusCode, io::Error> {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let answer = sender.send_request(request);
        tokio::pin!(connection, answer);
        // Both are driven here, so that nothing outlives this future.
        let response = tokio::select! {
            biased;
            response = &mut answer => response,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(error),
            },
        };
        Ok(response.map_err(io::Error::other)?.status())
    };
    timeout(limit, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether it accepts a connection within `limit`.
pub(super) async fn accepts(address: SocketAddr, limit: Duration) -> bool {
    matches!(timeout(limit, TcpStream::connect(address)).await, Ok(Ok(_)))
}
