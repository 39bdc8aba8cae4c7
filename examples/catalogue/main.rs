//! Makes `src/catalogue/releases.json`: see `docs/releases.md`.
//!
//! ```text
//! cargo run --example catalogue -- FACTS.json MANIFESTS         write it anew
//! cargo run --example catalogue -- --add FACTS.json MANIFESTS   add or replace what FACTS holds
//! cargo run --example catalogue -- next FOLDER                  what the next releases of the tools change
//! ```
//!
//! MANIFESTS is a folder with a `strimzi-cluster-operator-RELEASE.yaml` for every release of
//! FACTS. The result is printed; review its diff before committing.

mod command;
mod derive;
mod next;
mod schema;

use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let known = kstrim::catalogue::catalogue();
    if let ["next", folder] = *args {
        let changes = next::changes(Path::new(folder), known)?;
        for change in &changes {
            println!("{change}");
        }
        return Ok(ExitCode::from(u8::from(!changes.is_empty())));
    }
    let catalogue = command::run(&args, known)?;
    println!("{}", serde_json::to_string_pretty(&catalogue)?);
    Ok(ExitCode::SUCCESS)
}
