//! Spans on their way to a collector.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use foresail_proxy::{HeaderText, OtlpConfig, Proxy, ProxyConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Takes deliveries; answers the first ones as scripted, the rest with 200.
struct Collector {
    endpoint: String,
    /// Heads and bodies.
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    async fn start(script: Vec<&'static str>) -> Self {
        let taken: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let kept = Arc::clone(&taken);
        let address = raw_upstream(move |mut tcp, number| {
            let (kept, answer) = (Arc::clone(&kept), script.get(number).copied());
            async move {
                let head = read_head(&mut tcp).await.unwrap();
                let length =
                    head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap()];
                tcp.read_exact(&mut body).await.unwrap();
                kept.lock().unwrap().push((head, serde_json::from_slice(&body).unwrap()));
                let answer = answer.unwrap_or("200 OK\r\ncontent-length: 2\r\n\r\n{}");
                tcp.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
            }
        })
        .await;
        Self { endpoint: format!("http://{address}"), taken }
    }

    /// Every span of every delivery.
    fn spans(&self) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        let of = |body: &Value| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        taken.iter().flat_map(|(_, body)| of(body)).collect()
    }
}

fn otlp(endpoint: &str) -> OtlpConfig {
    OtlpConfig { sample: 1.0, delay: Duration::from_millis(10), ..OtlpConfig::new(endpoint) }
}

fn traced(otlp: OtlpConfig) -> ProxyConfig {
    ProxyConfig { otlp: Some(otlp), ..one_worker() }
}

async fn get_in_trace(proxy: &Proxy, path: &str, flags: &str) -> String {
    let parent = format!("Traceparent: 00-{TRACE}-{CALLER}-{flags}\r\nTracestate: a=b");
    exchange(proxy, format!("GET {path} HTTP/1.1\r\nHost: shop:81\r\nConnection: close\r\n{parent}\r\n\r\n")).await
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|a| a["key"] == key);
    found.map_or(&Value::Null, |a| a["value"].as_object().unwrap().values().next().unwrap())
}

#[tokio::test]
async fn spans_stand_between_caller_and_endpoint() {
    let (collector, upstream) = (Collector::start(Vec::new()).await, Upstream::start("a").await);
    let mut settings = otlp(&collector.endpoint);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "s3cret\n").unwrap();
    settings.headers.insert("x-tenant".to_owned(), HeaderText::Plain("shop".to_owned()));
    settings.headers.insert("authorization".to_owned(), HeaderText::Secret { file: folder.path().join("key") });
    let proxy = start(traced(settings), &[&upstream]);
    assert_eq!(status(&get_in_trace(&proxy, "/first?q=1", "01").await), 200);
    assert_eq!(status(&get_in_trace(&proxy, "/unrecorded", "00").await), 200);
    assert_eq!(status(&get(&proxy, "/status/503").await), 503);
    let stats = until(&proxy, "exported", |s| s.spans_exported == 2).await;
    assert_eq!((stats.spans_dropped, stats.spans_failed), (0, 0));

    let asked = upstream.asked();
    let told = |i: usize| asked[i].headers["traceparent"].to_str().unwrap().split('-').collect::<Vec<_>>();
    let spans = collector.spans();
    assert_eq!((&spans[0]["traceId"], &spans[0]["parentSpanId"]), (&TRACE.into(), &CALLER.into()));
    // The endpoint's own spans will be children of ours.
    assert_eq!(told(0), ["00", TRACE, spans[0]["spanId"].as_str().unwrap(), "01"]);
    assert_eq!(asked[0].headers["tracestate"], "a=b");
    assert_eq!(attribute(&spans[0], "url.path"), "/first");
    assert_eq!(attribute(&spans[0], "http.response.status_code"), "200");
    assert_eq!(
        (attribute(&spans[0], "server.address"), attribute(&spans[0], "server.port")),
        (&"shop".into(), &"81".into())
    );
    assert_eq!(attribute(&spans[0], "foresail.endpoint"), "a");
    let nanos = |key: &str| spans[0][key].as_str().unwrap().parse::<u64>().unwrap();
    assert!(nanos("endTimeUnixNano") > nanos("startTimeUnixNano"));
    assert!(attribute(&spans[0], "foresail.upstream_first_byte_ms").as_f64().unwrap() > 0.0);
    // One that the caller does not record goes on unrecorded, and still names our span.
    assert_eq!((told(1)[1], told(1)[3]), (TRACE, "00"));
    assert_ne!(told(1)[2], CALLER);
    // Without a caller it is a root, and failures are errors. It was sent twice.
    assert_eq!(told(2)[1..3], [spans[1]["traceId"].as_str().unwrap(), spans[1]["spanId"].as_str().unwrap()]);
    assert_eq!((&spans[1]["parentSpanId"], &spans[1]["status"]["code"]), (&Value::Null, &2.into()));
    assert_eq!(
        (attribute(&spans[1], "error.type"), attribute(&spans[1], "foresail.retries")),
        (&"503".into(), &"1".into())
    );

    let (head, body) = collector.taken.lock().unwrap()[0].clone();
    let head = head.to_ascii_lowercase();
    for line in
        ["post /v1/traces http/1.1", "content-type: application/json", "x-tenant: shop", "authorization: s3cret"]
    {
        assert!(head.contains(line), "{line} not in {head}");
    }
    assert_eq!(attribute(&body["resourceSpans"][0]["resource"], "service.name"), "foresail");
}

#[tokio::test]
async fn the_ratio_decides_for_roots_and_can_change() {
    let (collector, upstream) = (Collector::start(Vec::new()).await, Upstream::start("a").await);
    let settings = OtlpConfig { sample: 0.0, ..otlp(&collector.endpoint) };
    let proxy = start(traced(settings.clone()), &[&upstream]);
    get(&proxy, "/none").await;
    proxy.reload(traced(OtlpConfig { sample: 1.0, ..settings.clone() })).unwrap();
    get(&proxy, "/one").await;
    let refused = proxy.reload(traced(OtlpConfig { batch: 7, ..settings }));
    assert_eq!(refused.unwrap_err().to_string(), "otlp cannot change without a restart");
    until(&proxy, "exported", |s| s.spans_exported == 1).await;
    assert_eq!(attribute(&collector.spans()[0], "url.path"), "/one");
    assert!(upstream.asked()[0].headers["traceparent"].to_str().unwrap().ends_with("-02"));
}

/// A busy collector is asked again when it wants to be; one that refuses is not.
#[tokio::test]
async fn deliveries_are_repeated_where_that_helps() {
    let script = vec![
        "503 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        "200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "400 No\r\nContent-Length: 0\r\n\r\n",
        "200 OK\r\nContent-Length: 40\r\n\r\n{\"partialSuccess\":{\"rejectedSpans\":\"1\"}}",
    ];
    let (collector, upstream) = (Collector::start(script).await, Upstream::start("a").await);
    let proxy = start(traced(otlp(&collector.endpoint)), &[&upstream]);
    let begin = Instant::now();
    get(&proxy, "/again").await;
    until(&proxy, "exported", |s| s.spans_exported == 1).await;
    assert!(begin.elapsed() >= Duration::from_secs(1));
    get(&proxy, "/refused").await;
    until(&proxy, "failed", |s| s.spans_failed == 1).await;
    get(&proxy, "/rejected").await;
    let stats = until(&proxy, "rejected", |s| s.spans_failed == 2).await;
    assert_eq!((stats.spans_exported, stats.spans_dropped), (1, 0));
    let paths: Vec<String> =
        collector.spans().iter().map(|s| attribute(s, "url.path").as_str().unwrap().to_owned()).collect();
    assert_eq!(paths, ["/again", "/again", "/refused", "/rejected"]);
}

/// A collector that takes connections and never answers: requests do not notice, and what does not fit is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_collector_costs_requests_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::start("a").await;
    let settings = OtlpConfig { queue: 16, batch: 8, ..otlp(&format!("http://{}", silent.local_addr().unwrap())) };
    let proxy = start(traced(settings), &[&upstream]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    for _ in 0..200 {
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert_eq!(status(&read_answer(&mut tcp).await), 200);
    }
    // 8 are on their way and 16 wait.
    let stats = until(&proxy, "over", |s| s.completed == 200).await;
    assert!((176..=184).contains(&stats.spans_dropped), "{stats:?}");
    assert_eq!((stats.spans_exported, stats.late), (0, 0));
    drop(tcp);
    let begin = Instant::now();
    tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE)).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "the end does not wait for it: {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_sent_at_the_end() {
    let (collector, upstream) = (Collector::start(Vec::new()).await, Upstream::start("a").await);
    let settings = OtlpConfig { delay: Duration::from_secs(60), batch: 2, ..otlp(&collector.endpoint) };
    let proxy = start(traced(settings), &[&upstream]);
    for i in 0..5 {
        get(&proxy, &format!("/{i}")).await;
    }
    let down = tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE));
    timeout(PATIENCE, down).await.unwrap().unwrap();
    assert_eq!(collector.spans().len(), 5);
    assert_eq!(collector.taken.lock().unwrap().len(), 3);
}
