//! Bots whose networks vouch for them: the name of the address must be of the bot's domain, and the address of that name
//! must be the one that asked (reverse and forward DNS). Looking names up is the edge's work; it keeps the answer for a while
//! and says so in [`Arrival::is_verified_bot`](crate::Arrival::is_verified_bot).

use std::net::IpAddr;

use crate::config::BotRule;

/// The rule of the bot that an agent claims to be, if there is one.
pub fn claimed<'a>(rules: &'a [BotRule], agent: &[u8]) -> Option<&'a BotRule> {
    rules.iter().find(|rule| {
        let name = rule.agent.as_bytes();
        !name.is_empty() && agent.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name))
    })
}

/// Whether the names of `address` and the addresses of those names bear the claim out: `names` holds each name found for the
/// address, with the addresses found for the name.
pub fn is_verified(rule: &BotRule, address: IpAddr, names: &[(&str, &[IpAddr])]) -> bool {
    names.iter().any(|(name, addresses)| {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let is_theirs = rule.domains.iter().any(|domain| {
            let domain = domain.to_ascii_lowercase();
            name.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        is_theirs && addresses.contains(&address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_lead_both_ways() {
        let rule = BotRule { agent: "Googlebot".into(), domains: vec!["googlebot.com".into(), "google.com".into()] };
        let rules = [rule.clone()];
        assert_eq!(claimed(&rules, b"Mozilla/5.0 (compatible; GoogleBot/2.1)"), Some(&rule));
        assert_eq!(claimed(&rules, b"curl"), None);
        let (theirs, other): (IpAddr, IpAddr) = ("66.249.66.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let check = |name: &str, found: IpAddr| is_verified(&rule, theirs, &[(name, &[found])]);
        assert!(check("crawl-1.googlebot.com.", theirs));
        assert!(!check("crawl-1.googlebot.com", other));
        assert!(!check("crawl-1.notgooglebot.com", theirs));
        assert!(!check("googlebot.com.evil.example", theirs));
        assert!(!is_verified(&rule, theirs, &[]));
    }
}
