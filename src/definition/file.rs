//! Reads a file of definitions without trusting its size.

use super::limits;
use super::report::{Problem, Report, Severity};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The error of reading a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file's path.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The file is larger than definitions may be.
    #[error("{0}")]
    TooLarge(Report),
}

/// Reads a file or a pipe; refuses more bytes than a document may have.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => read_opened(file, &name),
        Err(source) => Err(ReadError::Io { path: name, source }),
    }
}

/// Reads an open file like [`read_file`]; `name` is its name in messages.
pub fn read_opened(file: File, name: &str) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Io { path: name.to_owned(), source };
    let size = file.metadata().map_err(failed)?.len();
    if size > limits::FILE_SIZE as u64 {
        return Err(ReadError::TooLarge(too_large(name, &size.to_string())));
    }
    let mut bytes = Vec::with_capacity(size as usize + 1);
    // A pipe has no size, and a file may grow while it is read.
    file.take(limits::FILE_SIZE as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limits::FILE_SIZE {
        return Err(ReadError::TooLarge(too_large(name, &format!("more than {}", limits::FILE_SIZE))));
    }
    Ok(bytes)
}

pub(super) fn too_large(file: &str, found: &str) -> Report {
    Report::of(Problem {
        severity: Severity::Error,
        file: file.to_owned(),
        line: 1,
        column: 1,
        pointer: String::new(),
        message: format!("found {found} bytes, expected at most {} (64 MiB)", limits::FILE_SIZE),
        hint: None,
        environments: Vec::new(),
    })
}
