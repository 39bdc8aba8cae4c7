//! The error ids of this module.

use crate::failure::Id;

/// A file or folder of manifests cannot be read.
pub const UNREADABLE: Id = Id("KS-MANIFEST-UNREADABLE");
/// It is not valid YAML, or more than the limits allow.
pub const YAML: Id = Id("KS-MANIFEST-YAML");
/// A file is larger than 16 MiB.
pub const TOO_LARGE: Id = Id("KS-MANIFEST-TOO-LARGE");
/// A document is no Kubernetes object.
pub const OBJECT: Id = Id("KS-MANIFEST-OBJECT");
/// The same object occurs twice.
pub const DUPLICATE: Id = Id("KS-MANIFEST-DUPLICATE");
/// There is no object at all.
pub const EMPTY: Id = Id("KS-MANIFEST-EMPTY");
/// An object's kind is not one kstrim knows how to place.
pub const KIND: Id = Id("KS-MANIFEST-KIND-UNKNOWN");
/// An object or a binding's subject belongs to another namespace.
pub const NAMESPACE: Id = Id("KS-MANIFEST-NAMESPACE");
/// The manifest has no cluster operator Deployment in the shape kstrim can patch.
pub const OPERATOR: Id = Id("KS-MANIFEST-OPERATOR");
/// A downloaded or mirrored manifest is not the one the catalogue knows.
pub const DIGEST: Id = Id("KS-MANIFEST-DIGEST");
/// The given manifest is that of another release.
pub const RELEASE: Id = Id("KS-MANIFEST-RELEASE");
/// The preset does not exist for the release.
pub const PRESET: Id = Id("KS-PRESET-UNSUPPORTED");
