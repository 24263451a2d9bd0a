//! Who clients are said to be: where a database places them, and bots whose networks vouch for them.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foresail_proxy::{BotRule, Endpoint, GuardAccount, GuardMode, Names, Proxy, ProxyConfig};

use crate::guard::{ask, ask_until, guarded, press};
use crate::mmdb::{Value, database};
use crate::support::*;

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    // As those who keep databases up to date do it.
    std::fs::write(folder.join("new"), bytes).unwrap();
    std::fs::rename(folder.join("new"), &path).unwrap();
    path
}

fn country(code: &str) -> Vec<u8> {
    database("GeoLite2-Country", [("192.0.2.0/24", Value::country(code))])
}

fn with_databases(paths: Vec<PathBuf>) -> ProxyConfig {
    let mut config = guarded(GuardMode::Observe);
    config.guard.as_mut().unwrap().geoip = paths;
    config
}

/// Asks until the guard knows where the client is.
async fn until_placed(proxy: &Proxy, expected: &str) {
    let place = |account: &GuardAccount| {
        let client = account.clients.iter().find(|client| client.client.to_string() == "192.0.2.1")?;
        let country = client.location.country.map_or(String::new(), |country| country.to_string());
        Some(format!("{country} {}", client.location.system.unwrap_or(0)))
    };
    for _ in 0..400 {
        ask(proxy, "192.0.2.1", "/", "").await;
        if proxy.guard_account().and_then(|account| place(&account)).as_deref() == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {expected:?}");
}

#[tokio::test]
async fn clients_are_where_the_databases_place_them_and_a_reload_reads_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("a").await;
    let countries = write(folder.path(), "countries.mmdb", &country("DE"));
    let systems = database("GeoLite2-ASN", [("192.0.2.0/25", Value::system(64_500))]);
    let paths = vec![countries.clone(), write(folder.path(), "systems.mmdb", &systems)];
    let config = with_databases(paths.clone());
    let proxy = start(config.clone(), &[&upstream]);
    until_placed(&proxy, "DE 64500").await;

    write(folder.path(), "countries.mmdb", &country("FR"));
    proxy.reload(config.clone()).unwrap();
    until_placed(&proxy, "FR 64500").await;
    // What is no good changes nothing, and is named.
    write(folder.path(), "countries.mmdb", b"no database");
    let error = proxy.reload(config).unwrap_err().to_string();
    let expected = format!("guard.geoip: {}: no usable GeoIP database: ", countries.display());
    assert!(error.starts_with(&expected), "{error}");
    until_placed(&proxy, "FR 64500").await;
    // Without databases there are only networks.
    proxy.reload(with_databases(Vec::new())).unwrap();
    until_placed(&proxy, " 0").await;
}

#[test]
fn a_proxy_does_not_start_on_databases_that_are_no_good() {
    let folder = tempfile::tempdir().unwrap();
    let domains =
        write(folder.path(), "domains.mmdb", &database("GeoIP2-Domain", [("192.0.2.0/24", Value::text("a"))]));
    let check = |path: &Path, expected: &str| {
        let error = Proxy::start(with_databases(vec![path.to_owned()]), Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("guard.geoip: {}: {expected}", path.display()));
    };
    check(&folder.path().join("none.mmdb"), "No such file or directory (os error 2)");
    check(&domains, "no usable GeoIP database: its type \"geoip2-domain\" is neither of countries nor of AS numbers");
}

/// Names as the test says; every question waits until the test lets it go on.
struct Told {
    names: BTreeMap<IpAddr, String>,
    asked: Mutex<Sender<IpAddr>>,
    go_on: Mutex<Receiver<()>>,
}

impl Names for Told {
    fn names(&self, address: IpAddr) -> io::Result<Vec<String>> {
        let _ = self.asked.lock().unwrap().send(address);
        let _ = self.go_on.lock().unwrap().recv();
        Ok(self.names.get(&address).cloned().into_iter().collect())
    }

    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.names.iter().filter(|(_, known)| *known == name).map(|(address, _)| *address).collect())
    }
}

#[tokio::test]
async fn a_bot_whose_network_vouches_for_it_is_let_through_and_no_other() {
    let upstream = Upstream::start("a").await;
    let (asked, questions) = channel();
    let (go_on, waits) = channel();
    let names = [("192.0.2.1", "crawl-1.bot.example"), ("192.0.2.2", "crawl-1.bot.example.evil.example")];
    let names = names.map(|(address, name)| (address.parse().unwrap(), name.to_owned())).into();
    let told = Arc::new(Told { names, asked: Mutex::new(asked), go_on: Mutex::new(waits) });
    let mut config = guarded(GuardMode::Enforce);
    config.guard.as_mut().unwrap().bots = vec![BotRule { agent: "ABot".into(), domains: vec!["bot.example".into()] }];
    let endpoints: Vec<Endpoint> = vec![upstream.endpoint()];
    let proxy = Proxy::start_with_names(config, endpoints, told).unwrap();
    let _held = press(&proxy).await;

    let once = async |client: &'static str| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\nUser-Agent: x (abot/1.0)\r\n");
        status(&exchange(&proxy, format!("{head}Connection: close\r\n\r\n")).await)
    };
    let bot = async |client: &'static str, expected| {
        for _ in 0..400 {
            if once(client).await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {expected} for {client}");
    };
    let question = async || {
        for _ in 0..400 {
            if let Ok(address) = questions.try_recv() {
                return address.to_string();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing is asked");
    };
    // Nobody waits for an answer: until it is there, the bot is as fast as anybody may be.
    bot("192.0.2.1", 429).await;
    assert_eq!(question().await, "192.0.2.1");
    bot("192.0.2.1", 429).await;
    go_on.send(()).unwrap();
    bot("192.0.2.1", 200).await;
    for _ in 0..20 {
        assert_eq!(once("192.0.2.1").await, 200);
    }
    // Another that says so is not, nor is the address itself when it says nothing.
    go_on.send(()).unwrap();
    bot("192.0.2.2", 429).await;
    ask_until(&proxy, "192.0.2.1", "", 429).await;
    assert_eq!(question().await, "192.0.2.2");
    bot("192.0.2.2", 429).await;
    assert!(questions.try_recv().is_err(), "what is known is not asked again");
    // A lookup that takes its time holds nothing up, not even the end.
    bot("192.0.2.3", 429).await;
    assert_eq!(question().await, "192.0.2.3");
    proxy.shutdown(Duration::ZERO);
}
