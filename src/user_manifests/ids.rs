//! The error ids of this module.

/// The same object occurs twice.
pub(crate) use crate::errors::FILE_DUPLICATE as DUPLICATE;
/// There is no object at all.
pub(crate) use crate::errors::FILE_EMPTY as EMPTY;
/// `--fit` cannot make a manifest fit.
pub(crate) use crate::errors::FILE_FIT as FIT;
/// A kustomization uses what kstrim does not pass to kubectl, or kubectl cannot build it.
pub(crate) use crate::errors::FILE_KUSTOMIZE as KUSTOMIZE;
/// An object belongs to another namespace.
pub(crate) use crate::errors::FILE_NAMESPACE as NAMESPACE;
/// A document is no Kubernetes object.
pub(crate) use crate::errors::FILE_OBJECT as OBJECT;
/// An object refers to what does not exist or does not fit.
pub(crate) use crate::errors::FILE_REFERENCE as REFERENCE;
/// No Strimzi release fits what the manifests request.
pub(crate) use crate::errors::FILE_RELEASE as RELEASE;
/// A resource does not match its definition.
pub(crate) use crate::errors::FILE_SCHEMA as SCHEMA;
/// An object is cluster-scoped, or kstrim installs it itself.
pub(crate) use crate::errors::FILE_SCOPE as SCOPE;
/// It is a Helm template.
pub(crate) use crate::errors::FILE_TEMPLATE as TEMPLATE;
/// It exceeds a limit.
pub(crate) use crate::errors::FILE_TOO_LARGE as TOO_LARGE;
/// A file or directory cannot be read.
pub(crate) use crate::errors::FILE_UNREADABLE as UNREADABLE;
/// It is not valid YAML.
pub(crate) use crate::errors::FILE_YAML as YAML;
