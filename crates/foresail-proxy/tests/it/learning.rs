//! What balancers learn leaves the proxy: to other proxies, and into a file of picks.

use foresail_proxy::{BalancerKind, PickLogConfig, Proxy, ProxyConfig, RetryConfig, SharedStatistics};
use foresail_route::LoggedPick;
use tokio::io::AsyncWriteExt;

use crate::support::*;

/// Takes its time, so that some answers are some time.
async fn paced() -> std::net::SocketAddr {
    raw_upstream(|mut tcp, _| async move {
        while read_head(&mut tcp).await.is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            if tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Answers that statistics rest on.
fn tries(statistics: &SharedStatistics) -> f64 {
    let value = serde_json::to_value(statistics).unwrap();
    let arms = value["arms"].as_array().unwrap().iter();
    arms.map(|arm| arm["sums"]["tries"].as_f64().unwrap()).sum()
}

/// Answers that a proxy goes by, and those that were its own.
fn known(proxy: &Proxy) -> (f64, f64) {
    let endpoints = proxy.stats().endpoints;
    let known = endpoints.iter().filter_map(|e| e.learned.as_ref()).map(|arm| arm.trials).sum();
    (known, endpoints.iter().map(|e| e.picks).sum::<u64>() as f64)
}

#[tokio::test]
async fn a_proxy_goes_by_what_another_one_has_learned() {
    let endpoints = vec![endpoint("x", paced().await), endpoint("y", paced().await)];
    let begin = || Proxy::start(one_worker(), endpoints.clone()).unwrap();
    let (one, other) = (begin(), begin());
    assert_eq!(one.statistics(), None, "nothing has been answered");
    let began = tokio::time::Instant::now();
    let statistics = loop {
        assert!(began.elapsed() < PATIENCE, "nothing is told");
        get(&one, "/").await;
        if let Some(statistics) = one.statistics().filter(|statistics| tries(statistics) > 60.0) {
            break statistics;
        }
    };
    // Its own word says nothing new to it.
    one.hear(&statistics);
    other.hear(&statistics);
    loop {
        assert!(began.elapsed() < PATIENCE, "{:?}", known(&other));
        get(&other, "/").await;
        let (known, own) = known(&other);
        if known > own + 20.0 {
            break;
        }
    }
    let (known, own) = known(&one);
    assert!(known <= own, "{known} of {own}");
    // A policy that does not exchange has nothing to tell, and does not mind being told.
    other.reload(ProxyConfig { balancer: BalancerKind::Random {}, ..one_worker() }).unwrap();
    assert_eq!(other.statistics(), None);
    other.hear(&one.statistics().unwrap());
    get(&other, "/").await;
}

#[tokio::test]
async fn picks_are_written_down_with_propensity_and_reward() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picks.jsonl");
    let (x, y) = (Upstream::start("x").await, Upstream::start("y").await);
    let picks = PickLogConfig { path: path.clone(), share: 1.0, buffer: 1_000 };
    let retry = RetryConfig { attempts: 0, ..RetryConfig::default() };
    let config = ProxyConfig { picks: Some(picks), explore: 0.2, retry, ..one_worker() };
    let proxy = start(config.clone(), &[&x, &y]);
    for n in 0..60 {
        get(&proxy, if n % 10 == 9 { "/status/500" } else { "/" }).await;
    }
    let without = ProxyConfig { picks: None, ..config };
    assert_eq!(proxy.reload(without).unwrap_err().to_string(), "picks.path cannot change without a restart");
    tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE)).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let picks: Vec<LoggedPick> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(picks.len(), 60);
    for pick in &picks {
        assert_eq!((pick.keys.len(), pick.views.len()), (2, 2));
        assert!((0.1 - 1e-9..=0.9 + 1e-9).contains(&pick.propensity), "{pick:?}");
    }
    assert_eq!(picks.iter().filter(|pick| pick.reward == -1_000.0).count(), 6, "failures at their price");
    assert!(picks.iter().all(|pick| pick.reward < 0.0));
    let asked = |upstream: &Upstream| upstream.asked().len();
    let chosen = |key_index: usize| picks.iter().filter(|pick| pick.index == key_index).count();
    assert_eq!((chosen(0), chosen(1)), (asked(&x), asked(&y)));
}
