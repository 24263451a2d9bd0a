use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::*;

#[tokio::test]
async fn a_request_reaches_the_endpoint_and_its_answer_comes_back() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let answer = exchange(
        &proxy,
        "POST /path?x=1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nX-Mine: yes\r\nX-Forwarded-For: 6.6.6.6\r\n\
         Connection: close, x-drop\r\nX-Drop: 1\r\n\r\nhello",
    )
    .await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(answer.ends_with("\r\n\r\na"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("x-request-id: "));
    let asked = &upstream.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str(), asked.body.as_slice()),
        ("POST", "/path?x=1", &b"hello"[..])
    );
    assert_eq!(asked.headers["host"], "shop");
    assert_eq!(asked.headers["x-mine"], "yes");
    assert_eq!(asked.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(asked.headers["x-forwarded-proto"], "http");
    assert_eq!(asked.headers["x-forwarded-host"], "shop");
    assert_eq!(asked.headers["x-request-id"].len(), 32);
    assert!(!asked.headers.contains_key("x-drop") && !asked.headers.contains_key("connection"));
    let stats = until(&proxy, "completed", |s| s.completed == 1).await;
    check_balance(&stats);
    assert_eq!((stats.arrivals, stats.endpoints[0].picks, stats.endpoints[0].completed), (1, 1, 1));
    assert_eq!((stats.latency.count(), stats.endpoints[0].latency.count()), (1, 1));
    assert!(stats.endpoints[0].latency_ewma_ms > 0.0);
    assert_eq!(proxy.in_flight("a"), 0);
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    for i in 0..50 {
        let request = format!("GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        assert!(read_answer(&mut tcp).await.ends_with("\r\na"));
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
    assert_eq!(proxy.stats().accepted, 1);
    // Pipelined requests are answered in order.
    tcp.write_all(b"GET /status/201 HTTP/1.1\r\nHost: a\r\n\r\nGET /status/202 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&read_answer(&mut tcp).await), 201);
    assert_eq!(status(&read_answer(&mut tcp).await), 202);
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    tcp.write_all(b"POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let head = read_head(&mut tcp).await.unwrap();
    assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{head}");
    // Each piece comes back before the next is sent: nobody waits for the end.
    for piece in ["one", "two", "three"] {
        tcp.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
        let expected = format!("{:X}\r\n{piece}\r\n", piece.len());
        let mut echoed = vec![0; expected.len()];
        timeout(PATIENCE, tcp.read_exact(&mut echoed)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8(echoed).unwrap(), expected);
    }
    tcp.write_all(b"0\r\n\r\n").await.unwrap();
    let mut end = [0; 5];
    timeout(PATIENCE, tcp.read_exact(&mut end)).await.unwrap().unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
    // And the connection goes on.
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_answer(&mut tcp).await), 200);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let answer = exchange(
        &proxy,
        "POST /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, te\r\nTrailer: x-in\r\n\
         Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nX-In: 7\r\n\r\n",
    )
    .await;
    assert!(answer.to_ascii_lowercase().contains("x-sum: 42"), "{answer}");
    let asked = &upstream.asked()[0];
    assert_eq!(asked.body, b"abc");
    assert_eq!(asked.trailers.as_ref().unwrap()["x-in"], "7");
}

#[tokio::test]
async fn a_get_may_have_a_body_and_a_head_none() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let answer = exchange(
        &proxy,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(status(&answer), 200);
    assert_eq!(upstream.asked()[0].body, b"hi");
    let answer = exchange(&proxy, "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.to_ascii_lowercase().contains("content-length: 1") && answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = exchange(&proxy, "GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    assert_eq!(upstream.asked()[2].headers["host"], upstream.address.to_string());
}

#[tokio::test]
async fn an_answer_loses_what_concerns_one_hop() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let answer = get(&proxy, "/hop").await.to_ascii_lowercase();
    assert!(!answer.contains("x-secret") && !answer.contains("timeout=5"), "{answer}");
}

#[tokio::test]
async fn expect_continue_is_answered_when_the_body_is_wanted() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    tcp.write_all(head.as_bytes()).await.unwrap();
    assert!(read_head(&mut tcp).await.unwrap().starts_with("HTTP/1.1 100"));
    tcp.write_all(b"body").await.unwrap();
    assert_eq!(status(&read_all(&mut tcp).await), 200);
    assert_eq!(upstream.asked()[0].body, b"body");
}

/// A kept connection that the endpoint has closed is replaced, when nothing can happen twice.
#[tokio::test]
async fn a_stale_connection_is_replaced_only_when_that_is_safe() {
    // Answers the first request of a connection and hangs up at the second.
    let address = raw_upstream(|mut tcp, _| async move {
        while read_head(&mut tcp).await.is_some() {
            let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            if read_head(&mut tcp).await.is_some() {
                return;
            }
        }
    })
    .await;
    let config = foresail_proxy::ProxyConfig {
        retry: foresail_proxy::RetryConfig { attempts: 0, ..Default::default() },
        ..one_worker()
    };
    let proxy = foresail_proxy::Proxy::start(config, vec![endpoint("a", address)]).unwrap();
    for _ in 0..4 {
        assert_eq!(status(&get(&proxy, "/").await), 200);
    }
    assert!(proxy.stats().retries >= 2, "{:?}", proxy.stats().retries);
    // Now one is kept: a POST that was sent over it may have happened.
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(status(&exchange(&proxy, post).await));
    }
    assert!(statuses.contains(&502) && statuses.contains(&200), "{statuses:?}");
}

/// Half an answer is no answer: the client sees the break.
#[tokio::test]
async fn a_broken_answer_is_not_passed_off_as_whole() {
    let address = raw_upstream(|mut tcp, _| async move {
        let _ = read_head(&mut tcp).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    })
    .await;
    let proxy = foresail_proxy::Proxy::start(one_worker(), vec![endpoint("a", address)]).unwrap();
    let answer = get(&proxy, "/").await;
    assert!(answer.to_ascii_lowercase().contains("content-length: 10") && !answer.contains("ok"), "{answer}");
    let stats = until(&proxy, "failed", |s| s.failed == 1).await;
    assert_eq!((stats.completed, stats.endpoints[0].failed), (0, 1));
    check_balance(&stats);
}
