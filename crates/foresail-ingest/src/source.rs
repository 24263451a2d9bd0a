//! Where bytes come from.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// An input: a file, standard input or anything that can be read.
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// Any reader, and the name by which errors and the quality summary call it.
    Reader {
        /// Its name; the ending counts where the first bytes leave the format open.
        name: String,
        /// The bytes.
        reader: Box<dyn Read>,
    },
}

impl Source {
    /// Bytes in memory.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::Reader { name: name.into(), reader: Box::new(Cursor::new(bytes.into())) }
    }

    /// How errors call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Reader { name, .. } => name.clone(),
        }
    }

    /// Opens it; a regular file is also handed out by path, for formats that seek.
    pub(crate) fn open(self) -> io::Result<(Box<dyn Read>, Option<PathBuf>)> {
        Ok(match self {
            Self::Path(path) => {
                let file = File::open(&path)?;
                if file.metadata()?.is_dir() {
                    return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
                }
                let seekable = file.metadata()?.is_file().then_some(path);
                (Box::new(file), seekable)
            }
            Self::Stdin => (Box::new(io::stdin().lock()), None),
            Self::Reader { reader, .. } => (reader, None),
        })
    }
}

/// `-` is standard input.
impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::Path(path.to_owned()) }
    }
}

/// `-` is standard input.
impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Self::from(Path::new(path))
    }
}

/// `-` is standard input.
impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::from(path.as_path())
    }
}
