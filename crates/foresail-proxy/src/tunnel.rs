//! After a granted upgrade (WebSocket): bytes in both directions until either side ends or falls silent.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use hyper::client::conn::http1::{Parts, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::UpBody;
use crate::exchange::Flight;
use crate::pool::Upstream;

/// The endpoint's side of a tunnel that is about to open.
pub(crate) struct Tunnel {
    pub(crate) upstream: oneshot::Receiver<Parts<TokioIo<Upstream>>>,
    pub(crate) sender: SendRequest<UpBody>,
    pub(crate) flight: Flight,
}

/// How long the endpoint's side may take to be handed over.
const HAND_OVER: Duration = Duration::from_secs(5);
/// Bytes moved at a time.
const BUFFER: usize = 16 * 1024;

/// Joins the client, of whom `early` has been read already, to the endpoint.
pub(crate) async fn run<T: AsyncRead + AsyncWrite + Unpin>(client: T, early: Bytes, tunnel: Tunnel, idle: Duration) {
    let Tunnel { upstream, sender, mut flight } = tunnel;
    let handed = timeout(HAND_OVER, upstream).await;
    drop(sender);
    let Ok(Ok(Parts { io, read_buf, .. })) = handed else {
        flight.broken();
        return;
    };
    let sent = join(client, early, io.into_inner(), read_buf, idle).await;
    flight.sent(usize::try_from(sent).unwrap_or(usize::MAX));
    flight.complete();
}

/// Bytes sent to the client.
async fn join<C, U>(client: C, early: Bytes, upstream: U, late: Bytes, idle: Duration) -> u64
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (client_read, client_write) = split(client);
    let (upstream_read, upstream_write) = split(upstream);
    let last = std::cell::Cell::new(Instant::now());
    let (up, down) = tokio::join!(
        copy(client_read, upstream_write, early, &last, idle),
        copy(upstream_read, client_write, late, &last, idle)
    );
    drop(up);
    down.unwrap_or(0)
}

/// Copies until the end, an error, or silence in both directions.
async fn copy<R, W>(
    mut from: R,
    mut to: W,
    first: Bytes,
    last: &std::cell::Cell<Instant>,
    idle: Duration,
) -> io::Result<u64>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    let mut total = first.len() as u64;
    to.write_all(&first).await?;
    to.flush().await?;
    loop {
        let read = match timeout_at(last.get() + idle, from.read(&mut buffer)).await {
            Ok(read) => read,
            Err(_) if last.get() + idle > Instant::now() => continue,
            Err(_) => Ok(0),
        };
        let count = match read {
            Ok(count @ 1..) => count,
            // The end is passed on, so that the other direction may finish, too.
            ended => {
                let _ = to.shutdown().await;
                return ended.map(|_| total);
            }
        };
        last.set(Instant::now());
        timeout(idle, to.write_all(&buffer[..count])).await.map_err(|_| io::ErrorKind::TimedOut)??;
        to.flush().await?;
        total += count as u64;
    }
}
