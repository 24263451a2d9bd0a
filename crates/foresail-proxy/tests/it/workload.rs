//! What the proxy tells of the work it passes on.

use std::cell::RefCell;

use foresail_proxy::{Proxy, ProxyConfig, Workload};

use crate::support::*;

fn observing() -> ProxyConfig {
    ProxyConfig { fingerprint: true, ..one_worker() }
}

/// Takes until `count` requests have been told of; the parts as they came.
async fn taken(proxy: &Proxy, count: u64) -> Vec<Workload> {
    let parts: RefCell<Vec<Workload>> = RefCell::default();
    until(proxy, "told", |_| {
        parts.borrow_mut().extend(proxy.take_workload());
        parts.borrow().iter().map(|part| part.collector.requests()).sum::<u64>() >= count
    })
    .await;
    parts.into_inner()
}

#[tokio::test]
async fn requests_are_told_of_once_by_kind_outcome_and_size() {
    let upstream = Upstream::start("a").await;
    let proxy = start(observing(), &[&upstream]);
    for i in 0..4 {
        let target = if i == 0 { "/cart/7".to_owned() } else { format!("/item/{i}?x={i}") };
        let head = "Host: shop\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let answer = exchange(&proxy, format!("POST {target} HTTP/1.1\r\n{head}")).await;
        assert_eq!(status(&answer), 200, "{answer}");
    }
    let parts = taken(&proxy, 4).await;
    let count: u64 = parts.iter().map(|part| part.collector.requests()).sum();
    assert_eq!(count, 4);
    let mut names: Vec<&str> = parts.iter().flat_map(|part| part.names.values().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["POST /cart/*", "POST /item/*"]);
    assert!(parts.iter().all(|part| part.collector.error_share() == 0.0 && part.collector.median_ms().is_some()));
    assert!(proxy.take_workload().is_none());
}

#[tokio::test]
async fn nothing_is_looked_at_unless_it_is_wanted() {
    let upstream = Upstream::start("a").await;
    let proxy = start(one_worker(), &[&upstream]);
    for wanted in [false, true] {
        if wanted {
            proxy.reload(ProxyConfig { fingerprint: true, ..one_worker() }).unwrap();
        }
        let before = proxy.stats().completed;
        exchange(&proxy, "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await;
        until(&proxy, "completed", |s| s.completed == before + 1).await;
        if wanted {
            assert_eq!(taken(&proxy, 1).await[0].collector.requests(), 1);
        } else {
            assert!(proxy.take_workload().is_none());
        }
    }
}
