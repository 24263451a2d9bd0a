use std::time::Duration;

use foresail_proxy::config::ActiveCheck;
use foresail_proxy::{BalancerKind, EndpointState, HealthConfig, ProxyConfig, RetryConfig};

use crate::support::*;

fn no_retries() -> RetryConfig {
    RetryConfig { attempts: 0, ..RetryConfig::default() }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_ejected_and_comes_back() {
    let (good, bad) = (Upstream::start("good").await, Upstream::start("bad").await);
    let mut health = HealthConfig::default();
    health.outlier.base_ejection = Duration::from_millis(300);
    health.outlier.panic_floor = 0.4;
    let config = ProxyConfig { balancer: BalancerKind::RoundRobin {}, retry: no_retries(), health, ..one_worker() };
    let proxy = start(config, &[&good, &bad]);
    // Only what reaches "bad" fails: an address that nobody listens on.
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    proxy.set_endpoints(vec![good.endpoint(), endpoint("bad", dead)]);
    let mut failures = 0;
    for _ in 0..12 {
        failures += u32::from(status(&get(&proxy, "/").await) == 502);
    }
    assert!(failures >= 5, "{failures}");
    let stats = until(&proxy, "ejected", |s| s.endpoints[1].ejections >= 1).await;
    assert_eq!(stats.endpoints[0].state, EndpointState::Healthy);
    // At another address it is another endpoint, which nothing is held against.
    proxy.set_endpoints(vec![good.endpoint(), bad.endpoint()]);
    let picks = bad.asked().len();
    for _ in 0..10 {
        assert_eq!(status(&get(&proxy, "/").await), 200);
    }
    assert!(bad.asked().len() > picks);
}

/// Nothing is ejected here: it is what came of its picks that keeps the balancer away from the dead endpoint.
#[tokio::test]
async fn a_balancer_that_learns_is_told_what_came_of_its_picks() {
    let good = Upstream::start("good").await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for kind in ["thompson", "epsilon_greedy", "ucb"] {
        let balancer: BalancerKind = serde_json::from_value(serde_json::json!({ "policy": kind })).unwrap();
        let mut health = HealthConfig::default();
        health.outlier.most_ejected = 0.0;
        let proxy = start(ProxyConfig { balancer, retry: no_retries(), health, ..one_worker() }, &[&good]);
        proxy.set_endpoints(vec![good.endpoint(), endpoint("bad", dead)]);
        let mut failures = 0;
        for _ in 0..200 {
            failures += u32::from(status(&get(&proxy, "/").await) == 502);
        }
        assert!((1..50).contains(&failures), "{kind}: {failures} of 200, where chance alone would bring 100");
    }
}

#[tokio::test]
async fn five_hundreds_eject_and_all_bad_is_panic() {
    let (a, b) = (Upstream::start("a").await, Upstream::start("b").await);
    let mut health = HealthConfig::default();
    health.outlier.most_ejected = 1.0;
    health.outlier.base_ejection = PATIENCE;
    let config = ProxyConfig { balancer: BalancerKind::RoundRobin {}, retry: no_retries(), health, ..one_worker() };
    let proxy = start(config, &[&a, &b]);
    for _ in 0..12 {
        assert_eq!(status(&get(&proxy, "/status/500").await), 500);
    }
    let all_out =
        |s: &foresail_proxy::ProxyStats| s.endpoints.iter().all(|e| matches!(e.state, EndpointState::Ejected { .. }));
    until(&proxy, "all ejected", all_out).await;
    // The fault lies elsewhere then: requests still go through.
    assert_eq!(status(&get(&proxy, "/").await), 200);
    let stats = proxy.stats();
    assert_eq!((stats.failed, stats.completed), (12, 1));
}

#[tokio::test]
async fn a_request_that_may_be_repeated_finds_the_sound_endpoint() {
    let good = Upstream::start("good").await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let retry = RetryConfig { attempts: 1, ..RetryConfig::default() };
    let config = ProxyConfig { balancer: BalancerKind::RoundRobin {}, retry, ..one_worker() };
    let proxy = foresail_proxy::Proxy::start(config, vec![good.endpoint(), endpoint("dead", dead)]).unwrap();
    for _ in 0..20 {
        assert_eq!(status(&get(&proxy, "/").await), 200);
        // Nothing was sent when the connection was refused, so even this may go elsewhere.
        let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(status(&exchange(&proxy, post).await), 200);
    }
    assert_eq!(proxy.stats().failed, 0);
    assert!(proxy.stats().retries >= 5);
}

/// Retries stay within their budget: an outage is not multiplied.
#[tokio::test]
async fn retries_are_bounded_by_their_budget() {
    let (a, b) = (Upstream::start("a").await, Upstream::start("b").await);
    let mut retry = RetryConfig { attempts: 3, ..RetryConfig::default() };
    retry.budget.share = 0.1;
    retry.budget.least_per_second = 0.0;
    let mut health = HealthConfig::default();
    health.outlier.most_ejected = 0.0;
    let proxy = start(ProxyConfig { retry, health, ..one_worker() }, &[&a, &b]);
    for _ in 0..100 {
        assert_eq!(status(&get(&proxy, "/status/503").await), 503);
    }
    let asked = a.asked().len() + b.asked().len();
    assert!((105..=110).contains(&asked), "{asked}");
    check_balance(&proxy.stats());
}

#[tokio::test]
async fn probes_find_out_before_requests_do() {
    let (good, bad) = (Upstream::start("good").await, Upstream::start("bad").await);
    let active = ActiveCheck {
        path: "/status/200".into(),
        interval: Duration::from_millis(100),
        unhealthy_after: 2,
        ..ActiveCheck::default()
    };
    let mut health = HealthConfig { active: Some(active), ..HealthConfig::default() };
    let proxy = start(ProxyConfig { health: health.clone(), ..one_worker() }, &[&good, &bad]);
    until(&proxy, "healthy", |s| s.endpoints.iter().all(|e| e.state == EndpointState::Healthy)).await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    proxy.set_endpoints(vec![good.endpoint(), endpoint("bad", dead)]);
    until(&proxy, "unhealthy", |s| s.endpoints[1].state == EndpointState::Unhealthy).await;
    for _ in 0..20 {
        assert_eq!(status(&get(&proxy, "/").await), 200);
    }
    assert_eq!(proxy.stats().endpoints[1].picks, 0);
    proxy.set_endpoints(vec![good.endpoint(), bad.endpoint()]);
    until(&proxy, "healthy again", |s| s.endpoints[1].state == EndpointState::Healthy).await;
    health.active = None;
    proxy.reload(ProxyConfig { health, ..one_worker() }).unwrap();
}

#[tokio::test]
async fn a_new_endpoint_starts_slowly() {
    let (old, new) = (Upstream::start("old").await, Upstream::start("new").await);
    let mut health = HealthConfig::default();
    health.slow_start.window = Duration::from_secs(600);
    let proxy = start(ProxyConfig { balancer: BalancerKind::RoundRobin {}, ..one_worker() }, &[&old]);
    proxy.reload(ProxyConfig { balancer: BalancerKind::Random {}, health, ..one_worker() }).unwrap();
    proxy.set_endpoints(vec![old.endpoint(), new.endpoint()]);
    until(&proxy, "slow", |s| s.endpoints.iter().all(|e| e.state == EndpointState::SlowStart)).await;
}
