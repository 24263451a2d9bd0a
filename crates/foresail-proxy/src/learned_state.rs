//! What the guard and the router know, kept in files over restarts.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How often what is learned is saved.
pub(crate) const EVERY: Duration = Duration::from_secs(600);

/// What `whose` state was saved. None if nothing was, or if it is of no use: then it is learned anew, which a log line says.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, whose: &'static str) -> Option<T> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::info!(path = %path.display(), "no state of the {whose} yet, it begins anew");
            return None;
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the state of the {whose} cannot be read, it begins anew");
            return None;
        }
    };
    match serde_json::from_slice(&text) {
        Ok(saved) => Some(saved),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the state of the {whose} is no good, it begins anew");
            None
        }
    }
}

/// Writes it beside the file and puts it in its place, so that a crash leaves the old or the new one. It may hold secrets, so
/// that nobody but its owner may read it. A failure is logged: whoever learns does not depend on it.
pub(crate) fn write<T: Serialize>(path: &Path, whose: &'static str, saved: &T) {
    if let Err(error) = try_write(path, saved) {
        tracing::warn!(path = %path.display(), %error, "the state of the {whose} cannot be written");
    }
}

fn try_write<T: Serialize>(path: &Path, saved: &T) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let text = serde_json::to_vec(saved)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&name)?;
    // It may have been left by a crash, or by somebody.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&name, path)
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use foresail_guard::{GuardConfig, Learner, Saved, Secrets};

    use super::*;

    #[test]
    fn what_is_written_is_read_by_its_owner_alone_and_what_is_damaged_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard.json");
        let read = |path: &Path| read::<Saved>(path, "guard");
        assert!(read(&path).is_none());
        let learned = Learner::new(&GuardConfig::default(), SeededRng::seed_from_u64(1)).state();
        write(&path, "guard", &Saved { secrets: Secrets { hash: [1, u64::MAX], signing: [3; 32] }, learned });
        let saved = read(&path).unwrap();
        assert_eq!((saved.secrets.hash, saved.secrets.signing), ([1, u64::MAX], [3; 32]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path).is_none());
        write(Path::new("/nowhere/at/all"), "guard", &saved);
    }
}
