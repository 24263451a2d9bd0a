//! Requests find the service that is good at them.

use std::collections::BTreeMap;

use foresail_proxy::{Acting, Proxy, ProxyConfig, RouterSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::*;

const SERVICES: [&str; 3] = ["alpha", "beta", "gamma"];

/// Answers everything, and says that it takes fifty times as much where the path is not its own.
async fn specialist(name: &'static str) -> std::net::SocketAddr {
    raw_upstream(move |mut tcp, _| async move {
        while let Some(head) = read_head(&mut tcp).await {
            let used = if head.contains(&format!(" /{name}/")) { 1 } else { 50 };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nX-Foresail-Load: cpu={used}\r\nContent-Length: {}\r\n\r\n{name}",
                name.len()
            );
            if tcp.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// The share of requests answered by the service that is good at them.
async fn at_home(tcp: &mut TcpStream, rounds: usize) -> f64 {
    let mut at_home = 0;
    for round in 0..rounds {
        let name = SERVICES[round % 3];
        tcp.write_all(format!("GET /{name}/{round}?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let answer = read_answer(tcp).await;
        assert!(!answer.to_ascii_lowercase().contains("x-foresail-load"), "{answer}");
        at_home += usize::from(answer.ends_with(name));
    }
    at_home as f64 / rounds as f64
}

const LEARN: &str = r#"{"resource_weight":10.0,"cold_start":60}"#;

async fn learn_until_at_home(proxy: &Proxy, tcp: &mut TcpStream) {
    let begin = tokio::time::Instant::now();
    let (mut share, mut named) = (0.0, 0);
    while share < 0.9 || named < SERVICES.len() {
        assert!(begin.elapsed() < PATIENCE, "still {share}, {named} named: {:?}", proxy.stats().router);
        share = at_home(tcp, 150).await;
        named = proxy.stats().router.map_or(0, |router| router.classes.len());
    }
}

#[tokio::test]
async fn each_class_goes_to_the_service_that_is_good_at_it() {
    let mut endpoints = Vec::new();
    let mut services: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    for (i, name) in SERVICES.into_iter().enumerate() {
        // Named by id or by address, in groups of two.
        let addresses = [specialist(name).await, specialist(name).await];
        let ids = [format!("{i}a"), format!("{i}b")];
        services.insert(name.to_owned(), [ids[0].clone(), addresses[1].to_string()].into());
        endpoints.extend(ids.iter().zip(addresses).map(|(id, address)| endpoint(id, address)));
    }
    let learn = serde_json::from_str(LEARN).unwrap();
    let config = ProxyConfig { router: Some(RouterSettings { services, learn, state: None }), ..one_worker() };
    let proxy = Proxy::start(config.clone(), endpoints).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    learn_until_at_home(&proxy, &mut tcp).await;
    let stats = until(&proxy, "told", |s| s.router.as_ref().is_some_and(|r| r.report.outcomes >= 150)).await;
    let router = stats.router.as_ref().unwrap();
    let named = |name: &str| router.services.values().any(|service| service == name);
    assert!(SERVICES.iter().all(|name| named(name)) && router.lost == 0, "{router:?}");
    let is_class = |asked_for: &String| SERVICES.iter().any(|name| *asked_for == format!("GET /{name}/*"));
    assert!(router.classes.values().all(is_class), "{router:?}");
    let used = |endpoint: usize| stats.endpoints[endpoint].picks > 0;
    assert!((0..6).all(used), "the balancer picks within a service");
    // Other costs are taken over; whether there is a router is not.
    let changed = config.router.clone().map(|router| RouterSettings { learn: Default::default(), ..router });
    proxy.reload(ProxyConfig { router: changed, ..config.clone() }).unwrap();
    let error = proxy.reload(ProxyConfig { router: None, ..config }).unwrap_err();
    assert_eq!(error.to_string(), "whether there is a router cannot change without a restart");
    at_home(&mut tcp, 30).await;
}

#[tokio::test]
async fn after_a_restart_the_first_requests_go_where_they_belong() {
    let folder = tempfile::tempdir().unwrap();
    let (mut endpoints, mut services) = (Vec::new(), BTreeMap::new());
    for name in SERVICES {
        endpoints.push(endpoint(name, specialist(name).await));
        services.insert(name.to_owned(), [name.to_owned()].into());
    }
    let learn = serde_json::from_str(LEARN).unwrap();
    let mut config = ProxyConfig {
        router: Some(RouterSettings { services, learn, state: Some("router.json".into()) }),
        ..one_worker()
    };
    config.resolve(folder.path());
    let proxy = Proxy::start(config.clone(), endpoints.clone()).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    learn_until_at_home(&proxy, &mut tcp).await;
    drop(tcp);
    tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE)).await.unwrap();

    let proxy = Proxy::start(config.clone(), endpoints.clone()).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let share = at_home(&mut tcp, 30).await;
    assert!(share > 0.8, "{share}");
    let stats = until(&proxy, "told", |s| s.router.as_ref().is_some_and(|r| r.report.outcomes > 100)).await;
    let router = stats.router.unwrap();
    assert!(router.report.acting == Acting::Learner && router.classes.len() == 3, "{router:?}");
    drop(tcp);
    tokio::task::spawn_blocking(move || proxy.shutdown(PATIENCE)).await.unwrap();

    // What is damaged is no hindrance.
    let path = folder.path().join("router.json");
    assert!(std::fs::read(&path).unwrap().len() > 1000);
    std::fs::write(&path, "{\"learn\":").unwrap();
    let proxy = Proxy::start(config, endpoints).unwrap();
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    at_home(&mut tcp, 3).await;
    until(&proxy, "anew", |s| s.router.as_ref().is_some_and(|r| (1..=3).contains(&r.report.outcomes))).await;
}
