//! The ranges of what is configured.

use std::time::Duration;

use super::config::{Backoff, PortRange, Probe, ProcessConfig, Resize, ResourceLimits, Warm};
use foresail_core::humane;

use crate::Error;

impl ProcessConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Config`] for the first value outside its range.
    pub fn check(&self) -> Result<(), Error> {
        const MS_10: Duration = Duration::from_millis(10);
        const HOUR: Duration = Duration::from_secs(3600);
        const PATH: &str = "a path beginning with a slash, without spaces";
        let path_is_good = |path: &str| path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic());
        let name_is_good = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);

        let program = self.command.first().map_or("", String::as_str);
        holds(!program.is_empty(), "command", &program, "a program and its arguments")?;
        let text = self.command.iter().chain(self.env.values()).find(|text| text.contains('\0'));
        holds(text.is_none(), "command", &text.map_or("", String::as_str), "text without NUL")?;
        let folder = self.folder.display().to_string();
        holds(!folder.is_empty(), "folder", &folder, "a folder")?;
        let name = self.env.keys().find(|name| !name_is_good(name));
        holds(name.is_none(), "env", &name.map_or("", String::as_str), "a name without = and NUL")?;
        holds((1..=10_000).contains(&self.max_copies), "max_copies", &self.max_copies, "1 to 10000")?;
        holds(self.initial <= self.max_copies, "initial", &self.initial, "at most max_copies")?;
        if let Some(PortRange { first, last }) = self.ports {
            holds(first >= 1024, "ports.first", &first, "1024 to 65535")?;
            holds(last >= first, "ports.last", &last, "ports.first to 65535")?;
            let room = u32::from(last - first) + 1;
            holds(room >= self.max_copies, "ports", &room, "at least max_copies ports")?;
        }

        if let Probe::Http { path } = &self.readiness.probe {
            holds(path_is_good(path), "readiness.probe.path", path, PATH)?;
        }
        within("readiness.interval", self.readiness.interval, MS_10, HOUR / 6, "10ms to 10m")?;
        within("readiness.ready_interval", self.readiness.ready_interval, MS_10, HOUR / 6, "10ms to 10m")?;
        within("readiness.timeout", self.readiness.timeout, MS_10, HOUR / 6, "10ms to 10m")?;
        let unready_after = self.readiness.unready_after;
        holds((1..=100).contains(&unready_after), "readiness.unready_after", &unready_after, "1 to 100")?;
        within("readiness.hang_timeout", self.readiness.hang_timeout, Duration::ZERO, HOUR, "0s to 1h")?;
        within("start_timeout", self.start_timeout, MS_10 * 10, HOUR, "100ms to 1h")?;
        within("drain", self.drain, Duration::ZERO, HOUR / 6, "0s to 10m")?;
        within("grace", self.grace, Duration::ZERO, HOUR, "0s to 1h")?;

        let Backoff { initial, max, stable_after, give_up_after } = self.backoff;
        within("backoff.initial", initial, MS_10, HOUR, "10ms to 1h")?;
        within("backoff.max", max, initial, HOUR * 24, "backoff.initial to 24h")?;
        within("backoff.stable_after", stable_after, Duration::ZERO, HOUR * 24, "0s to 24h")?;
        holds(give_up_after != Some(0), "backoff.give_up_after", &0, "1 or more")?;

        let ResourceLimits { address_space_bytes, open_files, nice } = self.limits;
        let bytes = address_space_bytes.unwrap_or(u64::MAX);
        holds(bytes >= 1 << 20, "limits.address_space_bytes", &bytes, "1048576 or more")?;
        let files = open_files.unwrap_or(u64::MAX);
        holds(files >= 16, "limits.open_files", &files, "16 or more")?;
        let nice = nice.unwrap_or(0);
        holds((-20..=19).contains(&nice), "limits.nice", &nice, "-20 to 19")?;

        if let Some(Resize { base_workers, env, .. }) = &self.resize {
            holds((1..=100_000).contains(base_workers), "resize.base_workers", base_workers, "1 to 100000")?;
            holds(name_is_good(env), "resize.env", env, "a name without = and NUL")?;
        }
        if let Some(Warm { path, timeout }) = &self.warm {
            holds(path_is_good(path), "warm.path", path, PATH)?;
            within("warm.timeout", *timeout, MS_10, HOUR, "10ms to 1h")?;
        }
        holds(self.logs.max_bytes >= 1024, "logs.max_bytes", &self.logs.max_bytes, "1024 or more")?;
        holds(self.logs.keep <= 10_000, "logs.keep", &self.logs.keep, "0 to 10000")
    }
}

fn holds(good: bool, key: &'static str, value: &dyn std::fmt::Display, range: &'static str) -> Result<(), Error> {
    if good { Ok(()) } else { Err(Error::Config { key, value: value.to_string(), range }) }
}

fn within(
    key: &'static str,
    value: Duration,
    least: Duration,
    most: Duration,
    range: &'static str,
) -> Result<(), Error> {
    holds(value >= least && value <= most, key, &humane::format(value), range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_key_value_and_range() {
        let check = |change: &dyn Fn(&mut ProcessConfig), expected: &str| {
            let mut config = ProcessConfig::new(["serve"], "/x");
            change(&mut config);
            assert_eq!(config.check().unwrap_err().to_string(), expected);
        };
        check(&|c| c.command.clear(), "command = : expected a program and its arguments");
        check(&|c| c.initial = 101, "initial = 101: expected at most max_copies");
        check(&|c| c.readiness.interval = Duration::from_millis(1), "readiness.interval = 1ms: expected 10ms to 10m");
        check(&|c| c.backoff.max = Duration::ZERO, "backoff.max = 0s: expected backoff.initial to 24h");
        check(&|c| c.limits.nice = Some(20), "limits.nice = 20: expected -20 to 19");
        check(
            &|c| c.ports = Some(PortRange { first: 9000, last: 9001 }),
            "ports = 2: expected at least max_copies ports",
        );
        check(
            &|c| c.readiness.probe = Probe::Http { path: "ok".to_owned() },
            "readiness.probe.path = ok: expected a path beginning with a slash, without spaces",
        );
    }
}
