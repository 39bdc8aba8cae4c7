//! The table of releases and presets in `docs/presets.md`, and how many objects are checked for each cell.

use kstrim::catalogue::{self, Release, broker};
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
    text + &replication()
}

/// The settings of the brokers that count brokers.
fn replication() -> String {
    let mut text = String::from(
        "\n## Replication\n\n\
         Kafka makes topics of its own with as many replicas as a setting says; most are 3 by default. With fewer\n\
         brokers such a topic is never made, and what needs it waits without an error. Every preset sets all that its\n\
         Kafka has (`src/catalogue/broker.rs` says how they were found): replicas as many as brokers, at most three;\n\
         in sync all but one. `kstrim scale` says which could be higher with more brokers and how to raise them\n\
         (`kstrim set`, which restarts the brokers; topics that exist keep their replicas), and refuses fewer brokers\n\
         than they need.\n\n\
         | setting | Kafka's default | since | without it | 1 broker | 2 | 3 and more | defined in |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for need in &broker::NEEDS {
        let since = if need.since.minor() < "3.1".parse().unwrap() {
            "before 3.1".into()
        } else {
            need.since.to_string()
        };
        let [one, two, three] = [1, 2, 3].map(|brokers| need.counts.with(brokers));
        text += &format!(
            "| `{}` | {} | {since} | {} | {one} | {two} | {three} | {} |\n",
            need.name, need.default, need.of, need.source
        );
    }
    text
}
