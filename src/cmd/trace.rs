//! The file of `kstrim up --trace`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::invocation::Invocation;
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// Create the file, before anything is changed.
pub(super) fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|error| {
        let message = format!("{} cannot be written", path.display());
        Box::new(Failure::new(errors::TRACE_UNWRITABLE, Kind::Usage, message).because(error))
    })
}

/// Write what was recorded. A full disk does not make the run fail.
pub(super) fn write(mut file: File, invocation: &Invocation) {
    let Some(json) = invocation.traced() else { return };
    if let Err(error) = file.write_all(json.as_bytes()) {
        invocation.emit.warn(format!("the trace is incomplete: {error}"));
    }
}
