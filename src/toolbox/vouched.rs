//! Which digest proves that a file is minikube or kubectl: the catalogue's, the user's own, the publisher's by https,
//! or that of a bundle. A mirror only delivers bytes; its checksums are not trusted.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checksum;
use crate::catalogue::programs;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Tool, Version};

/// The source of a program's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Voucher {
    /// The catalogue of this kstrim.
    Catalogue,
    /// The user, by `--tool-digests`.
    User,
    /// The publisher's checksum file, by https from the publisher's own host.
    Publisher,
    /// A bundle that the user specified.
    Bundle,
}

/// The digests that the user trusts, by name such as `kubectl-1.37.0-linux-amd64`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests(BTreeMap<String, String>);

/// The name of a program in such a file.
pub(crate) fn name(tool: Tool, version: &Version, platform: &str) -> String {
    format!("{tool}-{version}-{platform}")
}

impl Digests {
    /// Read a file with lines in the format of `sha256sum`.
    pub fn read(file: &Path) -> Result<Self> {
        let refuse = |why: String| {
            let message = format!("{} contains no digests of programs", file.display());
            Box::new(Failure::new(errors::TOOL_CHECKSUM_FORMAT, Kind::Usage, message).because(why).hint(
                "each line has 64 hexadecimal digits, two spaces and a name: kubectl-1.37.0-linux-amd64",
            ))
        };
        let mut bytes = Vec::new();
        let opened =
            fs::File::open(file).and_then(|f| f.take(checksum::SIZE_LIMIT + 1).read_to_end(&mut bytes));
        opened.map_err(|e| refuse(e.to_string()))?;
        Self::parse(&bytes).map_err(refuse)
    }

    /// The digests in such a text.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        if bytes.len() as u64 > checksum::SIZE_LIMIT {
            return Err(format!("it has more than {} bytes", checksum::SIZE_LIMIT));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
        let mut digests = BTreeMap::new();
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
        for (at, line) in lines.map(|(at, line)| (at + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((digest, name)) = line.split_once(char::is_whitespace) else {
                return Err(format!("line {at} has no name"));
            };
            let name = name.trim_start().trim_start_matches('*');
            if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(format!("line {at}: not 64 hexadecimal digits"));
            }
            let known = Tool::ALL.iter().any(|tool| name.starts_with(&format!("{tool}-")));
            if !known || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c)) {
                return Err(format!(
                    "line {at}: {name:?} is not minikube-VERSION-PLATFORM or kubectl-VERSION-PLATFORM"
                ));
            }
            if digests.insert(name.to_owned(), digest.to_ascii_lowercase()).is_some() {
                return Err(format!("line {at}: a second digest of {name}"));
            }
        }
        Ok(Self(digests))
    }

    /// The digest that a program must have, and its source: the user's takes precedence over the catalogue's. `None`:
    /// it is not known.
    pub fn pinned(&self, tool: Tool, version: &Version, platform: &str) -> Option<(String, Voucher)> {
        let own = self.0.get(&name(tool, version, platform)).cloned().map(|digest| (digest, Voucher::User));
        own.or_else(|| {
            programs::digest(tool, version, platform).map(|digest| (digest.to_owned(), Voucher::Catalogue))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_sha256sum_writes_them() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let text = format!("# ours\n{a}  kubectl-9.9.9-linux-amd64\r\n\n{b} *minikube-9.9.9-linux-amd64\n");
        let digests = Digests::parse(text.as_bytes()).expect("digests");
        let pinned = |tool| digests.pinned(tool, &Version::new(9, 9, 9), "linux-amd64");
        assert_eq!(pinned(Tool::Kubectl), Some((a.clone(), Voucher::User)));
        assert_eq!(pinned(Tool::Minikube), Some((b.to_ascii_lowercase(), Voucher::User)));
        let newest = Version::new(1, 38, 1);
        let (_, voucher) = digests.pinned(Tool::Minikube, &newest, "linux-amd64").expect("in the catalogue");
        assert_eq!(voucher, Voucher::Catalogue);
        for (text, why) in [
            (a.clone(), "line 1 has no name"),
            (format!("\n{}  kubectl-1.0.0-linux-amd64", &a[1..]), "line 2: not 64"),
            (format!("{a}  helm-1.0.0-linux-amd64"), "is not minikube-VERSION"),
            (format!("{a}  kubectl-1.0.0/../x"), "is not minikube-VERSION"),
            (format!("{a}  kubectl-1.0.0-x\n{b}  kubectl-1.0.0-x"), "line 2: a second digest"),
            (" ".repeat(20_000), "more than"),
        ] {
            let found = Digests::parse(text.as_bytes()).expect_err(&text);
            assert!(found.contains(why), "{text}: {found}");
        }
    }
}
