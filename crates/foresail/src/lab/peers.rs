//! Other proxies that ours is compared with.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where a contender's program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Ours,
    Nginx,
    Haproxy,
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
    pub(crate) fn path(&self, program: Program) -> Option<&PathBuf> {
        self.found(program).map(|(path, _)| path)
    }

    /// Whether a program can run.
    pub(crate) fn has(&self, program: Program) -> bool {
        program == Program::Ours || self.found(program).is_some()
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
    fn what_is_absent_cannot_run_and_ours_can() {
        let none = Installed::default();
        assert!(none.has(Program::Ours) && !none.has(Program::Nginx) && !none.has(Program::Haproxy));
        assert_eq!((none.path(Program::Ours), none.versions().len()), (None, 0));
        assert_eq!(version_of("no-such-program"), None);
    }
}
