use std::time::Duration;

use foresail_proxy::{Admission, Limits, ProxyConfig, RetryConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

fn refusal(answer: &str, expected: u16) {
    assert_eq!(status(answer), expected, "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"));
    assert_eq!(body["status"], expected);
    let id = body["request_id"].as_str().unwrap();
    assert!(id.len() == 32 && answer.contains(&format!("x-request-id: {id}")), "{answer}");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let upstream = Upstream::start("a").await;
    let limits = Limits { header_bytes: 2048, headers: 10, body_bytes: 100, ..Limits::default() };
    let proxy = start(ProxyConfig { limits, ..one_worker() }, &[&upstream]);
    let request = |headers: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
    refusal(&exchange(&proxy, request(&format!("X: {}", "x".repeat(3000)))).await, 431);
    refusal(&exchange(&proxy, request(&vec!["A: b"; 20].join("\r\n"))).await, 431);
    refusal(&exchange(&proxy, format!("GET /{} HTTP/1.1\r\n", "x".repeat(3000))).await, 414);
    let post = |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}");
    refusal(&exchange(&proxy, post("Content-Length: 101", "")).await, 413);
    let chunks = format!("{}0\r\n\r\n", "a\r\n0123456789\r\n".repeat(11));
    refusal(&exchange(&proxy, post("Transfer-Encoding: chunked", &chunks)).await, 413);
    assert!(upstream.asked().is_empty(), "{:?}", upstream.asked());
    let stats = until(&proxy, "over", |s| s.in_flight == 0).await;
    check_balance(&stats);
    assert_eq!((stats.refused, stats.arrivals), (3, 2));
}

#[tokio::test]
async fn endpoints_that_cannot_answer_give_gateway_errors() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = foresail_proxy::Proxy::start(one_worker(), vec![endpoint("gone", gone)]).unwrap();
    refusal(&get(&proxy, "/").await, 502);
    let nonsense = raw_upstream(|mut tcp, _| async move {
        let _ = read_head(&mut tcp).await;
        let _ = tcp.write_all(b"SMTP ready\r\n\r\n").await;
    })
    .await;
    proxy.set_endpoints(vec![endpoint("nonsense", nonsense)]);
    refusal(&get(&proxy, "/").await, 502);
    proxy.set_endpoints(vec![]);
    let quick = Admission { queue_time: Duration::from_millis(20), ..Admission::default() };
    proxy.reload(ProxyConfig { admission: quick, ..one_worker() }).unwrap();
    let answer = get(&proxy, "/").await;
    refusal(&answer, 503);
    assert!(answer.contains("retry-after: 1"), "{answer}");
    let stats = proxy.stats();
    assert_eq!((stats.failed, stats.rejected, stats.late), (2, 1, 3));
    check_balance(&stats);
}

#[tokio::test]
async fn a_full_endpoint_makes_requests_wait_their_turn() {
    let upstream = Upstream::start("a").await;
    let admission = Admission { in_flight_per_endpoint: 1, queue: 2, queue_time: PATIENCE, ..Admission::default() };
    let proxy = start(ProxyConfig { admission, ..one_worker() }, &[&upstream]);
    let ask = || async {
        let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        tcp.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        tcp
    };
    let mut first = ask().await;
    until(&proxy, "in flight", |s| s.in_flight == 1).await;
    let mut second = ask().await;
    until(&proxy, "queued", |s| s.queued == 1).await;
    let third = ask().await;
    let stats = until(&proxy, "queued", |s| s.queued == 2).await;
    assert_eq!((stats.arrivals, stats.in_flight), (3, 1));
    check_balance(&stats);
    // The queue is full.
    refusal(&get(&proxy, "/held").await, 503);
    // One that gives up leaves the queue.
    drop(third);
    until(&proxy, "left", |s| s.queued == 1 && s.aborted == 1).await;
    upstream.release.notify_one();
    assert_eq!(status(&read_all(&mut first).await), 200);
    until(&proxy, "next", |s| s.queued == 0 && s.in_flight == 1).await;
    upstream.release.notify_one();
    assert_eq!(status(&read_all(&mut second).await), 200);
    let stats = until(&proxy, "over", |s| s.in_flight == 0).await;
    assert_eq!((stats.completed, stats.rejected, stats.aborted, stats.endpoints[0].picks), (2, 1, 1, 2));
    check_balance(&stats);
}

#[tokio::test]
async fn a_new_endpoint_serves_those_who_wait() {
    let upstream = Upstream::start("late").await;
    let admission = Admission { queue_time: PATIENCE, ..Admission::default() };
    let proxy = foresail_proxy::Proxy::start(ProxyConfig { admission, workers: 2, ..one_worker() }, vec![]).unwrap();
    let waiting = async {
        let answer = get(&proxy, "/").await;
        assert_eq!(status(&answer), 200);
    };
    let adding = async {
        until(&proxy, "queued", |s| s.queued == 1).await;
        proxy.set_endpoints(vec![upstream.endpoint()]);
    };
    tokio::join!(waiting, adding);
}

#[tokio::test]
async fn a_place_freed_by_one_worker_is_found_by_another() {
    let upstream = Upstream::start("a").await;
    let admission = Admission { in_flight_per_endpoint: 1, queue: 100, queue_time: PATIENCE, ..Admission::default() };
    let proxy = start(ProxyConfig { admission, workers: 4, ..ProxyConfig::default() }, &[&upstream]);
    let answers: Vec<_> = (0..40).map(|_| get(&proxy, "/")).collect();
    for answer in futures_util::future::join_all(answers).await {
        assert_eq!(status(&answer), 200);
    }
    check_balance(&until(&proxy, "over", |s| s.completed == 40).await);
}

#[tokio::test]
async fn connections_are_capped() {
    let upstream = Upstream::start("a").await;
    let limits = Limits { connections: 2, ..Limits::default() };
    let proxy = start(ProxyConfig { limits, ..one_worker() }, &[&upstream]);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert_eq!(status(&read_answer(&mut tcp).await), 200);
        held.push(tcp);
    }
    assert_eq!(get(&proxy, "/").await, "");
    drop(held);
    until(&proxy, "closed", |s| s.connections == 0).await;
    assert_eq!(status(&get(&proxy, "/").await), 200);
}

#[tokio::test]
async fn settings_out_of_range_and_taken_addresses_are_errors() {
    let config = ProxyConfig { retry: RetryConfig { attempts: 99, ..Default::default() }, ..one_worker() };
    let error = foresail_proxy::Proxy::start(config, vec![]).unwrap_err();
    assert_eq!(error.to_string(), "retry.attempts is 99, accepted is 0 to 10");
    let first = foresail_proxy::Proxy::start(one_worker(), vec![]).unwrap();
    let mut config = one_worker();
    config.listen[0].address = first.addresses()[0];
    let error = foresail_proxy::Proxy::start(config.clone(), vec![]).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("cannot listen on"), "{error}");
    config.listen[0].share = true;
    let shared = foresail_proxy::Proxy::start(config, vec![]);
    assert!(shared.is_ok(), "{:?}", shared.err());
    let two = || endpoint("same", first.addresses()[0]);
    assert!(foresail_proxy::Proxy::start(one_worker(), vec![two(), two()]).is_err());
}
