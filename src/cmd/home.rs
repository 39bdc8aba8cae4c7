//! Determines where kstrim stores its files, before a command needs them.

use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::paths;

/// Fail if there are no directories for kstrim's own files.
pub(crate) fn require() -> Result<()> {
    if let Some((variable, folder)) = paths::relative() {
        let message = format!("{variable} cannot be `{}`", folder.display());
        return Err(Box::new(
            Failure::new(crate::errors::SETTING_INVALID, Kind::Usage, message)
                .because("it must be an absolute path: a relative path depends on the working directory"),
        ));
    }
    if paths::unknown() { Err(missing()) } else { Ok(()) }
}

/// The failure of a user without a home directory.
pub(crate) fn missing() -> Box<Failure> {
    Box::new(
        Failure::new(errors::NO_HOME, Kind::Prerequisite, "there is no home directory for kstrim's files")
            .because("HOME is not set, and the user database does not know this user")
            .hint("set HOME to a directory that this user owns: export HOME=/path")
            .hint("or set XDG_STATE_HOME, XDG_CACHE_HOME and XDG_DATA_HOME to absolute paths"),
    )
}
