//! Which files a run is about.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::failure::usage;

/// Endings of files that are taken from a folder.
const ENDINGS: [&str; 5] = ["csv", "tsv", "parquet", "pq", "json"];

/// A file, and what results call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InputFile {
    /// Its path below the folder or the pattern's folder; its own path if it was given by name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// The files that `inputs` mean, by name: a file is itself, a folder all data files below it, and a pattern, whose last part
/// holds `*` or `?`, the files of its folder that match.
///
/// # Errors
/// An input that is not there, or holds or matches no file.
pub(crate) fn list(inputs: &[PathBuf]) -> anyhow::Result<Vec<InputFile>> {
    let mut all = Vec::new();
    for input in inputs {
        let found = listed(input).with_context(|| format!("cannot read {}", input.display()))?;
        if found.is_empty() {
            return Err(usage(format!("INPUT {}: there is no such file", input.display())));
        }
        all.extend(found);
    }
    all.sort();
    all.dedup_by(|a, b| a.path == b.path);
    if let Some(pair) = all.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let (a, b) = (pair[0].path.display(), pair[1].path.display());
        return Err(usage(format!("results would call both {a} and {b} {:?}; give their common folder", pair[0].name)));
    }
    Ok(all)
}

fn listed(input: &Path) -> std::io::Result<Vec<InputFile>> {
    if input.is_dir() {
        let mut found = Vec::new();
        walk(input, input, &mut found)?;
        return Ok(found);
    }
    if input.is_file() {
        return Ok(vec![InputFile { name: input.display().to_string(), path: input.to_owned() }]);
    }
    let pattern = input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !pattern.contains(['*', '?']) {
        return Ok(Vec::new());
    }
    let folder = input.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && matches(pattern.as_bytes(), name.as_bytes()) {
            found.push(InputFile { name, path });
        }
    }
    Ok(found)
}

/// Data files below `folder`, hidden ones apart. Links to folders are not followed, so that there is an end to it.
fn walk(root: &Path, folder: &Path, found: &mut Vec<InputFile>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else if is_data(&name) && path.is_file() {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push(InputFile { name, path });
        }
    }
    Ok(())
}

fn is_data(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    // Ground truth that `foresail generate` writes beside its series.
    !plain.ends_with(".truth.json") && plain.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// Whether `name` matches `pattern`, in which `*` stands for any bytes and `?` for one.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last star does not match.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => (p, n) = (p + 1, n + 1),
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (p, n) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.parquet.tmp", false),
            ("a?c*", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xxaxxbxb", true),
            ("*a*b", "xxaxxbx", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_patterns_and_files_are_listed_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("b")).expect("a folder");
        for name in ["b/z.csv.gz", "a.parquet", "c.pq", "notes.txt", ".hidden.csv", "a.truth.json"] {
            fs::write(at(name), "").expect("a file");
        }
        let names = |inputs: &[PathBuf]| -> Vec<String> {
            list(inputs).expect("files").into_iter().map(|file| file.name).collect()
        };
        assert_eq!(names(&[folder.path().to_owned()]), ["a.parquet", "b/z.csv.gz", "c.pq"]);
        assert_eq!(names(&[at("?.p*")]), ["a.parquet", "c.pq"]);
        assert_eq!(names(&[at("a.parquet"), at("a.parquet")]).len(), 1);
        for missing in ["none.csv", "*.xyz"] {
            let said = list(&[at(missing)]).expect_err("no such file").to_string();
            assert!(said.ends_with("there is no such file"), "{said}");
        }
    }
}
