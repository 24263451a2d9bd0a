//! Upgrades, the PROXY protocol, who is believed, and the access log.

use std::time::Duration;

use foresail_proxy::{AccessLog, Deadlines, LogFormat, ProxyConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::*;

/// Speaks a protocol of its own after an upgrade: sends back what it gets, in capitals.
async fn shouting() -> std::net::SocketAddr {
    raw_upstream(|mut tcp, _| async move {
        let Some(head) = read_head(&mut tcp).await else { return };
        if !head.to_ascii_lowercase().contains("upgrade: shout") {
            let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain").await;
            return;
        }
        // The first bytes of the new protocol come together with the answer.
        let _ =
            tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: shout\r\nConnection: upgrade\r\n\r\nHI").await;
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = tcp.read(&mut buffer).await {
            buffer[..count].make_ascii_uppercase();
            if tcp.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn expect(tcp: &mut TcpStream, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    timeout(PATIENCE, tcp.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel() {
    let proxy = foresail_proxy::Proxy::start(one_worker(), vec![endpoint("a", shouting().await)]).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    // What follows at once belongs to the new protocol, even if it looks like anything else.
    tcp.write_all(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nearly\n\n\x01")
        .await
        .unwrap();
    let head = read_head(&mut tcp).await.unwrap();
    assert!(status(&head) == 101 && head.to_ascii_lowercase().contains("upgrade: shout"), "{head}");
    expect(&mut tcp, "HIEARLY\n\n\x01").await;
    for _ in 0..3 {
        tcp.write_all(b"hello").await.unwrap();
        expect(&mut tcp, "HELLO").await;
    }
    let stats = proxy.stats();
    assert_eq!((stats.in_flight, proxy.in_flight("a")), (1, 1));
    check_balance(&stats);
    drop(tcp);
    let stats = until(&proxy, "over", |s| s.in_flight == 0).await;
    assert_eq!((stats.completed, stats.failed, proxy.in_flight("a")), (1, 0, 0));
}

#[tokio::test]
async fn a_silent_tunnel_is_closed() {
    let deadlines = Deadlines { tunnel_idle: Duration::from_secs(1), ..Deadlines::default() };
    let config = ProxyConfig { deadlines, ..one_worker() };
    let proxy = foresail_proxy::Proxy::start(config, vec![endpoint("a", shouting().await)]).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n").await.unwrap();
    assert!(read_all(&mut tcp).await.ends_with("HI"));
    until(&proxy, "over", |s| s.in_flight == 0 && s.connections == 0).await;
}

/// An upgrade that is declined leaves an ordinary connection, but nothing that was sent on trust is taken as a request.
#[tokio::test]
async fn a_declined_upgrade_smuggles_nothing() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n";
    tcp.write_all(ask).await.unwrap();
    assert_eq!(status(&read_answer(&mut tcp).await), 200);
    tcp.write_all(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_answer(&mut tcp).await), 200);
    let both = [&ask[..], b"GET /smuggled HTTP/1.1\nHost: a\n\n"].concat();
    tcp.write_all(&both).await.unwrap();
    let rest = read_all(&mut tcp).await;
    assert!(rest.to_ascii_lowercase().contains("connection: close"), "{rest}");
    assert_eq!(upstream.asked().iter().map(|a| a.target.as_str()).collect::<Vec<_>>(), ["/", "/next", "/"]);
    // HTTP/2 by upgrade is not offered, and asking for it does no harm.
    let answer =
        exchange(&proxy, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    assert!(!upstream.asked()[3].headers.contains_key("upgrade"));
}

fn proxy_header(source: [u8; 4], port: u16) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    bytes.extend(source);
    bytes.extend([127, 0, 0, 1]);
    bytes.extend(port.to_be_bytes());
    bytes.extend(80_u16.to_be_bytes());
    bytes
}

#[tokio::test]
async fn the_proxy_protocol_tells_the_client_if_the_peer_is_trusted() {
    let upstream = Upstream::start("a").await;
    let mut config = one_worker();
    config.listen[0].proxy_protocol = true;
    let stranger = start(config.clone(), &[&upstream]);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let bytes = [&proxy_header([1, 2, 3, 4], 999)[..], request].concat();
    assert_eq!(exchange(&stranger, &bytes).await, "");
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let proxy = start(config, &[&upstream]);
    assert_eq!(status(&exchange(&proxy, &bytes).await), 200);
    assert_eq!(upstream.asked()[0].headers["x-forwarded-for"], "1.2.3.4");
    // Without the header there is no service.
    assert_eq!(exchange(&proxy, request).await, "");
}

#[tokio::test]
async fn trusted_peers_are_believed_and_traces_passed_on() {
    let upstream = Upstream::start("a").await;
    let mut config = one_worker();
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let proxy = start(config, &[&upstream]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = exchange(
        &proxy,
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n\
             X-Request-Id: mine-1\r\nTraceparent: {trace}\r\nTracestate: a=b\r\n\r\n"
        ),
    )
    .await;
    assert!(answer.contains("x-request-id: mine-1"), "{answer}");
    let headers = &upstream.asked()[0].headers;
    assert_eq!(headers["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!((&headers["traceparent"], &headers["tracestate"]), (&trace.parse().unwrap(), &"a=b".parse().unwrap()));
}

#[tokio::test]
async fn the_access_log_has_a_line_per_request() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("a").await;
    for format in [LogFormat::Json, LogFormat::Combined] {
        let path = folder.path().join(format!("{format:?}.log"));
        let access_log = Some(AccessLog { path: path.clone(), format, buffer: 1000 });
        let proxy = start(ProxyConfig { access_log, ..one_worker() }, &[&upstream]);
        for i in 0..20 {
            get(&proxy, &format!("/page/{i}?q=1")).await;
        }
        get(&proxy, "/status/503").await;
        tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE)).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 21, "{text}");
        if format == LogFormat::Json {
            let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!(
                (&last["status"], &last["outcome"], &last["endpoint"]),
                (&503.into(), &"failed".into(), &"a".into())
            );
            assert!(last["total_ms"].as_f64().unwrap() >= last["first_byte_ms"].as_f64().unwrap());
        } else {
            assert!(text.starts_with("127.0.0.1 - - ["), "{text}");
        }
    }
}
