//! Where the server listens, who may do what, and the rule that nothing is exposed without tokens and TLS.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plane::Role;
use crate::Error;

/// Fewest characters of a token.
const TOKEN_LENGTH: usize = 16;

/// The `[server]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one. Anything but loopback needs `tokens` and `tls`.
    pub listen: SocketAddr,
    /// Bearer tokens. Without any, everyone on this machine may operate.
    pub tokens: Vec<TokenConfig>,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<TlsConfig>,
    /// Names by which browsers may call the server, beside loopback names and the address itself.
    pub hosts: Vec<String>,
    /// Open connections, 1 to 65,536; more wait.
    pub max_connections: usize,
    /// Open event streams, 1 to 4,096; more are refused.
    pub max_streams: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8390)),
            tokens: Vec::new(),
            tls: None,
            hosts: Vec::new(),
            max_connections: 512,
            max_streams: 64,
        }
    }
}

/// A bearer token: given here or in a file of its own.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Who holds it; stands in the audit trail. 1 to 64 characters.
    pub name: String,
    /// What it may do: `read` or `operate`.
    pub role: Role,
    /// The token itself, at least 16 characters. Never written back.
    #[serde(default, skip_serializing)]
    pub token: Option<String>,
    /// A file that holds it instead; white space around it is left out.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// Without the token: this may end in a log.
impl fmt::Debug for TokenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenConfig").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Files for TLS, both PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerTlsConfig")]
pub struct TlsConfig {
    /// The certificate chain, the server's own first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl ServerConfig {
    /// Checks everything that can be without opening a file.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key, its value and what is accepted.
    pub fn check(&self) -> Result<(), Error> {
        let exposed = !self.listen.ip().is_loopback();
        if exposed && (self.tokens.is_empty() || self.tls.is_none()) {
            return Err(refused(
                "server.listen",
                self.listen,
                "a loopback address such as 127.0.0.1:8390, or any address together with server.tokens and server.tls",
            ));
        }
        in_range("server.max_connections", self.max_connections, 65_536)?;
        in_range("server.max_streams", self.max_streams, 4_096)?;
        for (index, token) in self.tokens.iter().enumerate() {
            let key = |field: &str| format!("server.tokens[{index}].{field}");
            if token.name.is_empty() || token.name.len() > 64 || token.name.chars().any(char::is_control) {
                return Err(refused(key("name"), format!("{:?}", token.name), "1 to 64 printable characters"));
            }
            if self.tokens[..index].iter().any(|t| t.name == token.name) {
                return Err(refused(key("name"), format!("{:?}", token.name), "a name no other token has"));
            }
            match (&token.token, &token.token_file) {
                (Some(secret), None) => check_token(&key("token"), secret)?,
                (None, Some(_)) => {}
                (Some(_), Some(_)) => return Err(refused(key("token"), "(hidden)", "either token or token_file")),
                (None, None) => return Err(refused(key("token"), "(missing)", "either token or token_file")),
            }
        }
        Ok(())
    }
}

/// Whether `secret` is long enough and can stand in a header. `key` says whose it is.
pub(super) fn check_token(key: &str, secret: &str) -> Result<(), Error> {
    if secret.len() < TOKEN_LENGTH || !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refused(key, "(hidden)", "at least 16 printable ASCII characters without spaces"));
    }
    Ok(())
}

fn in_range(key: &str, value: usize, most: usize) -> Result<(), Error> {
    if (1..=most).contains(&value) { Ok(()) } else { Err(refused(key, value, format!("1 to {most}"))) }
}

fn refused(key: impl Into<String>, value: impl fmt::Display, accepted: impl Into<String>) -> Error {
    Error::Config { key: key.into(), value: value.to_string(), accepted: accepted.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: &str) -> TokenConfig {
        TokenConfig { name: "ci".to_owned(), role: Role::Read, token: Some(secret.to_owned()), token_file: None }
    }

    fn check(change: impl FnOnce(&mut ServerConfig), expected: &str) {
        let mut config = ServerConfig::default();
        change(&mut config);
        let said = config.check().err().map_or_else(String::new, |e| e.to_string());
        assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{said:?} for {expected:?}");
    }

    #[test]
    fn exposure_needs_tokens_and_tls() {
        let open = SocketAddr::from(([0, 0, 0, 0], 8390));
        let tls = TlsConfig { cert: "c.pem".into(), key: "k.pem".into() };
        check(|_| {}, "");
        check(|c| c.listen = open, "server.listen = 0.0.0.0:8390 is not accepted; accepted: a loopback address");
        check(|c| (c.listen, c.tls) = (open, Some(tls.clone())), "server.listen");
        check(|c| (c.listen, c.tokens) = (open, vec![token("0123456789abcdef")]), "server.listen");
        check(|c| (c.listen, c.tls, c.tokens) = (open, Some(tls.clone()), vec![token("0123456789abcdef")]), "");
    }

    #[test]
    fn tokens_are_checked_and_never_shown() {
        check(|c| c.tokens = vec![token("short")], "server.tokens[0].token = (hidden)");
        check(|c| c.tokens = vec![token("0123456789abcdef"); 2], "server.tokens[1].name = \"ci\"");
        check(|c| c.tokens = vec![TokenConfig { token: None, ..token("") }], "server.tokens[0].token = (missing)");
        check(|c| c.max_streams = 0, "server.max_streams = 0");
        let shown = format!("{:?} {}", token("0123456789abcdef"), serde_json::json!(token("0123456789abcdef")));
        assert!(!shown.contains("0123456789abcdef"));
    }
}
