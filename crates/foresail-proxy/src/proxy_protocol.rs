//! The PROXY protocol, version 2, as HAProxy specifies it: who really connected, told by the proxy before us.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const HEADER: usize = 16;
/// Longest address part that is read; the specification lets it be 65,535 bytes, real ones hold a few TLVs.
const LONGEST: usize = 4096;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// More bytes are needed, this many in all.
    Partial(usize),
    /// A whole header of so many bytes, with the address that connected unless the proxy speaks for itself (health
    /// checks) or of a family that is no Internet address.
    Whole(usize, Option<SocketAddr>),
}

/// Reads a header at the beginning of `bytes`; `None` if there is none of version 2.
pub fn parse(bytes: &[u8]) -> Option<Header> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] != SIGNATURE[..known] {
        return None;
    }
    let Some(fixed) = bytes.get(..HEADER) else { return Some(Header::Partial(HEADER)) };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if fixed[12] >> 4 != 2 || length > LONGEST {
        return None;
    }
    let total = HEADER + length;
    let Some(body) = bytes.get(HEADER..total) else { return Some(Header::Partial(total)) };
    let is_local = match fixed[12] & 15 {
        0 => true,
        1 => false,
        _ => return None,
    };
    let source = match fixed[13] {
        _ if is_local => None,
        0x11 | 0x12 => {
            let address: [u8; 4] = body.get(..4)?.try_into().ok()?;
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), port(body.get(8..10)?)))
        }
        0x21 | 0x22 => {
            let address: [u8; 16] = body.get(..16)?.try_into().ok()?;
            Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), port(body.get(32..34)?)))
        }
        0x00 | 0x31 | 0x32 => None,
        _ => return None,
    };
    Some(Header::Whole(total, source))
}

fn port(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// Takes the header off a connection, and not a byte more.
///
/// # Errors
/// `InvalidData` if there is none; what reading says.
pub(crate) async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<Option<SocketAddr>> {
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes) {
            None => return Err(io::Error::new(io::ErrorKind::InvalidData, "no PROXY header")),
            Some(Header::Whole(_, source)) => return Ok(source),
            Some(Header::Partial(wanted)) => {
                let have = bytes.len();
                bytes.resize(wanted, 0);
                io.read_exact(&mut bytes[have..]).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn reads_both_families_and_local() {
        let v4 = header(0x21, 0x11, &[1, 2, 3, 4, 9, 9, 9, 9, 0x1f, 0x90, 0, 80, 3, 0, 0]);
        assert_eq!(parse(&v4), Some(Header::Whole(v4.len(), Some("1.2.3.4:8080".parse().unwrap()))));
        let mut body = [0; 36];
        (body[15], body[33]) = (1, 7);
        let v6 = header(0x21, 0x21, &body);
        assert_eq!(parse(&v6), Some(Header::Whole(v6.len(), Some("[::1]:7".parse().unwrap()))));
        assert_eq!(parse(&header(0x20, 0, &[])), Some(Header::Whole(16, None)));
        assert_eq!(parse(&v4[..5]), Some(Header::Partial(16)));
        assert_eq!(parse(&v4[..20]), Some(Header::Partial(v4.len())));
    }

    #[test]
    fn refuses_what_is_none() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), None);
        assert_eq!(parse(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), None);
        assert_eq!(parse(&header(0x11, 0x11, &[0; 12])), None);
        assert_eq!(parse(&header(0x23, 0x11, &[0; 12])), None);
        assert_eq!(parse(&header(0x21, 0x11, &[0; 4])), None);
        assert_eq!(parse(&header(0x21, 0x77, &[0; 40])), None);
    }

    proptest! {
        /// No bytes make it panic, and what is whole does not reach beyond the bytes.
        #[test]
        fn no_bytes_break_it(tail in proptest::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [&SIGNATURE[..], &tail].concat();
            if let Some(Header::Whole(length, _)) = parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
