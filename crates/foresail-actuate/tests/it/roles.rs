//! What this binary does as a child of its own tests. As a test, each role does nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use foresail_actuate::process::ProcessActuator;

#[expect(clippy::disallowed_methods, reason = "the role of a child comes by its environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A service: an HTTP server that is ready `READY_AFTER_MS` after its start, unless `SICK_FILE` exists, hangs while
/// `HUNG_FILE` exists, writes what it is asked to warm to `WARM_FILE`, and holds `HOLD_MB` megabytes of memory.
#[test]
#[expect(clippy::disallowed_methods, reason = "a child process has its own clock")]
fn serve() {
    let (Some(_), Some(port)) = (variable("TEST_SERVES"), variable("PORT")) else { return };
    println!("copy on {port} with {} workers", variable("WORKERS").unwrap_or_default());
    let delay: u64 = variable("READY_AFTER_MS").map_or(0, |text| text.parse().unwrap());
    let ready_at = Instant::now() + Duration::from_millis(delay);
    let megabytes: usize = variable("HOLD_MB").map_or(0, |text| text.parse().unwrap());
    let held_memory = std::hint::black_box(vec![1_u8; megabytes * 1_000_000]);
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let exists = |name: &str| variable(name).is_some_and(|path| fs::exists(path).unwrap());
    let mut held: Vec<TcpStream> = Vec::new();
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        if exists("HUNG_FILE") {
            held.push(stream);
            continue;
        }
        answer(stream, Instant::now() >= ready_at && !exists("SICK_FILE"));
    }
    drop(held_memory);
}

fn answer(mut stream: TcpStream, good: bool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(line)) = lines.next() else { return };
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    if let (Some(path), Some(file)) = (line.strip_prefix("POST "), variable("WARM_FILE")) {
        fs::write(file, path.split(' ').next().unwrap()).unwrap();
    }
    let status = if good { "200 OK" } else { "503 Service Unavailable" };
    drop(write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
}

/// A Foresail: keeps the copies of the configuration in `TEST_SUPERVISES` until it is killed.
#[test]
fn supervise() {
    let Some(config) = variable("TEST_SUPERVISES") else { return };
    let config = serde_json::from_str(&config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _fleet = ProcessActuator::start(config).await.unwrap();
        std::future::pending::<()>().await;
    });
}
