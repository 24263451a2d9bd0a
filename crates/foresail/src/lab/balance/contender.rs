//! Who is compared.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;

/// A proxy with a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// Ours, `learned` by itself
    Learned,
    /// Ours, `learned` as it is by default: in turn with least-request until it has proved itself, for a minute and more
    LearnedContest,
    /// Ours, `peak_ewma` as it is by default
    PeakEwma,
    /// Ours, `least_request` of all endpoints
    LeastRequest,
    /// nginx, `least_conn`
    NginxLeastConn,
    /// HAProxy, `leastconn` with health checks
    HaproxyLeastconn,
    /// HAProxy, `random(2)` with health checks
    HaproxyRandom2,
    /// HAProxy, `leastconn` with health checks and `observe layer7`
    HaproxyObserve,
}

/// Where a contender's program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Ours,
    Nginx,
    Haproxy,
}

impl Contender {
    /// Those that run unless others are named.
    pub(crate) const USUAL: [Self; 7] = [
        Self::Learned,
        Self::PeakEwma,
        Self::LeastRequest,
        Self::NginxLeastConn,
        Self::HaproxyLeastconn,
        Self::HaproxyRandom2,
        Self::HaproxyObserve,
    ];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::LearnedContest => "learned-contest",
            Self::PeakEwma => "peak-ewma",
            Self::LeastRequest => "least-request",
            Self::NginxLeastConn => "nginx-least-conn",
            Self::HaproxyLeastconn => "haproxy-leastconn",
            Self::HaproxyRandom2 => "haproxy-random2",
            Self::HaproxyObserve => "haproxy-observe",
        }
    }

    pub(super) fn program(self) -> Program {
        match self {
            Self::Learned | Self::LearnedContest | Self::PeakEwma | Self::LeastRequest => Program::Ours,
            Self::NginxLeastConn => Program::Nginx,
            Self::HaproxyLeastconn | Self::HaproxyRandom2 | Self::HaproxyObserve => Program::Haproxy,
        }
    }

    /// Whether it is ours.
    pub(crate) fn is_ours(self) -> bool {
        self.program() == Program::Ours
    }
}

/// The other proxies that are there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installed {
    nginx: Option<(PathBuf, String)>,
    haproxy: Option<(PathBuf, String)>,
}

impl Installed {
    /// Looks for them on the path and where systems keep servers.
    pub(crate) fn find() -> Self {
        Self { nginx: version_of("nginx"), haproxy: version_of("haproxy") }
    }

    fn found(&self, program: Program) -> Option<&(PathBuf, String)> {
        match program {
            Program::Ours => None,
            Program::Nginx => self.nginx.as_ref(),
            Program::Haproxy => self.haproxy.as_ref(),
        }
    }

    /// The file of a program; none of ours.
    pub(super) fn path(&self, program: Program) -> Option<&PathBuf> {
        self.found(program).map(|(path, _)| path)
    }

    /// Whether a contender can run.
    pub(crate) fn has(&self, contender: Contender) -> bool {
        contender.is_ours() || self.found(contender.program()).is_some()
    }

    /// What the programs say of their versions.
    pub(crate) fn versions(&self) -> Vec<String> {
        [&self.nginx, &self.haproxy].into_iter().flatten().map(|(_, version)| version.clone()).collect()
    }
}

/// The file of a program that answers `-v`, and the first line of its answer.
fn version_of(program: &str) -> Option<(PathBuf, String)> {
    ["", "/usr/sbin/", "/usr/local/sbin/"].into_iter().find_map(|folder| {
        let path = PathBuf::from(format!("{folder}{program}"));
        let said = Command::new(&path).arg("-v").stdin(Stdio::null()).output().ok()?;
        let text = if said.stdout.is_empty() { said.stderr } else { said.stdout };
        let first = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
        said.status.success().then_some((path, first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line_and_what_is_absent_is_left_out() {
        for contender in Contender::value_variants() {
            assert_eq!(contender.to_possible_value().unwrap().get_name(), contender.name());
            assert_eq!(Installed::default().has(*contender), contender.is_ours());
        }
        assert_eq!(version_of("no-such-program"), None);
    }
}
