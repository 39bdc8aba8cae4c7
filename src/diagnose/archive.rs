//! Writes a gzipped tar archive that only its owner can read.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::bundle::File;

/// Write `files` below the directory `root` of an archive at `path`. It is created completely or not at all.
///
/// # Errors
///
/// If it cannot be written, or `path` is not a regular file.
pub(crate) fn write(path: &Path, root: &str, files: &[File], time: jiff::Timestamp) -> io::Result<u64> {
    // A rename would replace a device or a directory with a file.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is not a file"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Such a file is readable only by its owner.
    let file = tempfile::Builder::new().prefix(".kstrim-diagnose").tempfile_in(folder)?;
    let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(file.text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(time.as_second()).unwrap_or_default());
        tar.append_data(&mut header, format!("{root}/{}", file.name), file.text.as_bytes())?;
    }
    let mut file = tar.into_inner()?.finish()?;
    file.flush()?;
    file.as_file().sync_data()?;
    let bytes = file.as_file().metadata()?.len();
    file.persist(path).map_err(|e| e.error)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_archive_unpacks_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.tar.gz");
        let long = format!("logs/{}/x.log", "p".repeat(120));
        let files = [("summary.md", "# one"), (long.as_str(), "two")]
            .map(|(name, text)| File { name: name.into(), text: text.into() });
        let bytes = write(&path, "root", &files, jiff::Timestamp::UNIX_EPOCH).expect("written");
        let meta = std::fs::metadata(&path).expect("a file");
        assert_eq!((meta.permissions().mode() & 0o777, meta.len()), (0o600, bytes));
        let mut tar =
            tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&path).expect("open")));
        let mut found = Vec::new();
        for entry in tar.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            let name = entry.path().expect("a path").display().to_string();
            entry.read_to_string(&mut text).expect("text");
            found.push((name, text));
        }
        let expected =
            [("root/summary.md".to_owned(), "# one".to_owned()), (format!("root/{long}"), "two".to_owned())];
        assert_eq!(found, expected);
        assert!(write(folder.path(), "root", &files, jiff::Timestamp::UNIX_EPOCH).is_err(), "over a folder");
    }
}
