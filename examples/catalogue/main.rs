//! Makes `src/catalogue/releases.json`: see `docs/releases.md`.
//!
//! ```text
//! cargo run --example catalogue -- FACTS.json MANIFESTS         write it anew
//! cargo run --example catalogue -- --add FACTS.json MANIFESTS   add or replace what FACTS holds
//! ```
//!
//! MANIFESTS is a folder with a `strimzi-cluster-operator-RELEASE.yaml` for every release of
//! FACTS. The result is printed; review its diff before committing.

mod command;
mod derive;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let catalogue = command::run(&args, kstrim::catalogue::catalogue())?;
    println!("{}", serde_json::to_string_pretty(&catalogue)?);
    Ok(())
}
