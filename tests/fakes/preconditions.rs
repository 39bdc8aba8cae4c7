//! Preconditions in an object's own metadata: which version of which object it is to overwrite.

use serde_json::Value;

use crate::cluster::text;
use crate::kinds::Resource;

/// How an object violates its precondition.
pub enum Violation {
    Conflict(String),
    /// 422, with kubectl's message.
    Invalid(String),
}

/// Why `new` may not overwrite `old`, if so. For an object that does not exist, a resource version alone is not a
/// precondition; a uid is.
pub fn violation(resource: &Resource, name: &str, new: &Value, old: Option<&Value>) -> Option<Violation> {
    let (uid, version) = (text(new, "/metadata/uid"), text(new, "/metadata/resourceVersion"));
    let cannot = |why: &str| {
        Violation::Conflict(format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.id()))
    };
    let Some(old) = old else {
        let why = format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        );
        return (!uid.is_empty()).then(|| cannot(&why));
    };
    if !version.is_empty() && version != text(old, "/metadata/resourceVersion") {
        return Some(cannot(MODIFIED));
    }
    (!uid.is_empty() && uid != text(old, "/metadata/uid")).then(|| {
        Violation::Invalid(format!(
            "The {} \"{name}\" is invalid: metadata.uid: Invalid value: \"{uid}\": field is immutable",
            resource.kind
        ))
    })
}

/// The message of a 409 caused by the resource version.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";
