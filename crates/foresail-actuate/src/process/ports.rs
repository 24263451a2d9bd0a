//! Ports for copies.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use super::config::PortRange;

/// A port of `host` that nobody listens on and no copy in `taken` was given. The copy binds it a moment later: should
/// another program be faster, the copy ends and is started again with another port.
pub(super) fn free_port(host: IpAddr, range: Option<PortRange>, taken: &BTreeSet<u16>) -> io::Result<u16> {
    let none = || io::Error::new(io::ErrorKind::AddrInUse, "no free port");
    match range {
        Some(PortRange { first, last }) => (first..=last)
            .find(|port| !taken.contains(port) && TcpListener::bind(SocketAddr::new(host, *port)).is_ok())
            .ok_or_else(none),
        None => {
            // The listeners are kept until one has a port that is not taken, so that none is offered twice.
            let mut offered = Vec::new();
            while offered.len() <= taken.len() {
                let listener = TcpListener::bind(SocketAddr::new(host, 0))?;
                let port = listener.local_addr()?.port();
                if !taken.contains(&port) {
                    return Ok(port);
                }
                offered.push(listener);
            }
            Err(none())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn taken_ports_are_not_given_again() {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut taken = BTreeSet::new();
        for _ in 0..50 {
            assert!(taken.insert(free_port(host, None, &taken).unwrap()));
        }
        let held = TcpListener::bind(SocketAddr::new(host, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(free_port(host, Some(PortRange { first: port, last: port }), &BTreeSet::new()).is_err());
    }
}
