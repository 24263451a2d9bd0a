//! Who asks, and whether their browser was tricked into asking.

use std::fs;
use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::config::{ServerConfig, check_token};
use super::plane::{Actor, Role};
use super::problem::Problem;
use crate::Error;

/// The tokens, as digests: all of one length, so that comparing them says nothing about theirs.
pub(super) struct Tokens(Vec<([u8; 32], Actor)>);

impl Tokens {
    /// Reads the tokens of `config`, and the files that hold them.
    pub(super) fn read(config: &ServerConfig) -> Result<Self, Error> {
        let mut tokens = Vec::new();
        for (index, token) in config.tokens.iter().enumerate() {
            let secret = match (&token.token, &token.token_file) {
                (Some(secret), _) => secret.clone(),
                (None, Some(path)) => {
                    let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.clone(), source })?;
                    check_token(&format!("server.tokens[{index}].token_file"), text.trim())?;
                    text.trim().to_owned()
                }
                (None, None) => continue,
            };
            tokens.push((digest(&secret), Actor { name: token.name.clone(), role: token.role }));
        }
        Ok(Self(tokens))
    }

    /// Whether anybody needs one.
    pub(super) fn are_needed(&self) -> bool {
        !self.0.is_empty()
    }

    /// Who sent `headers`. Takes equally long whichever token is sent.
    pub(super) fn actor(&self, headers: &HeaderMap) -> Result<Actor, Problem> {
        if !self.are_needed() {
            return Ok(Actor { name: "loopback".to_owned(), role: Role::Operate });
        }
        let sent = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let sent = sent.and_then(|v| v.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let needed =
            || Problem::new(StatusCode::UNAUTHORIZED, "a token is needed").accepting("Authorization: Bearer TOKEN");
        let Some((_, sent)) = sent else { return Err(needed()) };
        let sent = digest(sent.trim());
        let mut found = u32::MAX;
        for (index, (known, _)) in self.0.iter().enumerate() {
            let same: Choice = known.ct_eq(&sent);
            found.conditional_assign(&u32::try_from(index).unwrap_or(u32::MAX), same);
        }
        let actor = self.0.get(found as usize).map(|(_, actor)| actor.clone());
        actor.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "this token is not known"))
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Refuses `actor` what its role does not hold.
pub(super) fn check_role(actor: &Actor, needed: Role) -> Result<(), Problem> {
    if actor.role >= needed {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, format!("the token {} may read and not operate", actor.name))
        .accepting("a token with the role operate"))
}

/// The names under which browsers may call.
pub(super) struct Hosts {
    bound: IpAddr,
    named: Vec<String>,
    /// Where tokens are needed, a name that was made to point here gains nothing: its page does not hold the token.
    any: bool,
}

impl Hosts {
    /// For a server bound to `bound`.
    pub(super) fn new(config: &ServerConfig, bound: IpAddr) -> Self {
        let named: Vec<String> = config.hosts.iter().map(|h| h.to_ascii_lowercase()).collect();
        Self { bound, any: named.is_empty() && !config.tokens.is_empty(), named }
    }

    /// Refuses a request sent under a foreign name (DNS rebinding). Answers the authority it was sent to.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
        let bad = |error: &str| Problem::field("host", error, self.accepted());
        let mut sent = headers.get_all(header::HOST).iter();
        let header = sent.next().and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<Authority>().ok());
        if sent.next().is_some() {
            return Err(bad("the Host header is given twice"));
        }
        let Some(authority) = uri.authority().cloned().or(header) else {
            return Err(bad("the Host header is missing or not a host"));
        };
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let is_own = match host.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip == self.bound,
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        };
        if is_own || self.any || self.named.contains(&host) {
            return Ok(authority);
        }
        Err(bad("this server is not called by that name"))
    }

    fn accepted(&self) -> String {
        let mut names = vec!["localhost".to_owned(), self.bound.to_string()];
        names.extend(self.named.iter().cloned());
        names.join(", ")
    }
}

/// Refuses a write that another site's page may have caused. Browsers send JSON across sites only after asking, and we never
/// agree; what they say about the origin must fit as well.
pub(super) fn check_same_site(method: &Method, headers: &HeaderMap, own: &Authority) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(|v| v.as_bytes());
    if site.is_some_and(|s| s != b"same-origin" && s != b"none") {
        return Err(Problem::new(StatusCode::FORBIDDEN, "another site may not write here"));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|o| o.parse::<Uri>().ok());
        if origin.as_ref().and_then(Uri::authority) != Some(own) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "another site may not write here"));
        }
    }
    if method != Method::DELETE && !is_json(headers) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not JSON")
            .accepting("Content-Type: application/json"));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    sent.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
