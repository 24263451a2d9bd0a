//! Listening sockets, one per worker and address, and the loops that accept from them.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep_until;

use crate::config::ListenConfig;
use crate::connection::{self, Kind};
use crate::shared::Phase;
use crate::worker::Worker;
use crate::{Error, clock};

const BACKLOG: i32 = 4096;
/// Rest after an error that will not go away by itself at once, such as too many open files.
const REST: Duration = Duration::from_millis(50);
/// How long a handshake may take that was under way when the proxy began to drain.
const HANDSHAKE: Duration = Duration::from_millis(250);

/// As many sockets as workers, all on one address, among which the kernel spreads connections.
///
/// # Errors
/// [`Error::Listen`] if the address is taken or not ours.
pub(crate) fn bind(config: &ListenConfig, workers: usize) -> Result<(SocketAddr, Vec<StdListener>), Error> {
    let mut address = config.address;
    let failed = |address| move |cause| Error::Listen { address, cause };
    if !config.share && address.port() != 0 {
        // Sharing sockets would let a second process in without a word, so first try without.
        socket(address, false).map_err(failed(address))?;
    }
    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = socket(address, true).map_err(failed(address))?;
        socket.listen(BACKLOG).map_err(failed(address))?;
        let listener = StdListener::from(socket);
        address = listener.local_addr().map_err(failed(address))?;
        listeners.push(listener);
    }
    Ok((address, listeners))
}

fn socket(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Accepts until the proxy drains, then whatever the kernel has accepted already: closing the socket would reset it.
pub(crate) async fn accept(worker: Rc<Worker>, listener: TcpListener, kind: Kind) {
    let mut phase = worker.shared.phase.subscribe();
    accept_until(&worker, &listener, &kind, async {
        let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
    })
    .await;
    let is_shared = kind.is_shared || worker.shared.is_succeeded.load(Ordering::Relaxed);
    if is_shared && !is_handed_over() && turn_away(&listener) {
        let until = worker.drained_by().min(clock::now() + HANDSHAKE);
        accept_until(&worker, &listener, &kind, sleep_until(until.into())).await;
    }
    // Asked of the system itself, for the runtime may not have heard of the last ones yet.
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((tcp, peer)) = listener.accept() {
        if tcp.set_nonblocking(true).is_ok()
            && let Ok(tcp) = TcpStream::from_std(tcp)
        {
            serve(&worker, tcp, peer, &kind);
        }
    }
}

async fn accept_until(worker: &Rc<Worker>, listener: &TcpListener, kind: &Kind, end: impl Future<Output = ()>) {
    let mut end = pin!(end);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => serve(worker, tcp, peer, kind),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(REST).await;
                }
            },
            () = end.as_mut() => return,
        }
    }
}

fn serve(worker: &Rc<Worker>, tcp: TcpStream, peer: SocketAddr, kind: &Kind) {
    let guest = worker.welcome();
    let running = connection::run(Rc::clone(worker), tcp, peer, kind.clone());
    tokio::task::spawn_local(async move {
        running.await;
        drop(guest);
    });
}

/// Whether the kernel hands what a closed listener had begun over to those that share its address, so that nothing is to
/// be done: `net.ipv4.tcp_migrate_req`, off unless somebody sets it.
fn is_handed_over() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req").is_ok_and(|text| text.trim() == "1")
}

/// Lets the kernel drop new attempts to connect here from now on: the client tries again by itself, and meets whoever
/// shares the address. Handshakes under way go on, for closing the socket amid one would reset the connection after the
/// client took it for made. Whether that could be arranged.
#[cfg(target_os = "linux")]
fn turn_away(listener: &TcpListener) -> bool {
    use socket2::SockFilter;
    // A segment with SYN and without ACK is dropped, everything else kept. Offset 13 of a TCP header holds the flags.
    let (syn, syn_and_ack) = (0x02, 0x12);
    let new_ones = [
        SockFilter::new(0x30, 0, 0, 13),          // ldb [13]
        SockFilter::new(0x54, 0, 0, syn_and_ack), // and #0x12
        SockFilter::new(0x15, 0, 1, syn),         // jeq #0x02, 0, 1
        SockFilter::new(0x06, 0, 0, 0),           // ret #0
        SockFilter::new(0x06, 0, 0, u32::MAX),    // ret #-1
    ];
    let attached = socket2::SockRef::from(listener).attach_filter(&new_ones);
    if let Err(error) = &attached {
        tracing::debug!(%error, "connections of this moment may be lost");
    }
    attached.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn turn_away(_listener: &TcpListener) -> bool {
    false
}

/// Errors that concern one connection that is gone already.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
