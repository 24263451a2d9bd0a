//! What is done about late answers: a second endpoint, the client's own deadline, a limit that is learned; and what endpoints
//! say of their load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foresail_proxy::{Admission, BalancerKind, HedgeConfig, Proxy, ProxyConfig, RetryConfig};
use foresail_route::ConcurrencyConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::*;

/// Answers at once with `head` among its headers, except what asks for `/held`, which it never answers; counts requests.
async fn quick(name: &'static str, head: &'static str) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = raw_upstream(move |mut tcp, _| {
        let count = Arc::clone(&count);
        async move {
            while let Some(asked) = read_head(&mut tcp).await {
                count.fetch_add(1, Ordering::SeqCst);
                if asked.contains("x-hold: ") && asked.contains(&format!("x-hold: {name}")) {
                    std::future::pending::<()>().await;
                }
                let answer = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{name}", name.len());
                if tcp.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (address, asked)
}

async fn send(proxy: &Proxy, method: &str, headers: &str) -> String {
    exchange(proxy, format!("{method} / HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n")).await
}

/// The class becomes known by answers that are in time.
async fn learn(proxy: &Proxy, method: &str, headers: &str) {
    for _ in 0..70 {
        assert_eq!(status(&send(proxy, method, headers).await), 200);
    }
}

#[tokio::test]
async fn a_second_endpoint_is_asked_while_the_first_is_late() {
    let ((x, _), (y, _)) = (quick("x", "").await, quick("y", "").await);
    let hedge = Some(HedgeConfig { quantile: 0.95, share: 0.1 });
    let retry = RetryConfig { attempts: 0, hedge, ..RetryConfig::default() };
    let config = ProxyConfig { balancer: BalancerKind::RoundRobin {}, retry, ..one_worker() };
    let proxy = Proxy::start(config, vec![endpoint("x", x), endpoint("y", y)]).unwrap();
    learn(&proxy, "GET", "").await;
    learn(&proxy, "POST", "Content-Length: 0\r\n").await;
    let before = proxy.stats();
    // In turn, so one of two meets the endpoint that holds it, whichever that is.
    for _ in 0..2 {
        let answer = send(&proxy, "GET", "X-Hold: x\r\n").await;
        assert!(answer.ends_with('y'), "{answer}");
    }
    let stats = until(&proxy, "settled", |stats| stats.in_flight == 0).await;
    assert!(stats.hedges_won > before.hedges_won && stats.hedges >= stats.hedges_won, "{stats:?}");
    assert!(stats.hedges as f64 <= 0.1 * stats.arrivals as f64 + 1.0, "{} of {}", stats.hedges, stats.arrivals);
    assert_eq!(stats.endpoints.iter().map(|e| e.in_flight).sum::<u64>(), 0, "the late one's place is given back");
    assert_eq!(stats.failed + stats.rejected, 0);
    check_balance(&stats);
    // What may change something is sent once, late or not.
    let mut held = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    for _ in 0..2 {
        let post = b"POST / HTTP/1.1\r\nHost: a\r\nX-Hold: x\r\nContent-Length: 0\r\n\r\n";
        held.write_all(post).await.unwrap();
    }
    until(&proxy, "held", |stats| stats.in_flight > 0).await;
    learn(&proxy, "HEAD", "X-Hold: none\r\n").await;
    assert_eq!(proxy.stats().in_flight, 1, "it is still waited for");
}

#[tokio::test]
async fn a_clients_deadline_is_kept_told_and_not_tried_in_vain() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let hold = "GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let answer = exchange(&proxy, format!("{hold}X-Request-Timeout: 80ms\r\n\r\n")).await;
    assert_eq!(status(&answer), 504, "{answer}");
    let asked = upstream.asked().pop().unwrap();
    let told: u64 = asked.headers["x-request-timeout"].to_str().unwrap().strip_suffix("ms").unwrap().parse().unwrap();
    assert!(told <= 80, "{told}");
    let answer = exchange(&proxy, format!("{hold}Grpc-Timeout: 50m\r\n\r\n")).await;
    assert_eq!(status(&answer), 504);
    // Nobody believes what cannot be understood.
    assert_eq!(status(&send(&proxy, "GET", "X-Request-Timeout: soon\r\n").await), 200);

    // Once it is known how long the like take, those that cannot make it are hardly ever sent.
    learn(&proxy, "GET", "X-Request-Timeout: 5s\r\n").await;
    let before = upstream.asked().len();
    let mut refused = 0;
    for _ in 0..40 {
        refused += usize::from(status(&send(&proxy, "GET", "X-Request-Timeout: 0.000001\r\n").await) == 504);
    }
    assert!(refused >= 30, "{refused} of 40 were refused");
    assert!(upstream.asked().len() - before <= 10, "{} were sent", upstream.asked().len() - before);
    // As it was told: clients' words may be ignored.
    let mut deaf = one_worker();
    deaf.deadlines.from_client = false;
    proxy.reload(deaf).unwrap();
    assert_eq!(status(&send(&proxy, "GET", "X-Request-Timeout: 0.000001\r\n").await), 200);
}

#[tokio::test]
async fn an_endpoints_word_on_its_load_counts() {
    // One says that forty others are there; both answer alike.
    let (busy, idle) =
        (quick("x", "X-Foresail-Load: rif=40\r\n").await, quick("y", "X-Foresail-Load: rif=0\r\n").await);
    let balancer = serde_json::from_str(r#"{"policy":"learned","contest":false}"#).unwrap();
    let proxy =
        Proxy::start(ProxyConfig { balancer, ..one_worker() }, vec![endpoint("x", busy.0), endpoint("y", idle.0)])
            .unwrap();
    for _ in 0..100 {
        let answer = send(&proxy, "GET", "").await;
        assert!(!answer.to_ascii_lowercase().contains("x-foresail-load"), "{answer}");
    }
    let (busy, idle) = (busy.1.load(Ordering::SeqCst), idle.1.load(Ordering::SeqCst));
    assert!(busy * 3 < idle, "{busy} and {idle}");
}

#[tokio::test]
async fn a_learned_limit_holds_back_no_lone_request_and_queues_the_rest() {
    let upstream = Upstream::start("a").await;
    let adaptive = Some(ConcurrencyConfig { floor: 2, most: 2, ..ConcurrencyConfig::default() });
    let admission = Admission { adaptive, queue: 0, ..Admission::default() };
    let retry = RetryConfig { attempts: 0, ..RetryConfig::default() };
    let proxy = start(ProxyConfig { admission, retry, ..one_worker() }, &[&upstream]);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        tcp.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        held.push(tcp);
    }
    until(&proxy, "both there", |stats| stats.in_flight == 2).await;
    assert_eq!(status(&get(&proxy, "/").await), 503, "a third one finds no place");
    upstream.release.notify_one();
    until(&proxy, "one gone", |stats| stats.in_flight == 1).await;
    assert_eq!(status(&get(&proxy, "/").await), 200);
}
