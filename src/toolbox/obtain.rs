//! Installs a tool: which source is trusted for its digest, and where the file may come from.

use std::fs;
use std::path::{Path, PathBuf};

use super::ledger::Entry;
use super::vouched::{self, Digests, Voucher};
use super::{Toolbox, checksum};
use crate::catalogue::programs;
use crate::command_line::CommandLine;
use crate::download::{self, OnProgress, Request, Settings, Source, Store};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Tool, Version};

/// Maximum size of a program, in bytes. minikube has about 130 MB.
const SIZE_LIMIT: u64 = 512 << 20;
/// The cache's directories for downloads.
const CLASS: &str = "tools";
const CHECKSUMS: &str = "checksums";

impl Toolbox {
    /// A tool with this version: the existing one, otherwise the publisher's, or its mirror's. Blocking.
    pub fn obtain(
        &self,
        tool: Tool,
        version: &Version,
        store: &Store,
        digests: &Digests,
        progress: OnProgress<'_>,
    ) -> Result<PathBuf> {
        if let Some(path) = self.verified(tool, version)? {
            return Ok(path);
        }
        let url = self.url(tool, version);
        let pinned = digests.pinned(tool, version, &self.platform);
        if let Some(mirror) = store.source.plain_http() {
            return Err(plain_http(tool, mirror));
        }
        let (expected, voucher) = match pinned {
            Some((digest, voucher)) => {
                self.remembered(tool, version, &digest, "its known digest")?;
                (digest, voucher)
            }
            None if store.source == Source::Origin => {
                (self.published(tool, version, &url, store, progress)?, Voucher::Publisher)
            }
            None => return Err(self.unpinned(tool, version, &store.source.shown(&url))),
        };
        let settings = Settings { size_limit: SIZE_LIMIT, ..store.settings.clone() };
        let store = Store { settings, ..store.clone() };
        let request = Request { url: &url, class: CLASS, digest: Some(&expected), verify: &download::sha256 };
        let fetched = store.fetch(&request, progress)?;
        let from = fetched.from.unwrap_or(url);
        let path = self.install_from_file(tool, version, &fetched.path, (&expected, voucher), &from)?;
        // It is installed: a second copy of that size is not needed.
        let _ = fs::remove_file(&fetched.path);
        Ok(path)
    }

    /// No digest is known for it, and it would not come from its publisher.
    fn unpinned(&self, tool: Tool, version: &Version, from: &str) -> Box<Failure> {
        let message = format!("no trusted digest is known for {tool} {version} from {from}");
        let name = vouched::name(tool, version, &self.platform);
        // A mirror may also be set by a variable or a settings file.
        let install = CommandLine::new("kstrim tools install").arg(format!("{tool}@{version}"));
        let install = install.args(["--mirror", ""]);
        Box::new(
            Failure::new(errors::TOOL_UNPINNED, Kind::Prerequisite, message)
                .because(
                    "the catalogue of this kstrim contains no digest for it, and a mirror's own checksum \
                     proves nothing",
                )
                .hint(format!("download it from its publisher: {install}"))
                .hint(format!("or provide its digest: --tool-digests FILE with a line `SHA256  {name}`")),
        )
    }

    /// The publisher's checksum, by https from the publisher itself, compared with the recorded one.
    fn published(
        &self,
        tool: Tool,
        version: &Version,
        url: &str,
        store: &Store,
        progress: OnProgress<'_>,
    ) -> Result<String> {
        let url_of_sum = format!("{url}.sha256");
        let name = url.rsplit('/').next().unwrap_or_default();
        let read = |path: &Path| {
            let bytes = fs::read(path).map_err(|e| self.unwritable(&e))?;
            checksum::parse(&url_of_sum, &bytes, name)
        };
        let settings = Settings { size_limit: checksum::SIZE_LIMIT, ..store.settings.clone() };
        let store = Store { settings, ..store.clone() };
        let verify = |path: &Path| read(path).and_then(|_| download::sha256(path));
        let request = Request { url: &url_of_sum, class: CHECKSUMS, digest: None, verify: &verify };
        let fetched = store.fetch(&request, progress)?;
        let sha256 = read(&fetched.path)?;
        self.remembered(tool, version, &sha256, &url_of_sum)?;
        Ok(sha256)
    }

    /// Check that a trusted source confirms what was installed: this includes what an earlier kstrim accepted based
    /// on a mirror's checksum, or before the catalogue contained the digest.
    pub(super) fn vouched(&self, tool: Tool, version: &Version, entry: &Entry) -> Result<()> {
        let pin = programs::digest(tool, version, &self.platform);
        let wrong = match (entry.voucher, pin) {
            (Some(Voucher::User | Voucher::Bundle), _) => return Ok(()),
            (_, Some(pin)) if pin == entry.sha256 => return Ok(()),
            (_, Some(pin)) => format!("published sha256:{pin}"),
            (Some(Voucher::Publisher | Voucher::Catalogue), None) => return Ok(()),
            (None, None) if entry.from == self.url(tool, version) => return Ok(()),
            (None, None) => "its digest came only from the source that provided it".to_owned(),
        };
        let spec = format!("{tool}@{version}");
        let message =
            format!("{} was not downloaded from its publisher", self.path_of(tool, version).display());
        Err(Box::new(
            Failure::new(errors::TOOL_UNPINNED, Kind::Prerequisite, message)
                .because(format!("downloaded sha256:{}, from {}", entry.sha256, entry.from))
                .because(wrong)
                .hint(format!(
                    "install it again: {} && {}",
                    CommandLine::new("kstrim tools remove --forget").arg(&spec),
                    CommandLine::new("kstrim tools install").arg(&spec)
                ))
                .hint("or let `up` use the tools of this machine: --system-tools"),
        ))
    }
}

/// The failure for a mirror of programs whose responses anybody on the network path could forge.
fn plain_http(tool: Tool, mirror: &str) -> Box<Failure> {
    let message =
        format!("{tool} is not downloaded from {mirror}: programs are not accepted over plain http");
    Box::new(
        Failure::new(errors::TOOL_PLAIN_HTTP, Kind::Usage, message)
            .because("anybody on the network path can forge the response, and see what is requested")
            .hint(
                "use an https URL, a directory (--mirror DIR), or a server on this machine \
                 (http://127.0.0.1:PORT)",
            )
            .hint("or use the tools of this machine: --system-tools"),
    )
}
