//! One proxy takes over from another on the same address while requests run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foresail_proxy::{Proxy, ProxyConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::*;

/// Sends numbered requests one after the other, each on a connection of its own or over one that is kept for as long as
/// the proxy does not say that it ends; how many were answered. Not one may fail.
async fn client(name: usize, address: SocketAddr, keeps: bool, stop: Arc<AtomicBool>) -> usize {
    let mut kept: Option<TcpStream> = None;
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return number;
        }
        let mut tcp = match kept.take() {
            Some(tcp) => tcp,
            None => TcpStream::connect(address).await.unwrap(),
        };
        let connection = if keeps { "keep-alive" } else { "close" };
        // A POST may not be repeated by anybody, so a request that is lost stays lost.
        let request = format!(
            "POST /{name}/{number} HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\nContent-Length: 2\r\n\r\nhi"
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, read_head(&mut tcp)).await.expect("in time").unwrap_or_default();
        assert_eq!(status(&answer), 200, "request {number} of client {name}, which keeps: {keeps}");
        let mut body = [0];
        timeout(PATIENCE, tokio::io::AsyncReadExt::read_exact(&mut tcp, &mut body)).await.expect("in time").unwrap();
        if keeps && !answer.to_ascii_lowercase().contains("connection: close") {
            kept = Some(tcp);
            // A pause in which the proxy may close what is idle.
            sleep(Duration::from_millis(name as u64)).await;
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_restarts_under_load_lose_nothing_and_repeat_nothing() {
    let upstreams = [Upstream::start("a").await, Upstream::start("b").await];
    let endpoints = || upstreams.iter().map(Upstream::endpoint).collect::<Vec<_>>();
    let mut config = ProxyConfig { workers: 2, ..ProxyConfig::default() };
    config.listen[0].share = true;
    let mut proxy = Proxy::start(config.clone(), endpoints()).unwrap();
    let address = proxy.addresses()[0];
    config.listen[0].address = address;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> =
        (0..6).map(|name| tokio::spawn(client(name, address, name % 2 == 1, Arc::clone(&stop)))).collect();
    for _ in 0..20 {
        let next = Proxy::start(config.clone(), endpoints()).unwrap();
        until(&next, "taking over", |s| s.arrivals > 0).await;
        let old = std::mem::replace(&mut proxy, next);
        let down = tokio::task::spawn_blocking(move || old.shutdown(PATIENCE));
        timeout(PATIENCE, down).await.expect("drains in time").unwrap();
        until(&proxy, "serving alone", |s| s.completed > 20).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = BTreeMap::new();
    for (name, client) in clients.into_iter().enumerate() {
        for number in 0..client.await.unwrap() {
            answered.insert(format!("/{name}/{number}"), 1);
        }
    }
    let mut asked: BTreeMap<String, i32> = BTreeMap::new();
    for request in upstreams.iter().flat_map(Upstream::asked) {
        *asked.entry(request.target).or_default() += 1;
    }
    assert!(asked == answered, "each exactly once: {} answered, {} asked", answered.len(), asked.len());
    assert!(answered.len() > 20 * 20);
}
