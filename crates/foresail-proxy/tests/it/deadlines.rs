use std::time::Duration;

use foresail_proxy::{Deadlines, ProxyConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::*;

fn with(deadlines: Deadlines) -> ProxyConfig {
    ProxyConfig { deadlines, ..one_worker() }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[tokio::test]
async fn a_slow_head_is_cut_off_however_it_drips() {
    let upstream = Upstream::start("a").await;
    let proxy = start(with(Deadlines { header: ms(300), ..Deadlines::default() }), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let begin = Instant::now();
    let drip = async {
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        loop {
            let mut byte = [0];
            // A header every 50 ms keeps any timer alive that each read renews.
            match timeout(ms(50), tcp.read(&mut byte)).await {
                Ok(_) => return byte[0],
                Err(_) => tcp.write_all(b"X: y\r\n").await.unwrap(),
            }
        }
    };
    assert_eq!(timeout(PATIENCE, drip).await.unwrap(), b'H');
    assert!((ms(290)..ms(2000)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    let answer = read_all(&mut tcp).await;
    assert!(answer.contains(" 408 ") && answer.contains("request_id"), "{answer}");
    let stats = proxy.stats();
    assert_eq!((stats.refused, stats.arrivals), (1, 0));
}

#[tokio::test]
async fn silent_and_idle_connections_are_closed() {
    let upstream = Upstream::start("a").await;
    let proxy = start(with(Deadlines { header: ms(200), idle: ms(400), ..Deadlines::default() }), &[&upstream]);
    let mut silent = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let begin = Instant::now();
    assert_eq!(read_all(&mut silent).await, "");
    assert!(begin.elapsed() < ms(2000));
    let mut idle = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_answer(&mut idle).await), 200);
    let begin = Instant::now();
    assert_eq!(read_all(&mut idle).await, "");
    assert!((ms(300)..ms(3000)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_slow_body_is_cut_off() {
    let upstream = Upstream::start("a").await;
    let proxy = start(with(Deadlines { stall: ms(300), least_rate: 1000, ..Deadlines::default() }), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    tcp.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
    let drip = async {
        loop {
            let mut byte = [0];
            match timeout(ms(20), tcp.read(&mut byte)).await {
                Ok(_) => return,
                Err(_) => tcp.write_all(b"x").await.unwrap(),
            }
        }
    };
    timeout(PATIENCE, drip).await.unwrap();
    let answer = read_all(&mut tcp).await;
    assert!(answer.contains(" 408 "), "{answer}");
    assert!(upstream.asked().is_empty());
    let stats = until(&proxy, "over", |s| s.in_flight == 0).await;
    assert_eq!((stats.endpoints[0].failed, stats.failed), (0, 0), "the endpoint is not to blame");
    check_balance(&stats);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let address = raw_upstream(|mut tcp, _| async move {
        let _ = read_head(&mut tcp).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").await;
        let block = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            if tcp.write_all(&block).await.is_err() {
                return;
            }
        }
    })
    .await;
    let deadlines = Deadlines { stall: ms(300), ..Deadlines::default() };
    let proxy = foresail_proxy::Proxy::start(with(deadlines), vec![endpoint("a", address)]).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let stats = until(&proxy, "cut off", |s| s.aborted == 1 && s.connections == 0).await;
    check_balance(&stats);
    assert_eq!(proxy.in_flight("a"), 0);
}

#[tokio::test]
async fn slow_endpoints_are_given_up() {
    let upstream = Upstream::start("a").await;
    let deadlines = Deadlines { first_byte: ms(150), stall: ms(200), ..Deadlines::default() };
    let proxy = start(with(deadlines), &[&upstream]);
    assert_eq!(status(&get(&proxy, "/held").await), 504);
    let stalls = raw_upstream(|mut tcp, _| async move {
        let _ = read_head(&mut tcp).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
        std::future::pending::<()>().await;
    })
    .await;
    proxy.set_endpoints(vec![endpoint("stalls", stalls)]);
    let answer = get(&proxy, "/").await;
    assert!(status(&answer) == 200 && answer.ends_with("half"), "{answer}");
    let stats = until(&proxy, "over", |s| s.failed == 2).await;
    check_balance(&stats);
    assert_eq!(stats.endpoints[0].failed, 1);
}

#[tokio::test]
async fn the_whole_request_has_a_deadline() {
    let drips = raw_upstream(|mut tcp, _| async move {
        let _ = read_head(&mut tcp).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n").await;
        while tcp.write_all(b"x").await.is_ok() {
            tokio::time::sleep(ms(20)).await;
        }
    })
    .await;
    let deadlines = Deadlines { total: ms(300), ..Deadlines::default() };
    let proxy = foresail_proxy::Proxy::start(with(deadlines), vec![endpoint("drips", drips)]).unwrap();
    let begin = Instant::now();
    get(&proxy, "/").await;
    assert!((ms(250)..ms(3000)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    until(&proxy, "failed", |s| s.failed == 1).await;
}

/// Hundreds of clients that never finish their heads do not keep others from being served.
#[tokio::test]
async fn slowloris_is_only_slow_to_itself() {
    let upstream = Upstream::start("a").await;
    let proxy = start(with(Deadlines { header: ms(1500), ..Deadlines::default() }), &[&upstream]);
    let mut held = Vec::new();
    for i in 0..500 {
        let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.unwrap();
        held.push(tcp);
        if i % 10 == 0 {
            let begin = Instant::now();
            assert_eq!(status(&get(&proxy, "/").await), 200);
            assert!(begin.elapsed() < ms(1000));
        }
    }
    // All of them are told off and gone.
    let stats = until(&proxy, "cut off", |s| s.refused == 500 && s.connections == 0).await;
    assert_eq!((stats.completed, stats.failed), (50, 0));
}
