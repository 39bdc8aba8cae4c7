//! The names of components.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::NameError;

/// What can run in addition to Kafka, by the name that users specify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentName {
    /// Kafka Connect.
    Connect,
    /// MirrorMaker 2.
    MirrorMaker,
    /// The HTTP bridge.
    Bridge,
    /// Cruise Control.
    CruiseControl,
    /// The Kafka Exporter.
    Exporter,
    /// The brokers' own metrics.
    Metrics,
}

impl ComponentName {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Connect, Self::MirrorMaker, Self::Bridge, Self::CruiseControl, Self::Exporter, Self::Metrics];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::MirrorMaker => "mirror-maker",
            Self::Bridge => "bridge",
            Self::CruiseControl => "cruise-control",
            Self::Exporter => "exporter",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ComponentName {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|name| name.as_str() == given).ok_or_else(|| {
            let near = Self::ALL.into_iter().min_by_key(|n| strsim::damerau_levenshtein(n.as_str(), given));
            NameError {
                what: "component",
                given: given.to_owned(),
                rule: "valid components are connect, mirror-maker, bridge, cruise-control, exporter and \
                       metrics",
                suggestion: near.map(|name| name.as_str().to_owned()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_parsed_by_name() {
        for name in ComponentName::ALL {
            assert_eq!(name.as_str().parse(), Ok(name));
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        let wrong = "mirrormaker".parse::<ComponentName>().unwrap_err();
        assert_eq!(wrong.suggestion(), Some("mirror-maker"));
    }
}
