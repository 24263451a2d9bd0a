//! One run taking over from another on the same data folder, without a request lost: a conversation over a socket there.
//!
//! The successor asks; the one before ends its loops, leaves the copies, gives the folder up and says so, its proxies still
//! serving; the successor takes the folder, adopts the copies, shares the addresses and says that it serves; then the one
//! before lets its last requests finish and ends. A successor that goes away before it serves has changed nothing: the one
//! before takes everything back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// How long either side may take: policies rehearse their history before a loop turns.
const PATIENCE: Duration = Duration::from_secs(120);
const ASK: &[u8; 4] = b"ask\n";
const GIVEN: &[u8; 4] = b"tak\n";
const SERVING: &[u8; 4] = b"srv\n";

fn path(data: &Path) -> PathBuf {
    data.join("foresail.sock")
}

/// Where a successor may ask.
pub(crate) struct Door {
    listener: Option<UnixListener>,
    path: PathBuf,
}

impl Door {
    /// Opens it in `data`. One that cannot be opened is told, and nobody will take over.
    pub(crate) fn open(data: &Path) -> Self {
        let path = path(data);
        // What a run before left here: the folder's lock says that it is gone.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)
            .inspect_err(|e| tracing::warn!("no other run can take over from this one: {}: {e}", path.display()));
        Self { listener: listener.ok(), path }
    }

    /// Waits for a successor that asks. Only who may write to the folder gets this far.
    pub(crate) async fn asked(&self) -> Heir {
        let Some(listener) = &self.listener else { return std::future::pending().await };
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            if let Ok(Ok(())) = timeout(Duration::from_secs(5), expect(&mut stream, ASK)).await {
                return Heir(stream);
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if self.listener.is_some() {
            // A successor's door may stand there by now; it is opened after this one is closed.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A run that wants to take over.
pub(crate) struct Heir(UnixStream);

impl Heir {
    /// Tells it that the folder is free, and waits until it serves.
    ///
    /// # Errors
    /// If it goes away before, or takes too long.
    pub(crate) async fn takes(&mut self) -> anyhow::Result<()> {
        self.0.write_all(GIVEN).await?;
        timeout(PATIENCE, expect(&mut self.0, SERVING)).await.context("it took too long")?
    }
}

/// A run to take over from.
pub(crate) struct Predecessor(UnixStream);

impl Predecessor {
    /// Asks the run on `data` to give it up, and waits until it has. None if nobody is there.
    ///
    /// # Errors
    /// If it does not give it up.
    pub(crate) async fn ask(data: &Path) -> anyhow::Result<Option<Self>> {
        let Ok(mut stream) = UnixStream::connect(path(data)).await else { return Ok(None) };
        stream.write_all(ASK).await?;
        let given = timeout(PATIENCE, expect(&mut stream, GIVEN)).await;
        given.context("the run before does not give up its data folder")??;
        Ok(Some(Self(stream)))
    }

    /// Tells it that its addresses are served.
    ///
    /// # Errors
    /// If it has gone away.
    pub(crate) async fn relieve(mut self) -> anyhow::Result<()> {
        Ok(self.0.write_all(SERVING).await?)
    }
}

async fn expect(stream: &mut UnixStream, word: &[u8; 4]) -> anyhow::Result<()> {
    let mut heard = [0; 4];
    if stream.read_exact(&mut heard).await.is_err() {
        bail!("it has gone away");
    }
    ensure!(heard == *word, "it says something else");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_given_up_and_taken_and_a_successor_that_dies_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Predecessor::ask(folder.path()).await.unwrap().is_none(), "nobody is there");
        let door = Door::open(folder.path());
        let before = async {
            let mut heir = door.asked().await;
            heir.takes().await
        };
        let after = async { Predecessor::ask(folder.path()).await.unwrap().unwrap().relieve().await };
        let (took, relieved) = tokio::join!(before, after);
        took.unwrap();
        relieved.unwrap();

        let before = async {
            let mut heir = door.asked().await;
            heir.takes().await
        };
        let after = async { drop(Predecessor::ask(folder.path()).await.unwrap().unwrap()) };
        let (took, ()) = tokio::join!(before, after);
        assert_eq!(took.unwrap_err().to_string(), "it has gone away");
    }
}
