//! A corpus of ambiguous requests: each is refused, and nothing of it reaches an endpoint.

use crate::support::*;

/// Name, bytes, expected status.
fn corpus() -> Vec<(&'static str, String, u16)> {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}{smuggled}");
    let raw = |head: &str| format!("{head}{smuggled}");
    let chunked = "Transfer-Encoding: chunked";
    vec![
        ("cl.te", post("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nX"), 400),
        ("te.cl", post("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"), 400),
        ("two lengths", post("Content-Length: 0\r\nContent-Length: 44", ""), 400),
        ("two equal lengths", post("Content-Length: 2\r\nContent-Length: 2", "hi"), 400),
        ("list of lengths", post("Content-Length: 2, 2", "hi"), 400),
        ("signed length", post("Content-Length: +2", "hi"), 400),
        ("hexadecimal length", post("Content-Length: 0x2", "hi"), 400),
        ("negative length", post("Content-Length: -1", ""), 400),
        ("spaced length", post("Content-Length: 2 2", "hi"), 400),
        ("empty length", post("Content-Length: ", ""), 400),
        ("huge length", post("Content-Length: 18446744073709551617", ""), 400),
        ("unknown coding", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), 400),
        ("coding list", post("Transfer-Encoding: identity, chunked", "0\r\n\r\n"), 400),
        ("chunked not last", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), 400),
        ("two codings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400),
        ("quoted coding", post("Transfer-Encoding: \"chunked\"", "0\r\n\r\n"), 400),
        ("vertical tab", post("Transfer-Encoding:\x0bchunked", "0\r\n\r\n"), 400),
        ("space before colon", post("Transfer-Encoding : chunked", "0\r\n\r\n"), 400),
        ("length space colon", post("Content-Length : 5", "hello"), 400),
        ("obs-fold", post("X-A: b\r\n Content-Length: 5", "hello"), 400),
        ("folded coding", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"), 400),
        ("leading space", post(" Content-Length: 5", "hello"), 400),
        ("nul in value", post("X-A: b\0c", ""), 400),
        ("bare cr in value", post("X-A: b\rContent-Length: 5", "hello"), 400),
        ("bare lf in head", post("X-A: b\nContent-Length: 5", "hello"), 400),
        ("bare lf everywhere", raw("GET / HTTP/1.1\nHost: a\n\n"), 400),
        ("lf ends head", raw("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400),
        ("no colon", post("Content-Length 5", "hello"), 400),
        ("empty name", post(": 5", "hello"), 400),
        ("coding in 1.0", raw("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        ("two hosts", raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400),
        ("two equal hosts", raw("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400),
        ("no host", raw("GET / HTTP/1.1\r\n\r\n"), 400),
        ("empty host", raw("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400),
        ("host with path", raw("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400),
        ("host with user", raw("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400),
        ("absolute-form mismatch", raw("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("absolute-form user", raw("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("connect", raw("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 501),
        ("version", raw("GET / HTTP/1.3\r\nHost: a\r\n\r\n"), 505),
        ("version 0.9", raw("GET /\r\n\r\n"), 400),
        ("space in target", raw("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("fragment in target", raw("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("quote in target", raw("GET /a?\"b HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("method that is none", raw("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("tab in request line", raw("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("two empty lines first", raw("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        ("chunk size sign", post(chunked, "+5\r\nhello\r\n0\r\n\r\n"), 400),
        ("chunk size 0x", post(chunked, "0x5\r\nhello\r\n0\r\n\r\n"), 400),
        ("chunk size overflow", post(chunked, "10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
        ("chunk size space", post(chunked, "5 \r\nhello\r\n0\r\n\r\n"), 400),
        ("chunk bare lf", post(chunked, "5\nhello\r\n0\r\n\r\n"), 400),
        ("chunk end bare lf", post(chunked, "5\r\nhello\n0\r\n\r\n"), 400),
        ("chunk longer than said", post(chunked, "3\r\nhello\r\n0\r\n\r\n"), 400),
        ("lf in chunk extension", post(chunked, "5;a\nb\r\nhello\r\n0\r\n\r\n"), 400),
        ("endless chunk extension", post(chunked, &format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(5000))), 400),
        ("folded trailer", post(chunked, "0\r\nX: y\r\n z\r\n\r\n"), 400),
        ("bare lf trailer", post(chunked, "0\r\nX: y\n\r\n"), 400),
    ]
}

#[tokio::test]
async fn nothing_ambiguous_reaches_an_endpoint() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    for (name, bytes, expected) in corpus() {
        let answer = exchange(&proxy, &bytes).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        assert!(answer.contains("request_id"), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name} was answered more than once: {answer}");
    }
    // Bodies that broke off may have begun to reach the endpoint; no whole request, and none of another name.
    assert!(upstream.asked().is_empty(), "{:?}", upstream.asked());
    let stats = until(&proxy, "over", |s| s.in_flight == 0).await;
    check_balance(&stats);
    assert_eq!((stats.endpoints[0].failed, stats.failed), (0, 0), "endpoints are not blamed for clients");
}

/// The same, cut into single bytes: it makes no difference how they arrive.
#[tokio::test]
async fn nor_byte_by_byte() {
    use tokio::io::AsyncWriteExt;
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    for (name, bytes, expected) in corpus().into_iter().filter(|(_, bytes, _)| bytes.len() < 400) {
        let mut tcp = tokio::net::TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        for byte in bytes.as_bytes() {
            if tcp.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let answer = read_all(&mut tcp).await;
        assert!(status(&answer) == expected || answer.is_empty(), "{name}: {answer}");
    }
    assert!(upstream.asked().is_empty(), "{:?}", upstream.asked());
}

/// What is sound passes, also what looks unusual.
#[tokio::test]
async fn the_unusual_but_sound_passes() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    let close = "Connection: close\r\n";
    for (name, bytes) in [
        ("absolute-form", format!("GET http://a/x HTTP/1.1\r\nHost: a\r\n{close}\r\n")),
        (
            "chunk extensions",
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\n{close}Transfer-Encoding: chunked\r\n\r\n5;a=\"b\";c\r\nhello\r\n0;d\r\n\r\n"
            ),
        ),
        (
            "coding in capitals",
            format!("POST / HTTP/1.1\r\nHost: a\r\n{close}TRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n"),
        ),
        ("empty line first", format!("\r\nGET / HTTP/1.1\r\nHost: a\r\n{close}\r\n")),
        ("latin-1 value", format!("GET / HTTP/1.1\r\nHost: a\r\n{close}X: \u{fc}\r\n\r\n")),
        ("options *", format!("OPTIONS * HTTP/1.1\r\nHost: a\r\n{close}\r\n")),
        ("own method", format!("PURGE /x HTTP/1.1\r\nHost: a\r\n{close}\r\n")),
        ("ipv6 host", format!("GET / HTTP/1.1\r\nHost: [::1]:80\r\n{close}\r\n")),
    ] {
        let answer = exchange(&proxy, &bytes).await;
        assert_eq!(status(&answer), 200, "{name}: {answer}");
    }
}
