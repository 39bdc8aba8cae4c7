//! What kstrim may do about each cause. `docs/errors.md` has the same table; a test compares them.

use super::finding::Severity::{self, Consent, Explain, Heal, Prevent};
use crate::failure::Id;

/// Ids of which more can be done than to explain them.
pub const TABLE: &[(Severity, &[&str])] = &[
    (
        Prevent,
        &[
            "KS-COMPONENT-BROKERS",
            "KS-COMPONENT-IN-USE",
            "KS-CONFIG-KEY",
            "KS-CONFIG-UNREADABLE",
            "KS-CONFIG-VALUE",
            "KS-CONTEXT-FORBIDDEN",
            "KS-CONTEXT-STRIMZI",
            "KS-CONTEXT-UNKNOWN",
            "KS-JOURNAL-NEWER",
            "KS-KUBERNETES-UNSUPPORTED",
            "KS-LOCKED",
            "KS-MANIFEST-DUPLICATE",
            "KS-MANIFEST-EMPTY",
            "KS-MANIFEST-KIND-UNKNOWN",
            "KS-MANIFEST-NAMESPACE",
            "KS-MANIFEST-OBJECT",
            "KS-MANIFEST-OPERATOR",
            "KS-MANIFEST-RELEASE",
            "KS-MANIFEST-YAML",
            "KS-OPERATOR-ELSEWHERE",
            "KS-POOL-TAKEN",
            "KS-PRESET-UNSUPPORTED",
            "KS-PROFILE-SETTINGS",
            "KS-RELEASE-DOWNGRADE",
            "KS-RELEASE-UPGRADE",
            "KS-SETTING-INVALID",
            "KS-TOOL-MISSING",
            "KS-TOOL-TOO-OLD",
            "KS-UPGRADE-NO-PATH",
            "KS-USAGE",
            "KS-VERSION-CONTRADICTION",
            "KS-VERSION-KAFKA-UNKNOWN",
            "KS-VERSION-KUBERNETES-UNKNOWN",
            "KS-VERSION-MINIKUBE-UNSUPPORTED",
            "KS-VERSION-RELEASE-UNKNOWN",
        ],
    ),
    (
        Heal,
        &[
            "KS-CERTIFICATE-EXPIRED",
            "KS-CONTEXT-MISSING",
            "KS-KAFKA-UNOBSERVED",
            "KS-NAMESPACE-FINALIZER",
            "KS-OPERATOR-BINDING",
            "KS-OPERATOR-FORBIDDEN",
            "KS-OPERATOR-LOCK",
            "KS-OPERATOR-MISSING",
            "KS-TOPIC-FINALIZER",
        ],
    ),
    (
        Consent,
        &[
            "KS-CLUSTER-ID",
            "KS-CONSENT",
            "KS-CRDS-FOREIGN",
            "KS-KAFKA-FOREIGN",
            "KS-KAFKA-PAUSED",
            "KS-NAMESPACE-FOREIGN",
            "KS-OLD-VOLUMES",
            "KS-OPERATOR-FOREIGN",
            "KS-PROFILE-FOREIGN",
            "KS-ROOT",
        ],
    ),
];

/// What kstrim may do about it; what is not in [`TABLE`] is only explained.
pub fn severity(id: Id) -> Severity {
    TABLE.iter().find(|(_, ids)| ids.contains(&id.0)).map_or(Explain, |(severity, _)| *severity)
}
