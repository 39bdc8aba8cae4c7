//! The result of each test on this ground, kept until the next run of the same test on the same operator:
//! `tests/ground/ground results` prints it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::operator::Operator;

/// Write a test's row of the table.
pub fn write(test: &str, result: &str, took: Duration) {
    let ground = PathBuf::from(std::env::var_os("KSTRIM_GROUND").expect("a ground"));
    let folder = ground.join("results").join(Operator::of_ground().to_string());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M");
    let seconds = took.as_secs();
    let commit = std::env::var("KSTRIM_E2E_COMMIT").unwrap_or_default();
    // The table's heading has the default.
    let other = std::env::var("KSTRIM_GROUND_KUBERNETES").unwrap_or_default();
    let on = if other.is_empty() { other } else { format!("; on Kubernetes {other}") };
    let row = format!("| `{test}` | {result}{on} | {seconds} | {now} | {load} | {commit} |\n");
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let file = folder.join(format!("{}.md", test.replace("::", ".")));
    fs::write(&file, row).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}
