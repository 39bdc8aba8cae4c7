//! The error ids of this module.

/// An entry's content is another one.
pub(crate) use crate::errors::BUNDLE_DIGEST as DIGEST;
/// An entry is not what the index says.
pub(crate) use crate::errors::BUNDLE_ENTRY as ENTRY;
/// There is a file of its name.
pub(crate) use crate::errors::BUNDLE_EXISTS as EXISTS;
/// An image that runs is not in it.
pub(crate) use crate::errors::BUNDLE_INCOMPLETE as INCOMPLETE;
/// Its index is not as kstrim writes it.
pub(crate) use crate::errors::BUNDLE_INDEX as INDEX;
/// A newer kstrim wrote it.
pub(crate) use crate::errors::BUNDLE_NEWER as NEWER;
/// It is for another set than was asked for.
pub(crate) use crate::errors::BUNDLE_SET as SET;
/// A file that should go into it cannot.
pub(crate) use crate::errors::BUNDLE_SOURCE as SOURCE;
/// The file ends before an entry does.
pub(crate) use crate::errors::BUNDLE_TRUNCATED as TRUNCATED;
/// The file cannot be read, or is no bundle.
pub(crate) use crate::errors::BUNDLE_UNREADABLE as UNREADABLE;
/// It, or what is in it, cannot be written.
pub(crate) use crate::errors::BUNDLE_UNWRITABLE as UNWRITABLE;
