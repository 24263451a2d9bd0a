use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use foresail_proxy::{EndpointState, Proxy, ProxyConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::*;

#[tokio::test]
async fn a_removed_endpoint_finishes_what_it_has() {
    let (old, new) = (Upstream::start("old").await, Upstream::start("new").await);
    let proxy = start(one_worker(), &[&old]);
    let mut held = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    until(&proxy, "in flight", |s| s.in_flight == 1).await;
    proxy.set_endpoints(vec![new.endpoint()]);
    let stats = proxy.stats();
    assert_eq!(
        stats.endpoints.iter().map(|e| e.state).collect::<Vec<_>>(),
        [EndpointState::Healthy, EndpointState::Draining]
    );
    assert_eq!(proxy.in_flight("old"), 1);
    assert!(get(&proxy, "/").await.ends_with("new"));
    old.release.notify_one();
    assert!(read_all(&mut held).await.ends_with("old"));
    let stats = until(&proxy, "drained", |s| s.endpoints.len() == 1).await;
    assert_eq!((stats.completed, stats.failed), (2, 0));
}

/// Endpoints come and go under load: no request is lost, and none is answered twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_changes_under_load_lose_nothing() {
    let mut pool = Vec::new();
    for i in 0..6 {
        pool.push(Upstream::start(&format!("u{i}")).await);
    }
    let proxy = Arc::new(start(ProxyConfig { workers: 2, ..ProxyConfig::default() }, &[&pool[0], &pool[1]]));
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (proxy, stop, answered) = (Arc::clone(&proxy), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
                for i in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let request = format!("POST /{client}/{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
                    tcp.write_all(request.as_bytes()).await.unwrap();
                    let answer = read_answer(&mut tcp).await;
                    assert_eq!(status(&answer), 200, "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for change in 0..200 {
        let from = change % pool.len();
        let set = (from..from + 2 + change % 3).map(|i| pool[i % pool.len()].endpoint()).collect();
        proxy.set_endpoints(set);
        // Under load means that requests run between changes.
        let before = answered.load(Ordering::Relaxed);
        timeout(PATIENCE, async {
            while answered.load(Ordering::Relaxed) < before + 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let answered = answered.load(Ordering::Relaxed);
    let mut targets: Vec<String> = pool.iter().flat_map(|u| u.asked()).map(|a| a.target).collect();
    assert_eq!(targets.len(), answered, "as many requests as answers");
    targets.sort();
    targets.dedup();
    assert_eq!(targets.len(), answered, "none twice");
    let stats = until(&proxy, "over", |s| s.in_flight == 0).await;
    assert_eq!((stats.completed, stats.failed, stats.rejected), (answered as u64, 0, 0));
    check_balance(&stats);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_lets_requests_finish() {
    let upstream = Upstream::start("a").await;
    let proxy = start(ProxyConfig { workers: 2, ..ProxyConfig::default() }, &[&upstream]);
    let address = proxy.addresses()[0];
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_answer(&mut idle).await), 200);
    let mut held = TcpStream::connect(address).await.unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    until(&proxy, "in flight", |s| s.in_flight == 1).await;
    let down = tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE));
    // Idle connections close, new ones are refused, the request in flight is answered.
    assert_eq!(read_all(&mut idle).await, "");
    upstream.release.notify_one();
    let answer = read_all(&mut held).await;
    assert!(status(&answer) == 200 && answer.ends_with('a'), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    drop((idle, held));
    timeout(PATIENCE, down).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_what_does_not_finish() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let mut held = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    until(&proxy, "in flight", |s| s.in_flight == 1).await;
    let down = tokio::task::spawn_blocking(move || proxy.shutdown(Duration::from_millis(200)));
    timeout(Duration::from_secs(5), down).await.unwrap().unwrap();
    assert_eq!(read_all(&mut held).await, "");
}

/// Another process takes over the address while the first one drains.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_takes_over_without_loss() {
    let upstream = Upstream::start("a").await;
    let mut config = one_worker();
    config.listen[0].share = true;
    let mut proxy = start(config.clone(), &[&upstream]);
    config.listen[0].address = proxy.addresses()[0];
    let address = proxy.addresses()[0];
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let client = tokio::spawn(async move {
        let mut answered = 0;
        while !stopped.load(Ordering::Relaxed) {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            let request =
                format!("POST /{answered} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            tcp.write_all(request.as_bytes()).await.unwrap();
            assert_eq!(status(&read_all(&mut tcp).await), 200);
            answered += 1;
        }
        answered
    });
    for _ in 0..5 {
        let next = Proxy::start(config.clone(), vec![upstream.endpoint()]).unwrap();
        until(&next, "taking over", |s| s.arrivals > 0).await;
        let old = std::mem::replace(&mut proxy, next);
        tokio::task::spawn_blocking(move || old.shutdown(PATIENCE)).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let answered: usize = client.await.unwrap();
    assert_eq!(upstream.asked().len(), answered);
}
