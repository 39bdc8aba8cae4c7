//! Values in messages. A message is printed and logged, so it never contains what could be a secret: a password
//! written in the place of a reference to a Secret is a common mistake.

use serde_json::Value;

use super::document::Document;
use crate::redact;

/// Maximum number of characters of a text in a message.
const LONGEST: usize = 60;

/// The value of a field: shortened, and only the type of a collection or of what could be a secret.
pub(super) fn shown(document: &Document, pointer: &str, value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a sequence".to_owned(),
        Value::Null => "empty".to_owned(),
        Value::String(_) if is_secret(document, pointer) => "a string".to_owned(),
        Value::Number(_) if is_secret(document, pointer) => "a number".to_owned(),
        Value::Bool(_) if is_secret(document, pointer) => "a boolean".to_owned(),
        Value::String(text) => {
            let text = redact::text(text);
            match text.char_indices().nth(LONGEST) {
                Some((end, _)) => format!("{:?}...", &text[..end]),
                None => Value::from(text).to_string(),
            }
        }
        other => other.to_string(),
    }
}

/// Whether the name of a field, or of a field around it, suggests that its value is a secret.
pub(super) fn is_secret(document: &Document, pointer: &str) -> bool {
    let (parent, last) = pointer.rsplit_once('/').unwrap_or_default();
    // The mapping `authorization` has the settings of access rules. Elsewhere it is a header with credentials.
    let around = parent.split('/').any(|key| key != "authorization" && redact::is_secret(key));
    // `env: [{name: DB_PASSWORD, value: ...}]`
    let named = last == "value"
        && ["name", "key"].iter().any(|key| {
            let name = document.object.get(&format!("{parent}/{key}")).and_then(Value::as_str);
            name.is_some_and(redact::is_secret)
        });
    around || named || redact::is_secret(last)
}
