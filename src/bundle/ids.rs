//! The error ids of this module.

use crate::failure::Id;

/// The file cannot be read, or is no bundle.
pub const UNREADABLE: Id = Id("KS-BUNDLE-UNREADABLE");
/// A newer kstrim wrote it.
pub const NEWER: Id = Id("KS-BUNDLE-NEWER");
/// Its index is not as kstrim writes it.
pub const INDEX: Id = Id("KS-BUNDLE-INDEX");
/// An entry is not what the index says.
pub const ENTRY: Id = Id("KS-BUNDLE-ENTRY");
/// The file ends before an entry does.
pub const TRUNCATED: Id = Id("KS-BUNDLE-TRUNCATED");
/// An entry's content is another one.
pub const DIGEST: Id = Id("KS-BUNDLE-DIGEST");
/// It is for another set than was asked for.
pub const SET: Id = Id("KS-BUNDLE-SET");
/// An image that runs is not in it.
pub const INCOMPLETE: Id = Id("KS-BUNDLE-INCOMPLETE");
/// A file that should go into it cannot.
pub const SOURCE: Id = Id("KS-BUNDLE-SOURCE");
/// There is a file of its name.
pub const EXISTS: Id = Id("KS-BUNDLE-EXISTS");
/// It, or what is in it, cannot be written.
pub const UNWRITABLE: Id = Id("KS-BUNDLE-UNWRITABLE");
