//! A setting in a file.

use std::path::PathBuf;

/// Where a value is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The setting's name.
    pub key: String,
    /// Its values, as they would be written after the flag.
    pub values: Vec<String>,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}
