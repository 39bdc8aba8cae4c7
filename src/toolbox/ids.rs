//! The error ids of this module.

use crate::failure::Id;

/// A publisher's checksum file is none.
pub const CHECKSUM_FORMAT: Id = Id("KS-TOOL-CHECKSUM-FORMAT");
/// No trusted source provides a tool's digest.
pub const UNPINNED: Id = Id("KS-TOOL-UNPINNED");
/// A mirror of programs uses plain http.
pub const PLAIN_HTTP: Id = Id("KS-TOOL-PLAIN-HTTP");
/// A publisher's checksum is another one than it was.
pub const CHECKSUM_CHANGED: Id = Id("KS-TOOL-CHECKSUM-CHANGED");
/// A tool that kstrim obtained is no longer the file that was verified.
pub const CHANGED: Id = Id("KS-TOOL-CHANGED");
/// The record of what was obtained cannot be read.
pub const LEDGER: Id = Id("KS-TOOL-LEDGER");
/// The folder of kstrim's own tools cannot be written.
pub const UNWRITABLE: Id = Id("KS-TOOL-UNWRITABLE");
/// It is to be removed and was never obtained.
pub const UNKNOWN: Id = Id("KS-TOOL-UNKNOWN");
