//! The table of releases and presets in `docs/presets.md`, and how many objects are checked for each cell.

use kstrim::catalogue::{self, Release};
use kstrim::manifest::Object;
use kstrim::manifest::render::{self, Preset, RenderInput};

use crate::dry_run;

/// Every rendering of a preset that is checked: each Kafka version of the release, tuned and not.
pub fn renderings(release: &Release, preset: Preset) -> Vec<Vec<Object>> {
    let (namespace, cluster) = ("kafka".parse().unwrap(), "my-cluster".parse().unwrap());
    let storage = "20Gi".parse().unwrap();
    let mut all = Vec::new();
    for tuning in [true, false] {
        for kafka in &release.kafka {
            let input = RenderInput {
                release,
                kafka: &kafka.version,
                preset,
                namespace: &namespace,
                cluster: &cluster,
                tuning,
                storage: &storage,
                storage_class: None,
            };
            all.push(render::kafka(&input).unwrap_or_else(|f| panic!("{} {preset}: {f}", release.version)));
        }
    }
    all
}

fn cell(release: &Release, preset: Preset) -> String {
    if preset.check(release).is_err() {
        return "-".into();
    }
    let objects: usize = renderings(release, preset).iter().map(Vec::len).sum();
    let server = dry_run::RELEASES.contains(&release.version.to_string().as_str());
    format!("{objects}{}", if server { " + server" } else { "" })
}

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# Releases and presets\n\n\
         Made by `cargo test --test supply` (`KSTRIM_UPDATE_DOCS=1` writes it); a test holds it to what is checked.\n\n\
         - A number: so many objects were rendered, with every Kafka version of the release, tuned and not, and held\n  \
         against the definitions in that release's own install manifest, unknown fields being errors\n  \
         (`tests/supply`, `every_preset_fits_the_definitions_of_every_release`).\n\
         - `+ server`: all that `kstrim render --release R --preset P` prints was also given to a real API server with that\n  \
         release's definitions: `kubectl apply --server-side --dry-run=server --validate=strict`\n  \
         (`tests/e2e`, `dry_run::every_preset_passes_a_strict_dry_run`).\n\
         - `-`: the release has no ZooKeeper mode; asking for it is refused.\n\n\
         | Strimzi | resources | Kafka |",
    );
    for preset in Preset::ALL {
        text += &format!(" {preset} |");
    }
    text += &format!("\n|---|---|---|{}\n", "---|".repeat(Preset::ALL.len()));
    for release in catalogue::releases().iter().rev() {
        let (first, last) = (release.kafka.first(), release.kafka.last());
        let kafka = first.zip(last).map(|(a, b)| format!("{} to {}", a.version, b.version));
        text += &format!(
            "| {} | {} | {} |",
            release.version,
            release.api_versions.join(", "),
            kafka.unwrap_or_default()
        );
        for preset in Preset::ALL {
            text += &format!(" {} |", cell(release, preset));
        }
        text += "\n";
    }
    text
}
