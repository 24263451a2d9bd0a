use std::time::Duration;

use foresail_guard::challenge;
use foresail_proxy::{Admission, GuardConfig, GuardMode, Proxy, ProxyConfig};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::*;

/// Clients are who the test says, and two requests in ten seconds are too many under pressure.
pub(crate) fn guarded(mode: GuardMode) -> ProxyConfig {
    ProxyConfig {
        guard: Some(GuardConfig { mode, clients: 1024, least_limit_rps: 0.1, work_bits: 8, ..GuardConfig::default() }),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        admission: Admission { in_flight_per_endpoint: 10, ..Admission::default() },
        ..one_worker()
    }
}

pub(crate) async fn ask(proxy: &Proxy, client: &str, path: &str, headers: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\nUser-Agent: test\r\n");
    exchange(proxy, format!("{head}{headers}Connection: close\r\n\r\n")).await
}

/// Asks until the answer is `expected`, as every further request makes the client faster.
pub(crate) async fn ask_until(proxy: &Proxy, client: &str, headers: &str, expected: u16) -> String {
    for _ in 0..50 {
        let answer = ask(proxy, client, "/", headers).await;
        if status(&answer) == expected {
            return answer;
        }
    }
    panic!("never {expected}");
}

/// Holds nine of the ten places at the endpoint, and waits until the guard feels it.
pub(crate) async fn press(proxy: &Proxy) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for n in 1..10 {
        let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        let head = format!("GET /held HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.{n}\r\n\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        held.push(tcp);
    }
    until(proxy, "under pressure", |s| s.guard.is_some_and(|g| g.is_engaged)).await;
    held
}

#[tokio::test]
async fn who_observes_lets_everything_through() {
    let upstream = Upstream::start("a").await;
    let proxy = start(guarded(GuardMode::Observe), &[&upstream]);
    let _held = press(&proxy).await;
    for _ in 0..20 {
        assert_eq!(status(&ask(&proxy, "192.0.2.1", "/", "").await), 200);
    }
    let stats = until(&proxy, "reported", |s| s.guard.is_some_and(|g| g.totals.arrivals >= 5)).await;
    assert_eq!((stats.held, stats.arrivals), (0, 29));
    check_balance(&stats);
}

#[tokio::test]
async fn without_pressure_nobody_is_held() {
    let upstream = Upstream::start("a").await;
    let proxy = start(guarded(GuardMode::Enforce), &[&upstream]);
    for _ in 0..20 {
        assert_eq!(status(&ask(&proxy, "192.0.2.1", "/", "").await), 200);
    }
    assert_eq!(proxy.stats().held, 0);
}

#[tokio::test]
async fn a_browser_that_solves_the_puzzle_is_let_in_and_nobody_else() {
    let upstream = Upstream::start("a").await;
    let proxy = start(guarded(GuardMode::Enforce), &[&upstream]);
    let _held = press(&proxy).await;

    // A program is told to wait, a browser is given a page.
    let told = ask_until(&proxy, "192.0.2.9", "Accept: application/json\r\n", 429).await;
    assert!(told.contains("retry-after: "), "{told}");
    let html = "Accept: text/html\r\n";
    let page = ask_until(&proxy, "192.0.2.1", html, 403).await;
    assert!(page.contains("content-security-policy: default-src 'none'") && page.contains("cache-control: no-store"));
    let puzzle = page.split("\"puzzle\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let bits: u32 = page.split("\"bits\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap();
    let number = (0_u32..)
        .find(|n| {
            let hash = Sha256::digest(format!("{puzzle}.{n}"));
            u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros() >= bits
        })
        .unwrap();
    let answer = format!("/.well-known/foresail/clearance?p={puzzle}&n={number}");

    // The answer is the client's own, and good for once.
    assert_eq!(status(&ask(&proxy, "192.0.2.2", &answer, "").await), 403);
    let cleared = ask(&proxy, "192.0.2.1", &answer, "").await;
    assert_eq!(status(&cleared), 204, "{cleared}");
    assert_eq!(status(&ask(&proxy, "192.0.2.1", &answer, "").await), 403);
    let cookie = cleared.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();

    let with = |cookie: &str| format!("{html}Cookie: theme=dark; {cookie}\r\n");
    assert_eq!(status(&ask(&proxy, "192.0.2.1", "/", &with(cookie)).await), 200);
    ask_until(&proxy, "192.0.2.1", html, 403).await;
    // Stolen, and forged.
    ask_until(&proxy, "192.0.2.3", &with(cookie), 403).await;
    let forged = cookie.replace("foresail_clearance=AQ", "foresail_clearance=AR");
    ask_until(&proxy, "192.0.2.1", &with(&forged), 403).await;

    let stats = until(&proxy, "reported", |s| s.guard.is_some_and(|g| g.totals.challenged > 0)).await;
    assert!(stats.held >= 6 && stats.guard.is_some_and(|g| g.totals.attack > 0), "{stats:?}");
    check_balance(&stats);
}

#[tokio::test]
async fn operators_see_why_and_undo_it() {
    let upstream = Upstream::start("a").await;
    let proxy = start(guarded(GuardMode::Enforce), &[&upstream]);
    let _held = press(&proxy).await;
    ask_until(&proxy, "192.0.2.1", "", 429).await;
    until(&proxy, "reported", |s| s.guard.is_some_and(|g| g.totals.throttled > 0)).await;
    let account = proxy.guard_account().unwrap();
    let note = account.notes.iter().find(|note| note.client.to_string() == "192.0.2.1").unwrap();
    assert!(note.path == "/" && note.agent == "test", "{note:?}");
    assert!(note.verdict.to_string().contains("requests/s of"), "{}", note.verdict);
    let hour = Duration::from_secs(3600);
    let takes_hold = |what, is: fn(&foresail_proxy::GuardAccount) -> bool| {
        let proxy = &proxy;
        async move { until(proxy, what, |_| proxy.guard_account().is_some_and(|account| is(&account))).await }
    };

    assert!(proxy.pardon("192.0.2.1".parse().unwrap(), hour));
    takes_hold("pardoned", |account| account.pardons.len() == 1).await;
    for _ in 0..20 {
        assert_eq!(status(&ask(&proxy, "192.0.2.1", "/", "").await), 200);
    }
    ask_until(&proxy, "192.0.2.2", "", 429).await;
    assert!(proxy.stand_down(Some(hour)));
    takes_hold("standing down", |account| account.stands_down_until.is_some()).await;
    for _ in 0..20 {
        assert_eq!(status(&ask(&proxy, "192.0.2.2", "/", "").await), 200);
    }
    assert!(proxy.stand_down(None));
    takes_hold("acting again", |account| account.stands_down_until.is_none()).await;
    ask_until(&proxy, "192.0.2.3", "", 429).await;
    let bare = start(one_worker(), &[&upstream]);
    assert!(!bare.pardon("192.0.2.1".parse().unwrap(), hour) && bare.guard_account().is_none());
}

#[tokio::test]
async fn settings_of_the_guard_are_reloaded_and_checked() {
    let upstream = Upstream::start("a").await;
    let proxy = start(guarded(GuardMode::Observe), &[&upstream]);
    proxy.reload(guarded(GuardMode::Enforce)).unwrap();
    let off = ProxyConfig { guard: None, ..guarded(GuardMode::Observe) };
    assert!(proxy.reload(off).unwrap_err().to_string().contains("cannot change without a restart"));
    let mut wrong = guarded(GuardMode::Observe);
    wrong.guard.as_mut().unwrap().work_bits = 99;
    assert_eq!(proxy.reload(wrong).unwrap_err().to_string(), "guard.work_bits is 99, accepted is 8 to 24");
}

#[tokio::test]
async fn clearance_outlives_a_restart_where_state_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("guard.json");
    let upstream = Upstream::start("a").await;
    let start_again = || {
        let mut config = guarded(GuardMode::Enforce);
        config.guard.as_mut().unwrap().state = Some(state.clone());
        start(config, &[&upstream])
    };
    let html = "Accept: text/html\r\n";

    let proxy = start_again();
    let held = press(&proxy).await;
    let page = ask_until(&proxy, "192.0.2.1", html, 403).await;
    let (puzzle, bits) = challenge::read_page(&page).unwrap();
    let answer = format!("{}?p={puzzle}&n={}", challenge::ANSWER_PATH, challenge::solve(puzzle, bits));
    let cleared = ask(&proxy, "192.0.2.1", &answer, "").await;
    let cookie = cleared.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    drop(held);
    proxy.shutdown(std::time::Duration::ZERO);
    assert!(state.exists());

    let proxy = start_again();
    let _held = press(&proxy).await;
    ask_until(&proxy, "192.0.2.1", html, 403).await;
    assert_eq!(status(&ask(&proxy, "192.0.2.1", "/", &format!("{html}Cookie: {cookie}\r\n")).await), 200);
}
