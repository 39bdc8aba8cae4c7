//! The error ids of this module.

/// A tool that kstrim obtained is no longer the file that was verified.
pub(crate) use crate::errors::TOOL_CHANGED as CHANGED;
/// A publisher's checksum is another one than it was.
pub(crate) use crate::errors::TOOL_CHECKSUM_CHANGED as CHECKSUM_CHANGED;
/// A publisher's checksum file is none.
pub(crate) use crate::errors::TOOL_CHECKSUM_FORMAT as CHECKSUM_FORMAT;
/// The record of what was obtained cannot be read.
pub(crate) use crate::errors::TOOL_LEDGER as LEDGER;
/// A mirror of programs uses plain http.
pub(crate) use crate::errors::TOOL_PLAIN_HTTP as PLAIN_HTTP;
/// It is to be removed and was never obtained.
pub(crate) use crate::errors::TOOL_UNKNOWN as UNKNOWN;
/// No trusted source provides a tool's digest.
pub(crate) use crate::errors::TOOL_UNPINNED as UNPINNED;
/// The directory of kstrim's own tools cannot be written.
pub(crate) use crate::errors::TOOL_UNWRITABLE as UNWRITABLE;
