//! The error ids of this module.

/// A downloaded or mirrored manifest is not the one the catalogue knows.
pub(crate) use crate::errors::MANIFEST_DIGEST as DIGEST;
/// The same object occurs twice.
pub(crate) use crate::errors::MANIFEST_DUPLICATE as DUPLICATE;
/// There is no object at all.
pub(crate) use crate::errors::MANIFEST_EMPTY as EMPTY;
/// An object's kind is not one kstrim knows how to place.
pub(crate) use crate::errors::MANIFEST_KIND_UNKNOWN as KIND;
/// An object or a binding's subject belongs to another namespace.
pub(crate) use crate::errors::MANIFEST_NAMESPACE as NAMESPACE;
/// A document is no Kubernetes object.
pub(crate) use crate::errors::MANIFEST_OBJECT as OBJECT;
/// The manifest has no cluster operator Deployment in the shape kstrim can patch.
pub(crate) use crate::errors::MANIFEST_OPERATOR as OPERATOR;
/// The given manifest is that of another release.
pub(crate) use crate::errors::MANIFEST_RELEASE as RELEASE;
/// A file is larger than 16 MiB.
pub(crate) use crate::errors::MANIFEST_TOO_LARGE as TOO_LARGE;
/// A file or directory of manifests cannot be read.
pub(crate) use crate::errors::MANIFEST_UNREADABLE as UNREADABLE;
/// It is not valid YAML, or more than the limits allow.
pub(crate) use crate::errors::MANIFEST_YAML as YAML;
/// The preset does not exist for the release.
pub(crate) use crate::errors::PRESET_UNSUPPORTED as PRESET;
