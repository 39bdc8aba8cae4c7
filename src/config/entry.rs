//! A setting as a file has it.

use std::path::PathBuf;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The setting's name.
    pub key: String,
    /// Its values, as they would be written after the flag.
    pub values: Vec<String>,
    /// The file.
    pub file: PathBuf,
    /// Line in it, from 1.
    pub line: usize,
}
