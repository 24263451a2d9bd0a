//! The client against hosts that behave, and hosts that do not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers included")]

mod tls;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use foresail_http::{Auth, Client, ClientOptions, Endpoint, Error, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What a host does with one connection once it has read the request's head.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Says this and closes.
    Says(&'static str),
    /// Says this, then nothing, and keeps the connection.
    Stalls(&'static str),
    /// Says this, then the letter x for ever.
    Floods(&'static str),
}

/// Reads up to the end of a request's head, and as much of the body as came with it.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "the request ends within its head");
        head.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(head).unwrap()
}

/// A host that behaves so; the requests it reads come out of the channel.
async fn host(behaviour: Behaviour) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let requests = requests.clone();
            tokio::spawn(async move {
                requests.send(read_head(&mut stream).await).unwrap();
                match behaviour {
                    Behaviour::Says(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                    Behaviour::Stalls(text) => {
                        stream.write_all(text.as_bytes()).await.unwrap();
                        std::future::pending::<()>().await;
                    }
                    Behaviour::Floods(text) => {
                        stream.write_all(text.as_bytes()).await.unwrap();
                        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                    }
                }
            });
        }
    });
    (address, seen)
}

fn options() -> ClientOptions {
    ClientOptions { timeout: Duration::from_millis(400), max_bytes: 100_000, ..ClientOptions::default() }
}

async fn get(behaviour: Behaviour) -> Result<foresail_http::Response, Error> {
    let (address, _seen) = host(behaviour).await;
    let endpoint = Endpoint::parse(&format!("http://{address}/x")).unwrap();
    Client::new(&options()).unwrap().get(&endpoint).await
}

#[tokio::test]
async fn answers_of_any_status_come_back_whole() {
    for (text, status, body, transient) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", false),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", false),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone", 404, "none", false),
        ("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy", 503, "busy", true),
    ] {
        let response = get(Behaviour::Says(text)).await.unwrap();
        assert_eq!((response.status, response.body.as_ref()), (status, body.as_bytes()), "{text}");
        assert_eq!((response.is_transient(), response.is_success()), (transient, status < 300));
        assert_eq!(response.retry_after, (status == 503).then_some(Duration::from_secs(7)));
    }
}

#[tokio::test]
async fn a_request_says_who_asks_and_for_what() {
    let (address, mut seen) = host(Behaviour::Says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let endpoint = Endpoint::parse(&format!("http://{address}/base/")).unwrap();
    let auth = Auth::Basic { user: "me".to_owned(), password: "secret".to_owned().into() };
    let client = Client::new(&ClientOptions { auth, ..options() }).unwrap();
    client.get(&endpoint.with_query("/q", &[("a", "b c")])).await.unwrap();
    let head = seen.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /base/q?a=b%20c http/1.1\r\n"), "{head}");
    for line in [format!("host: {address}"), "authorization: basic bwu6c2vjcmv0".to_owned()] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    client.post_json(&endpoint, &[("x-signature", "abc")], "{}").await.unwrap();
    let head = seen.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /base/ http/1.1\r\n") && head.contains("\r\ncontent-length: 2\r\n"), "{head}");
    assert!(head.contains("\r\nx-signature: abc\r\n") && head.contains("\r\ncontent-type: application/json\r\n"));
    let refused = client.post_json(&endpoint, &[("x-signature", "a\r\nb: c")], "{}").await.unwrap_err();
    assert!(matches!(refused, Error::BadOption { .. }) && !refused.is_transient());
}

#[tokio::test]
async fn hosts_that_are_slow_or_endless_are_left() {
    for (behaviour, expected) in [
        (Behaviour::Stalls(""), "no answer from 127.0.0.1 within 400ms"),
        (Behaviour::Stalls("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"), "no answer from 127.0.0.1 within 400ms"),
        (Behaviour::Floods("HTTP/1.1 200 OK\r\n\r\n"), "the answer of 127.0.0.1 is longer than 100000 bytes"),
        (
            Behaviour::Floods("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"),
            "the answer of 127.0.0.1 is longer than 100000 bytes",
        ),
    ] {
        let error = get(behaviour).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.is_transient(), matches!(error, Error::TimedOut { stage: Stage::Answer, .. }));
    }
}

#[tokio::test]
async fn broken_answers_are_errors_that_say_whether_another_may_do() {
    for (text, transient) in [
        ("", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", false),
        ("SSH-2.0-OpenSSH_9\r\n", false),
        ("HTTP/1.1 200 OK\r\nbad header\r\n\r\n", false),
    ] {
        let error = get(Behaviour::Says(text)).await.unwrap_err();
        assert!(matches!(error, Error::Exchange { .. }), "{text:?}: {error:?}");
        if !text.contains("chunked") {
            assert_eq!(error.is_transient(), transient, "{text:?}: {error}");
        }
    }
    let error = get(Behaviour::Floods("HTTP/1.1 200 OK\r\nx: ")).await.unwrap_err();
    assert!(matches!(error, Error::Exchange { .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_refused_and_says_where_to() {
    let text = "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/login\r\ncontent-length: 0\r\n\r\n";
    let error = get(Behaviour::Says(text)).await.unwrap_err();
    assert!(error.to_string().contains("302 and sends to \"http://elsewhere.example/login\""), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn nobody_there_is_a_passing_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let endpoint = Endpoint::parse(&format!("http://{address}/")).unwrap();
    let error = Client::new(&options()).unwrap().get(&endpoint).await.unwrap_err();
    assert!(error.is_transient());
    assert!(matches!(error, Error::Connect { source, .. } if source.kind() == ErrorKind::ConnectionRefused));
}
