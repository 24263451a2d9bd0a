//! What goes over the wire.

use std::sync::atomic::{AtomicU64, Ordering};

use foresail_http::{Auth, ClientOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// A receiver that gives these answers in turn; what it was sent comes out of the channel, head and body.
async fn receiver(answers: &'static [&'static str]) -> (String, mpsc::UnboundedReceiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sent, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            loop {
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    if body.len() >= length.unwrap_or(0) {
                        sent.send((head.to_owned(), body.to_owned())).unwrap();
                        break;
                    }
                }
                let mut piece = [0; 4_096];
                let read = stream.read(&mut piece).await.unwrap();
                request.extend_from_slice(&piece[..read]);
            }
            stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\nno").as_bytes()).await.unwrap();
        }
    });
    (url, seen)
}

fn leak() -> Alert {
    let mut alert = alert("leak", "heap", Severity::Critical, 7);
    alert.text = "memory grows by 12 MB a minute".to_owned();
    alert.action = Some("restart the oldest copy".to_owned());
    alert.context = [("usual mb/min".to_owned(), 0.5), ("9slope".to_owned(), 12.25)].into();
    alert
}

/// One message about a leak that lasts and one that has ended.
fn message() -> Delivery {
    let ended = Notice { alert: Alert { subject: String::new(), ..leak() }, ended: Some(at(60)) };
    let alerts = vec![Notice { alert: leak(), ended: None }, ended];
    Delivery { id: 4, service: "shop".to_owned(), kind: "leak".to_owned(), alerts, omitted: 0, attempt: 1 }
}

#[tokio::test]
async fn a_webhook_is_sent_signed_json() {
    let (url, mut seen) = receiver(&["204 No Content"]).await;
    let secret: foresail_http::Secret = "0123456789abcdef".to_owned().into();
    let webhook =
        Webhook::new(WebhookOptions { url, secret: Some(secret.clone()), client: ClientOptions::default() }).unwrap();
    webhook.send(at(90), &message()).await.unwrap();
    let (head, body) = seen.recv().await.unwrap();
    let got: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&got["status"], &got["severity"], &got["alerts"][0]),
        (
            &json!("firing"),
            &json!("critical"),
            &json!({
                "service": "shop", "kind": "leak", "subject": "heap", "severity": "critical",
                "text": "memory grows by 12 MB a minute", "action": "restart the oldest copy",
                "context": {"usual mb/min": 0.5, "9slope": 12.25},
                "began": "2026-03-01T12:00:07Z", "ended": null,
            })
        )
    );
    assert_eq!(got["alerts"][1]["ended"], "2026-03-01T12:01:00Z");
    let expected = webhook::signature(&secret, "1772366490", body.as_bytes());
    for line in ["x-foresail-timestamp: 1772366490".to_owned(), format!("x-foresail-signature: {expected}")] {
        assert!(head.to_ascii_lowercase().contains(&line), "{line} in {head}");
    }
    // RFC 4231 has no key of 16 letters; this one is checked against `openssl dgst -sha256 -hmac`.
    let known = webhook::signature(&"0123456789abcdef".to_owned().into(), "1", b"{}");
    assert_eq!(known, "sha256=2af693cb56b22c16912222aeefdc75a01de562bf70ee2015f41ecea48382997f");
}

#[tokio::test]
async fn an_alertmanager_is_sent_its_own_form() {
    let (url, mut seen) = receiver(&["200 OK"]).await;
    let labels = [("cluster".to_owned(), "eu".to_owned())].into();
    let client = ClientOptions { auth: Auth::Bearer("t".to_owned().into()), ..ClientOptions::default() };
    let generator_url = Some("http://127.0.0.1:7878/".to_owned());
    let options = AlertmanagerOptions { labels, client, generator_url, ..AlertmanagerOptions::new(url) };
    Alertmanager::new(options).unwrap().send(at(90), &message()).await.unwrap();
    let (head, body) = seen.recv().await.unwrap();
    assert!(head.starts_with("POST /api/v2/alerts HTTP/1.1"), "{head}");
    let alert = |subject: Option<&str>, ends: &str| {
        let mut labels = json!({"alertname": "leak", "service": "shop", "severity": "critical", "cluster": "eu"});
        if let Some(subject) = subject {
            labels["subject"] = json!(subject);
        }
        let annotations = json!({
            "summary": "memory grows by 12 MB a minute", "action": "restart the oldest copy",
            "usual_mb_min": "0.5", "_9slope": "12.25",
        });
        json!({
            "labels": labels, "annotations": annotations, "startsAt": "2026-03-01T12:00:07Z", "endsAt": ends,
            "generatorURL": "http://127.0.0.1:7878/",
        })
    };
    let expected = json!([alert(Some("heap"), "2026-03-01T12:06:30Z"), alert(None, "2026-03-01T12:01:00Z")]);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let odd = AlertmanagerOptions {
        labels: [("a-b".to_owned(), String::new())].into(),
        ..AlertmanagerOptions::new("http://a")
    };
    assert!(matches!(Alertmanager::new(odd), Err(SendError::BadOption { option: "labels", .. })));
}

#[tokio::test]
async fn a_message_is_repeated_until_its_receiver_takes_it() {
    let (url, mut seen) =
        receiver(&["503 Busy\r\nretry-after: 30", "500 Oops", "302 Found\r\nlocation: /x", "200 OK"]).await;
    let webhook = Webhook::new(WebhookOptions { url, secret: None, client: ClientOptions::default() }).unwrap();
    let mut notifier = Notifier::new(NotifierOptions::default());
    let (seconds, mut rng) = (AtomicU64::new(0), rng());
    let clock = || at(seconds.load(Ordering::Relaxed));
    notifier.raise(clock(), leak());
    assert!(deliver(&mut notifier, &webhook, clock, &mut rng).await.is_empty());
    let mut errors = Vec::new();
    while let Some(due) = notifier.next_due().filter(|_| errors.len() < 4) {
        seconds.store(due.since(at(0)).as_micros().div_ceil(1_000_000) as u64, Ordering::Relaxed);
        let report = deliver(&mut notifier, &webhook, clock, &mut rng).await.pop().unwrap();
        assert!(!seen.recv().await.unwrap().0.contains("x-foresail-signature"));
        errors.push((report.time.since(at(0)).as_secs(), report.error.map(|e| (e.is_transient(), e.to_string()))));
    }
    let text = |n: usize| errors[n].1.as_ref().map(|(transient, text)| (*transient, text.as_str()));
    assert_eq!((errors[0].0, text(0)), (10, Some((true, "the receiver answers 503: no"))));
    assert_eq!((errors[1].0, text(1)), (40, Some((true, "the receiver answers 500: no"))));
    // A redirect does not pass by itself: given up until it is repeated anyway.
    assert!(text(2).unwrap().1.contains("302 and sends to \"/x\"") && !text(2).unwrap().0);
    assert!(errors[3].0 > 4 * 3_600 && text(3).is_none());
    assert_eq!(notifier.counts(), Counts { sent: 1, failed: 3, given_up: 1, dropped: 0 });
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    let options = |secret: &str| WebhookOptions {
        url: "http://a".to_owned(),
        secret: Some(secret.to_owned().into()),
        client: ClientOptions::default(),
    };
    assert!(matches!(Webhook::new(options("short")), Err(SendError::BadOption { option: "secret", .. })));
    assert!(!format!("{:?}", Webhook::new(options("0123456789abcdef")).unwrap()).contains("abcdef"));
}
