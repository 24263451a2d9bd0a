//! Stops copies when Foresail was killed and had no chance to.
//!
//! A shell that reads the process groups of the copies, a line at a time, from a pipe only Foresail holds. The pipe ends
//! when Foresail does, however it does, and then the shell stops the groups it read of last. This needs nothing of the
//! copies, and no code between fork and exec.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// `$1` is the number of seconds between SIGTERM and SIGKILL.
const SCRIPT: &str = r#"
groups=
while IFS= read -r line; do groups=$line; done
for group in $groups; do kill -s TERM -- "-$group"; done 2>/dev/null
left=$1
while [ "$left" -gt 0 ]; do
    alive=
    for group in $groups; do kill -s 0 -- "-$group" && alive=yes; done 2>/dev/null
    [ -n "$alive" ] || exit 0
    sleep 1
    left=$((left - 1))
done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
exit 0
"#;

/// The shell, and what it was last told.
#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
    pipe: ChildStdin,
    told: Vec<u32>,
    grace: Duration,
}

impl Watchdog {
    pub(super) fn start(grace: Duration) -> io::Result<Self> {
        let seconds = grace.as_secs_f64().ceil().to_string();
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "foresail-watchdog", &seconds])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, pipe, told: Vec::new(), grace })
    }

    /// Says which process groups there are. A watchdog that is gone is replaced.
    pub(super) async fn tell(&mut self, groups: Vec<u32>) -> io::Result<()> {
        if groups == self.told && !matches!(self.child.try_wait(), Ok(Some(_))) {
            return Ok(());
        }
        if self.write(&groups).await.is_err() {
            *self = Self::start(self.grace)?;
            self.write(&groups).await?;
        }
        self.told = groups;
        Ok(())
    }

    /// Ends it with nothing to stop.
    pub(super) async fn release(mut self) {
        drop(self.write(&[]).await); // one that is gone needs no telling
        drop(self.pipe);
        if timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            tracing::warn!(pid = self.child.id(), "watchdog does not end");
        }
    }

    async fn write(&mut self, groups: &[u32]) -> io::Result<()> {
        let line: Vec<String> = groups.iter().map(u32::to_string).collect();
        self.pipe.write_all(format!("{}\n", line.join(" ")).as_bytes()).await?;
        self.pipe.flush().await
    }
}
