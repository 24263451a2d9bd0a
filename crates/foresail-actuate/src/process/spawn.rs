//! Starts the process of a copy.

use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, prlimit, setpriority_process};
use tokio::process::Command;

use super::config::{ProcessConfig, ResourceLimits};
use super::logs::LogFolder;
use super::resize;
use super::running::Running;

/// The variable that marks the processes of copies, for adoption: `FOLDER#ID#PORT`.
pub(super) const MARK: &str = "FORESAIL_COPY";

/// What a process is told of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub(super) id: u64,
    pub(super) port: u16,
    pub(super) workers: u32,
}

impl Role {
    fn fill(&self, template: &str) -> String {
        template
            .replace("{port}", &self.port.to_string())
            .replace("{id}", &self.id.to_string())
            .replace("{workers}", &self.workers.to_string())
    }

    fn mark(&self, folder: &Path) -> String {
        format!("{}#{}#{}", folder.display(), self.id, self.port)
    }
}

/// The id and port in a mark left by an actuator on `folder`.
pub(super) fn read_mark(mark: &str, folder: &Path) -> Option<(u64, u16)> {
    let mut parts = mark.rsplitn(3, '#');
    let port = parts.next()?.parse().ok()?;
    let id = parts.next()?.parse().ok()?;
    (parts.next()? == folder.display().to_string()).then_some((id, port))
}

/// Starts a process in `role`, leading a group of its own: the terminal's Ctrl-C is Foresail's to handle.
pub(super) fn spawn(config: &ProcessConfig, role: &Role, logs: &LogFolder) -> io::Result<Running> {
    let (program, arguments) = config.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(role.fill(program));
    command.args(arguments.iter().map(|argument| role.fill(argument)));
    if !config.inherit_env {
        command.env_clear();
    }
    command.env("PORT", role.port.to_string()).env(MARK, role.mark(&config.folder));
    if let Some(resize) = &config.resize {
        command.env(&resize.env, role.workers.to_string());
        command.env("FORESAIL_SIZE_FILE", resize::size_file(&config.folder));
    }
    command.envs(config.env.iter().map(|(name, value)| (name, role.fill(value))));
    if let Some(folder) = &config.working_folder {
        command.current_dir(folder);
    }
    let (out, err) = output(logs, role.id);
    command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(err);
    let running = Running::own(command.spawn()?);
    limit(running.identity.pid, &config.limits);
    Ok(running)
}

/// The log of the copy; nothing where there is none to be had, since a full disk must not keep copies from starting.
fn output(logs: &LogFolder, id: u64) -> (Stdio, Stdio) {
    let files = logs.file(id).and_then(|file| Ok((file.try_clone()?, file)));
    match files {
        Ok((out, err)) => (out.into(), err.into()),
        Err(error) => {
            tracing::warn!(copy = id, %error, "no log for copy");
            (Stdio::null(), Stdio::null())
        }
    }
}

fn limit(pid: u32, limits: &ResourceLimits) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let warn = |what: &str, result: rustix::io::Result<()>| {
        if let Err(error) = result {
            tracing::warn!(%pid, what, %error, "limit not set");
        }
    };
    let set = |what: &str, resource, value: Option<u64>| {
        if value.is_some() {
            warn(what, prlimit(Some(pid), resource, Rlimit { current: value, maximum: value }).map(drop));
        }
    };
    set("address_space_bytes", Resource::As, limits.address_space_bytes);
    set("open_files", Resource::Nofile, limits.open_files);
    if let Some(nice) = limits.nice {
        warn("nice", setpriority_process(Some(pid), nice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_marks_read_back() {
        let role = Role { id: 7, port: 8080, workers: 4 };
        assert_eq!(role.fill("--listen=:{port} -n {id} -w {workers} {other}"), "--listen=:8080 -n 7 -w 4 {other}");
        let folder = Path::new("/srv/a#b");
        assert_eq!(read_mark(&role.mark(folder), folder), Some((7, 8080)));
        for mark in ["", "/srv/a#b", "/srv/a#b#7", "/srv/a#b#x#80", "/srv/c#7#8080", "/srv/a#b#7#80800"] {
            assert_eq!(read_mark(mark, folder), None, "{mark}");
        }
    }
}
