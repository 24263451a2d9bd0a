//! The configuration of `foresail run`: one TOML file, checked before anything starts.

mod client;
mod exchange;
mod fingerprint;
mod known;
mod notify;
mod schema;
mod service;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foresail_core::humane;
use foresail_server::api::ServerConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::exchange::ExchangeConfig;
pub(crate) use self::known::{KnownConfig, is_address};
pub(crate) use self::notify::ReceiverConfig;
pub(crate) use self::schema::schema;
pub(crate) use self::service::ServiceConfig;
pub(crate) use self::source::HistoryConfig;
use crate::failure::usage;

/// Everything that is configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "foresail.toml")]
pub(crate) struct Config {
    /// Folder for journals and state; relative to the configuration file.
    #[serde(default = "data")]
    pub(crate) data: PathBuf,
    /// API and dashboard.
    #[serde(default)]
    pub(crate) server: ServerConfig,
    /// How long samples are kept (as Parquet, by the day), 1d to 3650d.
    #[serde(default = "retain", with = "humane::Text")]
    pub(crate) retain: Duration,
    /// Who is told of alerts.
    #[serde(default)]
    pub(crate) notify: Vec<ReceiverConfig>,
    /// Services by name (letters, digits, `-`, `_`, `.`).
    #[serde(default)]
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": "^[A-Za-z0-9_.-]{1,63}$" }))]
    pub(crate) service: BTreeMap<String, ServiceConfig>,
}

fn data() -> PathBuf {
    "foresail-data".into()
}

fn retain() -> Duration {
    400 * DAY
}

const DAY: Duration = Duration::from_secs(86_400);

/// A value that is out of range, and where it stands.
struct Wrong {
    /// The way to it: `service`, `web`, `max`.
    path: Vec<String>,
    what: String,
}

impl Config {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// In one line: file, line, key, value and what is accepted.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).map_err(|e| usage(format!("{}: {e}", file.display())))?;
        Self::parse(&text, file)
    }

    /// As [`Config::read`], of the text of `file`.
    ///
    /// # Errors
    /// Likewise.
    pub(crate) fn parse(text: &str, file: &Path) -> anyhow::Result<Self> {
        let mut config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            let said: Vec<&str> = e.message().split_whitespace().collect();
            usage(format!("{}:{line}: {}", file.display(), said.join(" ")))
        })?;
        if let Some(folder) = file.parent() {
            config.data = folder.join(&config.data);
            config.service.values_mut().for_each(|service| service.resolve(folder));
            config.notify.iter_mut().for_each(|receiver| receiver.resolve(folder));
        }
        config.check().map_err(|wrong| {
            let line = find(text, &wrong.path).map_or(1, |at| line_of(text, at));
            usage(format!("{}:{line}: {}: {}", file.display(), wrong.path.join("."), wrong.what))
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Wrong> {
        let at = |path: &[&str], what: String| Wrong { path: path.iter().map(|p| (*p).to_owned()).collect(), what };
        self.server.check().map_err(|e| at(&["server"], e.to_string()))?;
        if !(DAY..=3_650 * DAY).contains(&self.retain) {
            return Err(at(&["retain"], format!("is {}, accepted is 1d to 3650d", humane::format(self.retain))));
        }
        for (index, receiver) in self.notify.iter().enumerate() {
            receiver.check().map_err(|e| at(&["notify"], e))?;
            if self.notify[..index].iter().any(|r| r.name() == receiver.name()) {
                return Err(at(&["notify"], format!("two receivers are named {:?}", receiver.name())));
            }
        }
        if self.service.is_empty() {
            return Err(at(&["service"], "is missing; at least one [service.NAME] is needed".to_owned()));
        }
        for (name, service) in &self.service {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
                return Err(at(&["service", name], "is no name: letters, digits, -, _ and ., at most 63".to_owned()));
            }
            service.check().map_err(|(key, what)| at(&["service", name, key], what))?;
        }
        Ok(())
    }
}

/// Line (from 1) of a byte of `text`.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

/// Where the value at `path` begins in `text`; of as much of the path as there is.
fn find(text: &str, path: &[String]) -> Option<usize> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let mut at = None;
    let mut here = table.into_inner();
    for key in path {
        let (found, value) = here.into_iter().find(|(k, _)| k.get_ref() == key)?;
        at = Some(found.span().start);
        match value.into_inner() {
            toml::de::DeValue::Table(table) => here = table,
            _ => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use foresail_core::Mode;

    use super::*;

    const GOOD: &str = r#"
[service.web]
capacity_rps = 100.0
max = 20

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]

[service.web.process]
command = ["server", "--port", "{port}"]
folder = "web"
"#;

    #[test]
    fn a_short_file_is_enough_and_comes_with_safe_defaults() {
        let config = Config::parse(GOOD, Path::new("dir/foresail.toml")).expect("valid");
        let web = &config.service["web"];
        assert_eq!((web.mode, web.policy.as_str(), web.min), (Mode::Recommend, "foresail", 1));
        assert_eq!(config.data, Path::new("dir/foresail-data"));
        assert_eq!(web.guardrails().down.hold, Duration::from_secs(120));
    }

    #[test]
    fn paths_of_the_proxy_are_relative_to_the_file() {
        let proxy = "listen = [{ address = \"127.0.0.1:0\", tls = { certificate = \"c.pem\", key = \"/k.pem\" } }]\n\
                     access_log = { path = \"log\" }\npicks = { path = \"picks\" }\n\
                     guard = { state = \"guard\", geoip = [\"a.mmdb\", \"/b.mmdb\"] }";
        let text = GOOD.replace("listen = [{ address = \"127.0.0.1:0\" }]", proxy);
        let config = Config::parse(&text, Path::new("dir/foresail.toml")).expect("valid");
        let proxy = config.service["web"].proxy.as_ref().expect("there is one");
        let tls = proxy.listen[0].tls.as_ref().expect("there is one");
        assert_eq!((tls.certificate.as_path(), tls.key.as_path()), (Path::new("dir/c.pem"), Path::new("/k.pem")));
        assert_eq!(proxy.access_log.as_ref().map(|log| log.path.as_path()), Some(Path::new("dir/log")));
        assert_eq!(proxy.picks.as_ref().map(|picks| picks.path.as_path()), Some(Path::new("dir/picks")));
        let guard = proxy.guard.as_ref().expect("there is one");
        assert_eq!(guard.state.as_deref(), Some(Path::new("dir/guard")));
        assert_eq!(guard.geoip, [Path::new("dir/a.mmdb"), Path::new("/b.mmdb")]);
    }

    #[test]
    fn the_documented_file_is_valid() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/foresail.toml"));
        let config = Config::read(file).expect("valid");
        let web = &config.service["web"];
        assert_eq!((web.max, web.workers, web.guardrails.down_share), (40, 8, 0.1));
    }

    /// What is wrong, and how the line that says so begins.
    #[test]
    fn what_is_wrong_is_named_with_its_line_and_what_is_accepted() {
        for (from, to, said) in [
            ("max = 20", "max = 0", "f.toml:4: service.web.max: is 0, accepted is"),
            ("max = 20", "max = \"many\"", "f.toml:4: invalid type"),
            ("max = 20", "max = 20\nmaxx = 1", "f.toml:5: unknown field `maxx`"),
            ("max = 20", "max = 20\ntick = \"15\"", "f.toml:5: \"15\" is no duration"),
            ("max = 20", "max = 20\ntick = \"1h\"", "f.toml:5: service.web.tick: is 1h, accepted is 100ms to 10m"),
            ("max = 20", "max = 20\npolicy = \"hpb\"", "f.toml:5: service.web.policy:"),
            ("max = 20", "max = 20\nlate_fraction = 1.0", "f.toml:5: service.web.late_fraction: is 1, accepted"),
            ("capacity_rps = 100.0", "capacity_rps = -1.0", "f.toml:3: service.web.capacity_rps:"),
            ("[service.web]", "[service.\"a b\"]", "f.toml:"),
            (GOOD, "data = \"x\"", "f.toml:1: service: is missing"),
            (
                "max = 20",
                "max = 20\n[service.web.prometheus]\nurl = \"no\"\nquery = \"x\"",
                "f.toml:5: service.web.prometheus: url:",
            ),
            (
                "max = 20",
                "max = 20\n[service.web.known]\nholidays = [\"XX\"]",
                "f.toml:5: service.web.known: holidays names \"XX\", accepted",
            ),
            (
                "max = 20",
                "max = 20\n[service.web.known]\nevery = \"0s\"",
                "f.toml:5: service.web.known: every is 0s, accepted is 1s to 1d",
            ),
            (
                "max = 20",
                "max = 20\n[service.web.known]\ncalendars = [\"ftp://x/y\"]",
                "f.toml:5: service.web.known: ftp://x/y:",
            ),
            (
                "max = 20",
                "max = 20\n[service.web.exchange]\npeers = [\"http://10.0.0.2:8700\"]",
                "f.toml:5: service.web.exchange: needs proxy, and endpoints instead of process",
            ),
            (
                "max = 20",
                "max = 20\n[service.web.exchange]\npeers = [\"10.0.0.2\"]",
                "f.toml:5: service.web.exchange: peers: 10.0.0.2:",
            ),
            (
                "max = 20",
                "max = 20\n[service.web.exchange]\nevery = \"1ms\"",
                "f.toml:5: service.web.exchange: every is 1ms, accepted is 20ms to 5s",
            ),
            ("[service.web]", "retain = \"1h\"\n[service.web]", "f.toml:2: retain: is 1h, accepted is 1d to 3650d"),
            (
                "max = 20",
                "max = 20\n[service.web.fingerprint]\ninterval = \"1s\"",
                "f.toml:5: service.web.fingerprint: interval is 1s, accepted is 10s to 10m",
            ),
            ("max = 20", "max = 20\n[service.web.fingerprint]\noff = true", "f.toml:6: unknown field `off`"),
            (
                "max = 20",
                "max = 20\n[service.web.fingerprint.metrics]\nurl = \"http://p\"\nqueries = { hits = \" \" }",
                "f.toml:5: service.web.fingerprint: metrics.queries.hits is empty; expected a name and PromQL",
            ),
            (
                "[service.web]",
                "[[notify]]\nkind = \"pigeon\"\n[service.web]",
                "f.toml:3: unknown variant `pigeon`, expected",
            ),
            (
                "[service.web]",
                "[[notify]]\nkind = \"webhook\"\nname = \"a\"\nurl = \"x\"\n[service.web]",
                "f.toml:2: notify: a: url:",
            ),
        ] {
            let text = GOOD.replace(from, to);
            let error = Config::parse(&text, Path::new("f.toml")).expect_err(to).to_string();
            assert!(error.starts_with(said), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
