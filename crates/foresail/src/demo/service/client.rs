//! Asks a copy of the sample service, or tells it what goes wrong.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A copy answers in a moment or not at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts nothing to `path`.
///
/// # Errors
/// If it is not answered with success.
pub(crate) async fn post(address: SocketAddr, path: &str) -> std::io::Result<()> {
    ask("POST", address, path).await.map(drop)
}

/// What is answered at `path`.
///
/// # Errors
/// If it is not answered with success.
pub(crate) async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    ask("GET", address, path).await
}

async fn ask(method: &str, address: SocketAddr, path: &str) -> std::io::Result<String> {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.lines().next().unwrap_or_default();
        if status.contains(" 20") { Ok(body.to_owned()) } else { Err(std::io::Error::other(status.to_owned())) }
    };
    tokio::time::timeout(PATIENCE, exchange).await?
}
