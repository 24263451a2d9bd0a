//! Listening sockets, one per worker and address, and the loops that accept from them.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::Error;
use crate::config::ListenConfig;
use crate::connection::{self, Kind};
use crate::shared::Phase;
use crate::worker::Worker;

const BACKLOG: i32 = 4096;
/// Rest after an error that will not go away by itself at once, such as too many open files.
const REST: Duration = Duration::from_millis(50);

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
    let serve = |tcp: TcpStream, peer: SocketAddr| {
        let guest = worker.welcome();
        let running = connection::run(Rc::clone(&worker), tcp, peer, kind.clone());
        tokio::task::spawn_local(async move {
            running.await;
            drop(guest);
        });
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => serve(tcp, peer),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(REST).await;
                }
            },
            _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
        }
    }
    // Asked of the system itself, for the runtime may not have heard of the last ones yet.
    let Ok(listener) = listener.into_std() else { return };
    turn_away(&listener);
    while let Ok((tcp, peer)) = listener.accept() {
        if tcp.set_nonblocking(true).is_ok()
            && let Ok(tcp) = TcpStream::from_std(tcp)
        {
            serve(tcp, peer);
        }
    }
}

/// Lets the kernel drop attempts to connect here from now on, so that none is accepted after the last look and reset by
/// the close: the client tries again by itself and meets whoever shares the address.
#[cfg(target_os = "linux")]
fn turn_away(listener: &StdListener) {
    // The filter program `ret #0`: keep no byte of any packet.
    let none = [socket2::SockFilter::new(0x06, 0, 0, 0)];
    if let Err(error) = socket2::SockRef::from(listener).attach_filter(&none) {
        tracing::debug!(%error, "connections of this moment may be lost");
    }
}

#[cfg(not(target_os = "linux"))]
fn turn_away(_listener: &StdListener) {}

/// Errors that concern one connection that is gone already.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
