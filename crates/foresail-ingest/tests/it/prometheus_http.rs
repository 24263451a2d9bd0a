//! A Prometheus that answers as the documentation says, or badly, asked over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foresail_core::Timestamp;
use foresail_ingest::{Auth, Error, PrometheusHttp, PrometheusOptions, ReadOptions};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const STEP: Duration = Duration::from_secs(15);
const NOON: i64 = 1_772_366_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOON + seconds)
}

/// A request as the fake sees it.
pub(crate) struct Asked {
    pub(crate) path: String,
    query: Vec<(String, String)>,
    authorization: Option<String>,
}

impl Asked {
    fn of(request: &Request<Incoming>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let decode = |text: &str| {
            let mut bytes = Vec::new();
            let mut rest = text.as_bytes();
            while let [first, tail @ ..] = rest {
                let hex = |t: &[u8]| u8::from_str_radix(std::str::from_utf8(&t[..2]).unwrap(), 16).unwrap();
                (bytes, rest) = match first {
                    b'%' => ([bytes, vec![hex(tail)]].concat(), &tail[2..]),
                    _ => ([bytes, vec![*first]].concat(), tail),
                };
            }
            String::from_utf8(bytes).unwrap()
        };
        let pairs = query.split('&').filter_map(|p| p.split_once('='));
        Self {
            path: request.uri().path().to_owned(),
            query: pairs.map(|(k, v)| (decode(k), decode(v))).collect(),
            authorization: request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned()),
        }
    }

    fn text(&self, name: &str) -> &str {
        &self.query.iter().find(|(k, _)| k == name).unwrap().1
    }

    fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap()
    }
}

pub(crate) type Answer = Response<Full<Bytes>>;

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

/// A host that answers as `handle` says.
pub(crate) async fn host(handle: impl Fn(Asked) -> Option<Answer> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handle = Arc::new(handle);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handle = Arc::clone(&handle);
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = handle(Asked::of(&request));
                async move {
                    match answer {
                        Some(answer) => Ok::<_, Infallible>(answer),
                        None => std::future::pending().await,
                    }
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

fn source(address: SocketAddr) -> PrometheusHttp {
    PrometheusHttp::new(options(address)).unwrap()
}

fn options(address: SocketAddr) -> PrometheusOptions {
    PrometheusOptions {
        timeout: Duration::from_millis(500),
        max_bytes: 4 << 20,
        ..PrometheusOptions::new(format!("http://{address}/prom/"))
    }
}

/// A matrix of one or two series whose value at `t` is `t` (or twice that) since noon; the second begins late.
fn matrix(asked: &Asked, second_from: Option<f64>) -> Answer {
    let (start, end, step) = (asked.number("start"), asked.number("end"), asked.number("step"));
    let points = ((end - start) / step).round() as usize + 1;
    if points > 11_000 {
        return answer(400, r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}"#);
    }
    let times = || (0..points).map(|i| start + step * i as f64);
    let values = |factor: f64, from: f64| {
        let values = times().filter(|t| *t >= from).map(|t| format!("[{t},\"{}\"]", factor * (t - NOON as f64)));
        values.collect::<Vec<_>>().join(",")
    };
    let mut series = vec![format!(r#"{{"metric":{{"pod":"a"}},"values":[{}]}}"#, values(1.0, f64::MIN))];
    if let Some(from) = second_from.filter(|from| end >= *from) {
        series.push(format!(r#"{{"metric":{{"pod":"b"}},"values":[{}]}}"#, values(2.0, from)));
    }
    let series = series.join(",");
    answer(200, format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#))
}

#[tokio::test]
async fn a_long_span_is_asked_for_in_pieces_and_joined() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let second = NOON as f64 + 15.0 * 12_000.0;
    let address = host(move |request| {
        assert_eq!(request.path, "/prom/api/v1/query_range");
        let span = (request.number("start"), request.number("end"));
        log.lock().unwrap().push((request.text("query").to_owned(), span));
        Some(matrix(&request, Some(second)))
    })
    .await;
    let query = "sum by (pod) (rate(requests_total{job=\"shop\"}[1m])) + 0 > -1";
    let rows = 25_000;
    let span = (at(7), at(15 * rows));
    let got = source(address).backfill(query, span, STEP, at(15 * rows + 31), &ReadOptions::default()).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!((asked.len(), got.requests), (3, 3));
    assert!(asked.iter().all(|(q, _)| q == query));
    assert_eq!(asked[0].1, (NOON as f64 + 15.0, NOON as f64 + 15.0 * 11_000.0));
    assert_eq!(asked[1].1.0, NOON as f64 + 15.0 * 11_001.0);
    assert_eq!(asked[2].1.1, NOON as f64 + 15.0 * rows as f64);
    // The value at the end of a row is the row's.
    let frame = &got.ingested.frame;
    assert_eq!((frame.start(), frame.len(), frame.step()), (at(0), rows as usize, STEP));
    let (a, b) = (frame.column("pod=a").unwrap(), frame.column("pod=b").unwrap());
    assert_eq!((a.get(0), a.get(24_999)), (Some(15.0), Some(15.0 * 25_000.0)));
    assert_eq!((b.get(11_998), b.get(11_999)), (None, Some(30.0 * 12_000.0)));
    assert_eq!(got.ingested.quality.missing_rows, 0);
}

#[tokio::test]
async fn nothing_younger_than_the_delay_is_asked_for() {
    let address = host(|request| {
        assert!(request.number("end") <= NOON as f64 + 60.0);
        Some(matrix(&request, None))
    })
    .await;
    let source = source(address);
    let options = ReadOptions::default();
    let got = source.backfill("up", (at(0), at(9_999)), STEP, at(104), &options).await.unwrap();
    assert_eq!(got.ingested.frame.end(), at(60));
    let none = source.backfill("up", (at(100), at(9_999)), STEP, at(104), &options).await.unwrap_err();
    assert!(matches!(none, Error::NoData { .. }));
}

#[tokio::test]
async fn the_newest_complete_value_is_one_series_at_the_settled_time() {
    let address = host(|request| {
        assert_eq!(request.path, "/prom/api/v1/query");
        assert_eq!(request.authorization.as_deref(), Some("Bearer letmein"));
        let time = request.number("time");
        let vector =
            |result: &str| format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#);
        let body = match request.text("query") {
            "one" => vector(&format!(r#"{{"metric":{{}},"value":[{time},"12.5"]}}"#)),
            "scalar" => format!(r#"{{"status":"success","data":{{"resultType":"scalar","result":[{time},"3"]}}}}"#),
            "none" => vector(""),
            "nan" => vector(&format!(r#"{{"metric":{{}},"value":[{time},"NaN"]}}"#)),
            "young" => vector(&format!(r#"{{"metric":{{}},"value":[{},"1"]}}"#, time + 1.0)),
            "old" => vector(&format!(r#"{{"metric":{{}},"value":[{},"1"]}}"#, time - 60.0)),
            "two" => vector(&format!(
                r#"{{"metric":{{"a":"1"}},"value":[{time},"1"]}},{{"metric":{{"a":"2"}},"value":[{time},"1"]}}"#
            )),
            _ => r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned(),
        };
        Some(answer(200, body))
    })
    .await;
    let auth = Auth::Bearer("letmein".to_owned().into());
    let source = PrometheusHttp::new(PrometheusOptions { auth, ..options(address) }).unwrap();
    let ask = async |query: &str, since: Option<Timestamp>| {
        let newest = source.newest(query, STEP, since, at(104)).await;
        newest.map(|n| n.map(|n| (n.time, n.value))).map_err(|e| (e.is_transient(), e.to_string()))
    };
    assert_eq!(ask("one", None).await, Ok(Some((at(60), 12.5))));
    assert_eq!(ask("scalar", Some(at(45))).await, Ok(Some((at(60), 3.0))));
    assert_eq!(ask("one", Some(at(60))).await, Ok(None));
    assert_eq!(ask("old", Some(at(45))).await, Ok(None));
    for (query, transient, said) in [
        ("none", true, "no data for \"none\" at 2026-03-01T12:01:00Z"),
        ("nan", true, "no data for \"nan\""),
        ("two", false, "2 series for \"two\"; expected one (join them, as with sum())"),
        ("young", false, "where one of 2026-03-01T12:01:00Z at the latest was asked for"),
        ("range[5m]", false, "the result is a \"matrix\"; expected a successful query answer"),
    ] {
        let (is_transient, error) = ask(query, None).await.unwrap_err();
        assert!(error.contains(said) && is_transient == transient, "{query}: {error}");
    }
}

#[tokio::test]
async fn refusals_say_why_and_whether_to_try_again() {
    let address = host(|request| {
        let error = |kind: &str, text: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"{text}"}}"#);
        let with_wait = |status: u16, body: String| {
            Response::builder().status(status).header("retry-after", "9").body(Full::new(body.into())).unwrap()
        };
        Some(match request.text("query") {
            "bad" => answer(400, error("bad_data", "1:4: parse error")),
            "heavy" => answer(422, error("execution", "too many samples")),
            "late" => answer(503, error("timeout", "query timed out in expression evaluation")),
            "calm" => with_wait(429, "slow down".to_owned()),
            "away" => with_wait(503, String::new()),
            "soft" => answer(200, error("unavailable", "starting")),
            "login" => answer(401, "<html>who\nare you</html>"),
            "moved" => {
                Response::builder().status(301).header("location", "/x").body(Full::default()).unwrap()
            }
            "warned" => answer(
                200,
                r#"{"status":"success","warnings":["store 3 did not answer"],"data":{"resultType":"matrix","result":[]}}"#,
            ),
            "mixed" => answer(
                200,
                r#"{"status":"success","warnings":["PromQL warning: mixed"],"data":{"resultType":"matrix","result":[]}}"#,
            ),
            "empty" => answer(200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
            "html" => answer(200, "<html>hello</html>"),
            "cut" => answer(200, r#"{"status":"success","data":{"resultType":"matrix","result":[{"met"#),
            "odd" => answer(
                200,
                r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"x"]]}]}}"#,
            ),
            "huge" => answer(200, vec![b' '; 5 << 20]),
            "silent" => return None,
            other => unreachable!("{other}"),
        })
    })
    .await;
    let source = source(address);
    let url = format!("http://{address}/prom/api/v1/query_range");
    for (query, transient, wait, said) in [
        ("bad", false, None, format!("{url} answers 400 (bad_data): 1:4: parse error")),
        ("heavy", false, None, format!("{url} answers 422 (execution): too many samples")),
        ("late", true, None, format!("{url} answers 503 (timeout): query timed out")),
        ("calm", true, Some(9), format!("{url} answers 429: slow down")),
        ("away", true, Some(9), format!("{url} answers 503: ")),
        ("soft", true, None, format!("{url} answers 200 (unavailable): starting")),
        ("login", false, None, format!("{url} answers 401: <html>who are you</html>")),
        ("moved", false, None, "answers 301 and sends to \"/x\"".to_owned()),
        ("warned", true, None, "so the answer may be partial: store 3 did not answer".to_owned()),
        ("mixed", false, None, "may be partial: PromQL warning: mixed".to_owned()),
        ("empty", true, None, "no data for \"empty\" from 2026-03-01T12:00:00Z to 2026-03-01T12:05:00Z".to_owned()),
        ("html", false, None, "expected a successful query_range answer".to_owned()),
        ("cut", false, None, "EOF while parsing".to_owned()),
        ("odd", false, None, "\"x\" is not a number in quotes".to_owned()),
        ("huge", false, None, "longer than 4194304 bytes".to_owned()),
        ("silent", true, None, "no answer from 127.0.0.1 within 500ms".to_owned()),
    ] {
        let options = ReadOptions::default();
        let error = source.backfill(query, (at(0), at(300)), STEP, at(9_999), &options).await.unwrap_err();
        assert!(error.to_string().contains(&said), "{query}: {error}");
        assert_eq!(error.is_transient(), transient, "{query}: {error}");
        assert_eq!(error.retry_after(), wait.map(Duration::from_secs), "{query}");
    }
}

#[tokio::test]
async fn partial_answers_are_taken_where_that_is_accepted() {
    let address = host(|_| {
        let body = r#"{"status":"success","warnings":["w"],"data":{"resultType":"matrix","result":[
            {"metric":{},"values":[[1772366415,"1"],[1772366430,"2"]]}]}}"#;
        Some(answer(200, body))
    })
    .await;
    let source = PrometheusHttp::new(PrometheusOptions { accept_partial: true, ..options(address) }).unwrap();
    let got = source.backfill("up", (at(0), at(30)), STEP, at(999), &ReadOptions::default()).await.unwrap();
    assert_eq!((got.warnings, got.ingested.frame.target()), (vec!["w".to_owned()], &[1.0, 2.0][..]));
}

#[tokio::test]
async fn spans_and_addresses_that_cannot_be_are_refused_before_asking() {
    let nowhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let source = source(nowhere);
    let options = ReadOptions::default();
    let long = source.backfill("up", (at(0), at(15 * 11_000 * 501)), STEP, at(i64::MAX / 9_000_000), &options).await;
    assert!(matches!(long, Err(Error::BadOption { option: "span", .. })));
    let odd = Duration::from_micros(1);
    assert!(matches!(source.newest("up", odd, None, at(0)).await, Err(Error::BadOption { option: "step", .. })));
    assert!(PrometheusHttp::new(PrometheusOptions::new("prometheus:9090")).is_err());
}
