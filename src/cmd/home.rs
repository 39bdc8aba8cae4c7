//! Where kstrim keeps its files has to be known before a verb needs it.

use crate::failure::{Failure, Kind, Result};
use crate::paths;

/// There is no home directory, and no variable names kstrim's folders.
pub(crate) use crate::errors::NO_HOME;

/// Refuse to go on without folders for kstrim's own files.
///
/// # Errors
/// [`NO_HOME`], `KS-SETTING-INVALID` for a folder that is named by a relative path.
pub fn require() -> Result<()> {
    if let Some((variable, folder)) = paths::relative() {
        let message = format!("{variable} cannot be `{}`", folder.display());
        return Err(Box::new(Failure::new(crate::errors::SETTING_INVALID, Kind::Usage, message).because(
            "it takes an absolute path: a relative one is another folder from each working directory",
        )));
    }
    if paths::unknown() { Err(missing()) } else { Ok(()) }
}

/// The failure of a user without a home directory.
pub fn missing() -> Box<Failure> {
    Box::new(
        Failure::new(NO_HOME, Kind::Prerequisite, "there is no home directory to keep kstrim's files in")
            .because("HOME is not set, and the user database does not know this user")
            .hint("set HOME to a folder of this user's: export HOME=/path")
            .hint("or name the folders: XDG_STATE_HOME, XDG_CACHE_HOME and XDG_DATA_HOME, as absolute paths"),
    )
}
