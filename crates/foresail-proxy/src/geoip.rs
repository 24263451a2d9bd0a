//! The operator's GeoIP databases: read at the start and at a reload, and again when their files change.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foresail_guard::geo::{Databases, MaxMind};

use crate::Error;
use crate::guard::SharedGuard;

/// Reads databases, if there are any. They stay in memory.
///
/// # Errors
/// [`Error::Geoip`] for a file that cannot be read or is no such database.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Option<Arc<Databases>>, Error> {
    let read = |path: &PathBuf| {
        let bad = |cause: String| Error::Geoip { path: path.clone(), cause };
        let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        MaxMind::new(bytes).map_err(|error| bad(error.to_string()))
    };
    let databases = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok((!databases.is_empty()).then(|| Arc::new(Databases::new(databases))))
}

/// What the system says of a file: where it is, how long, and when it and what is said of it last changed. The last no tool sets
/// back, so that this tells as much as reading tens of megabytes every few seconds would.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    let (changed, modified) = ((found.ctime(), found.ctime_nsec()), (found.mtime(), found.mtime_nsec()));
    Some((found.dev(), found.ino(), found.len(), modified, changed))
}

/// Which files are in use, and as of when.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Watcher(Vec<(PathBuf, Option<Stamp>)>);

impl Watcher {
    /// To be made before the files are read.
    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        Self(paths.iter().map(|path| (path.clone(), stamp(path))).collect())
    }

    /// Reads the files again if they are others than they were. If one is no good, those in use stay until it changes again.
    pub(crate) fn look(&mut self, paths: &[PathBuf], guard: &SharedGuard) {
        let current = Self::new(paths);
        if current == *self {
            return;
        }
        *self = current;
        match load(paths) {
            Ok(databases) => {
                tracing::info!(?databases, "GeoIP databases read again");
                guard.set_databases(databases);
            }
            Err(error) => tracing::warn!(%error, "changed GeoIP databases are no good, the old ones stay"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use foresail_guard::GuardConfig;
    use foresail_guard::geo::Geo;

    use super::*;
    use crate::mmdb::{Value, database};

    /// What one address is said to be in, after a look at the files.
    fn look(watcher: &mut Watcher, paths: &[PathBuf], guard: &SharedGuard) -> String {
        watcher.look(paths, guard);
        let databases = guard.databases.load();
        let country = databases.as_ref().and_then(|databases| databases.locate([192, 0, 2, 1].into()).country);
        country.map_or("none".to_owned(), |country| country.to_string())
    }

    #[test]
    fn changed_files_are_read_again_and_what_is_no_good_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countries.mmdb");
        let country = |code: &str| database("GeoLite2-Country", [("192.0.2.0/24", Value::country(code))]);
        let write = |bytes: &[u8]| {
            std::fs::write(folder.path().join("new"), bytes).unwrap();
            // A tool that unpacks or copies may set the time of a change to whatever it was elsewhere.
            let file = std::fs::File::options().write(true).open(folder.path().join("new")).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
            std::fs::rename(folder.path().join("new"), &path).unwrap();
        };
        write(&country("DE"));
        let paths = [path.clone()];
        let guard = SharedGuard::new(1, &GuardConfig::default());
        let mut watcher = Watcher::new(&paths);
        guard.set_databases(load(&paths).unwrap());
        assert_eq!(look(&mut watcher, &paths, &guard), "DE");
        write(&country("FR"));
        assert_eq!(look(&mut watcher, &paths, &guard), "FR");
        write(b"half of a databa");
        assert_eq!(look(&mut watcher, &paths, &guard), "FR");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look(&mut watcher, &paths, &guard), "FR");
        write(&country("IT"));
        assert_eq!(look(&mut watcher, &paths, &guard), "IT");
        // Other settings are other files.
        assert_eq!(look(&mut watcher, &[], &guard), "none");
        assert_eq!(look(&mut watcher, &paths, &guard), "IT");
    }
}
