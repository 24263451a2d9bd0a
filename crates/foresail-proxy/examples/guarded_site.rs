//! A site under pressure behind a guard that acts, for a browser to be challenged by: `guarded_site`.
//!
//! Prints its address once the next page that this machine opens will be challenged, and ends with its standard input. Then it
//! prints its statistics as JSON.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use foresail_proxy::{Admission, Endpoint, GuardConfig, GuardMode, Proxy, ProxyConfig};

/// Requests that the endpoint may have at once, and how many of those are kept busy.
const PLACES: u32 = 10;
const BUSY: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let site = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = Endpoint { id: "site".into(), address: site.local_addr()?, weight: 1.0, tls: None };
    thread::spawn(move || site.incoming().flatten().for_each(|tcp| drop(thread::spawn(move || answer(tcp)))));
    let config = ProxyConfig {
        workers: 1,
        guard: Some(GuardConfig {
            mode: GuardMode::Enforce,
            clients: 1024,
            least_limit_rps: 0.1,
            ..GuardConfig::default()
        }),
        admission: Admission { in_flight_per_endpoint: PLACES, ..Admission::default() },
        ..ProxyConfig::default()
    };
    let proxy = Proxy::start(config, vec![endpoint])?;
    let address = proxy.addresses()[0];
    let held = (0..BUSY).map(|_| ask(address, "/held")).collect::<Result<Vec<_>, _>>()?;
    while !proxy.stats().guard.is_some_and(|guard| guard.is_engaged) {
        thread::park_timeout(Duration::from_millis(20));
    }
    // By now this machine asks more than it may.
    for _ in 0..4 {
        ask(address, "/")?.read_to_end(&mut Vec::new())?;
    }
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    // Workers tell what they decided now and then: a browser that was quick is not counted yet.
    let is_counted = || proxy.stats().guard.is_some_and(|guard| guard.totals.challenged > 0);
    let mut looks = 0..250;
    while !is_counted() && looks.next().is_some() {
        thread::park_timeout(Duration::from_millis(20));
    }
    serde_json::to_writer(std::io::stdout(), &proxy.stats())?;
    drop(held);
    Ok(())
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(address)?;
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")?;
    Ok(tcp)
}

/// Answers a request with a page; one for `/held` when the client is gone.
fn answer(mut tcp: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && tcp.read(&mut byte).is_ok_and(|n| n == 1) {
        head.extend_from_slice(&byte);
    }
    if head.starts_with(b"GET /held ") {
        let _ = tcp.read(&mut byte);
        return;
    }
    let page = "<!doctype html><title>Site</title><h1>Let in</h1>";
    let length = page.len();
    let _ = write!(
        tcp,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    );
}
