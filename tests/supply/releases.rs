//! Each release of the catalogue: its facts, the rendered resources, its install manifest.

use kstrim::internals::catalogue::{self, Release};
use kstrim::internals::download::{Settings, Source, Store};
use kstrim::internals::manifest::render::{self, Preset};
use kstrim::internals::manifest::source::{Origin, install};
use kstrim::internals::manifest::user::{Authentication, UserInput, user};
use kstrim::internals::manifest::{Object, digest, images, label, load, retarget, split, to_yaml, tune};

use crate::strimzi::{Data, choice};
use crate::xtask::{derive, schema};
use crate::{components, dry_run, table};

pub fn the_catalogue_matches_its_sources(data: &Data, facts: &std::path::Path) {
    let facts: derive::Facts = serde_json::from_reader(std::fs::File::open(facts).unwrap()).unwrap();
    let derived = derive::catalogue(&facts, |version| Ok(data.objects(version))).unwrap();
    for (ours, theirs) in catalogue::releases().iter().zip(&derived.releases) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(catalogue::releases().len(), derived.releases.len());
    // The catalogue may know minikube releases that are newer than these facts.
    let newest = derived.minikube.last().map(|known| known.version.clone());
    let known = catalogue::catalogue().minikube.iter().filter(|m| Some(&m.version) <= newest.as_ref());
    assert!(known.eq(&derived.minikube));
}

/// Every release and preset compared with the release's own definitions, as the API server does with
/// `--validate=strict`: an unknown field is an error.
pub fn every_preset_fits_the_definitions_of_every_release(data: &Data) {
    let mut checked = 0;
    for release in catalogue::releases() {
        checked += fits_its_definitions(release, &data.objects(&release.version));
    }
    assert!(checked > 36 * 3 * 2, "{checked}");
}

/// Check everything that is rendered for a release against the definitions in its install manifest; returns the
/// number of objects.
pub fn fits_its_definitions(release: &Release, install: &[Object]) -> usize {
    let mut checked = 0;
    let schemas = schema::Schemas::new(install);
    let (namespace, cluster) = ("kafka".parse().unwrap(), "my-cluster".parse().unwrap());
    for preset in Preset::ALL.into_iter().filter(|preset| preset.check(release).is_ok()) {
        // The numbers in the table in docs/presets.md.
        for object in table::renderings(release, preset).into_iter().flatten() {
            schemas.check(&object).unwrap_or_else(|why| {
                panic!(
                    "Strimzi {} {preset}: {object}: {why}\n{}",
                    release.version,
                    to_yaml(std::slice::from_ref(&object))
                )
            });
            checked += 1;
        }
    }
    for name in ["my-topic", "My_Topic"] {
        let topic = render::topic(release, &namespace, &cluster, &name.parse().unwrap(), 3, 1);
        schemas.check(&topic).unwrap_or_else(|why| panic!("Strimzi {}: {why}", release.version));
    }
    for authentication in [Authentication::Tls, Authentication::Scram] {
        let user = user(&UserInput {
            release,
            namespace: &namespace,
            cluster: &cluster,
            user: &"app".parse().unwrap(),
            authentication,
            acls: &["topic:orders:read,write".parse().unwrap(), "cluster:*:alter@h".parse().unwrap()],
            quotas: &["produce=1m", "consume=1k", "request=5", "mutations=0.5"].map(|q| q.parse().unwrap()),
        });
        schemas.check(&user).unwrap_or_else(|why| panic!("Strimzi {}: {why}", release.version));
    }
    checked + components::fits(release, &schemas)
}

/// The document lists what the checks above and the end-to-end tests check.
pub fn the_table_of_presets_is_what_is_checked() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/presets.md");
    let document = table::document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == document,
        "docs/presets.md is outdated: `cargo xtask docs` writes it; review the diff"
    );
    for version in dry_run::RELEASES {
        assert!(catalogue::find(&version.parse().unwrap()).is_some(), "{version}");
    }
}

/// The check above can fail.
pub fn the_definitions_reject_invalid_resources(data: &Data) {
    let release = catalogue::releases().last().unwrap();
    let schemas = schema::Schemas::new(&data.objects(&release.version));
    let (namespace, cluster) = ("kafka".parse().unwrap(), "my-cluster".parse().unwrap());
    let topic = render::topic(release, &namespace, &cluster, &"t".parse().unwrap(), 1, 1);
    for (path, value) in [
        (&["spec", "partition"][..], serde_json::json!(1)),
        (&["spec", "partitions"], serde_json::json!("1")),
        (&["spec", "partitions"], serde_json::json!(0)),
        (&["apiVersion"], serde_json::json!("kafka.strimzi.io/v1beta2")),
    ] {
        let mut wrong = topic.clone();
        wrong.set(path, value.clone());
        assert!(schemas.check(&wrong).is_err(), "{path:?} {value}");
    }
}

/// Every install manifest passes everything that `up` does to it.
pub fn every_install_manifest_can_be_prepared(data: &Data) {
    for release in catalogue::releases() {
        let mut objects = data.objects(&release.version);
        let published = digest(&objects);
        assert_eq!(published, release.digest, "{}", release.version);
        retarget(&mut objects, "somewhere").unwrap();
        // The descriptions in the definitions mention it too (0.43.0), and are not changed.
        let mut rest = objects.iter().filter(|o| o.kind() != "CustomResourceDefinition");
        assert!(rest.all(|o| !o.value().to_string().contains("myproject")), "{}", release.version);
        label(&mut objects, &published, &release.version.to_string());
        let operator = tune::operator(&mut objects).unwrap();
        assert_eq!(tune::tune_operator(operator).unwrap().len(), 3, "{}", release.version);
        assert!(tune::tune_operator(operator).unwrap().is_empty());
        let gates = Preset::Single.feature_gates(release);
        assert_eq!(tune::set_feature_gates(operator, gates).unwrap().is_some(), !gates.is_empty());

        let read_again = load::from_bytes("written", to_yaml(&objects).as_bytes()).unwrap();
        assert_eq!(read_again, objects, "{}", release.version);
        let count = objects.len();
        let phases = split(objects);
        assert!(phases.crds.len() >= 9 && phases.cluster.len() >= 7, "{}", release.version);
        assert_eq!(phases.namespaced.last().unwrap().kind(), "Deployment");
        assert!(phases.namespaced.iter().all(|o| o.namespace() == Some("somewhere")));
        assert_eq!(phases.in_order().len(), count);
    }
}

/// Every image of every release can be pulled from another registry, and the images that run are known.
pub fn every_image_of_every_release_can_be_pulled_from_another_registry(data: &Data) {
    let registry = "r.example:5000/quay".parse().unwrap();
    for release in catalogue::releases() {
        let name = &release.version;
        let mut objects = data.objects(name);
        let before = objects.clone();
        let operator = tune::operator(&mut objects).unwrap();
        let text = operator.value().to_string();
        let count = text.matches("quay.io/").count();
        assert!(count > 12, "{name}: {count}");
        for kafka in &release.kafka {
            let run = images::of(operator, &kafka.version, &release.default_kafka, false).unwrap();
            let run: Vec<&str> = run.iter().map(AsRef::as_ref).collect();
            assert_eq!(run, [release.operator_image.as_str(), kafka.image.as_str()], "{name}");
            if release.zookeeper {
                let default = release.kafka_version(&release.default_kafka).unwrap();
                let run = images::of(operator, &kafka.version, &release.default_kafka, true).unwrap();
                assert!(run.iter().any(|i| i.as_str() == default.image), "{name}");
                assert_eq!(run.len(), if *kafka == *default { 2 } else { 3 }, "{name}: {run:?}");
            }
        }
        assert_eq!(images::from_registry(operator, &registry).unwrap(), count, "{name}");
        assert_eq!(operator.value().to_string(), text.replace("quay.io/", "r.example:5000/quay/"), "{name}");
        images::pull_with(&mut objects, &["login".into()]).unwrap();
        let changed: Vec<&str> =
            objects.iter().zip(&before).filter(|(a, b)| a != b).map(|(a, _)| a.kind()).collect();
        assert_eq!(changed, ["ServiceAccount", "Deployment"], "{name}");
    }
}

pub fn the_manifest_comes_from_the_user_the_cache_or_the_release(data: &Data) {
    let release = catalogue::releases().last().unwrap();
    let choice = choice(release);
    // A mirror directory that contains the release's asset.
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("mirror").join(choice.url.trim_start_matches("https://"));
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::copy(data.file(&release.version), &place).unwrap();
    let store = Store {
        folder: folder.path().join("cache"),
        source: Source::Folder(folder.path().join("mirror")),
        settings: Settings { offline: true, ..Settings::default() },
    };
    let get =
        |given: Option<&str>| install(given, &choice, &store, &mut |_| std::ops::ControlFlow::Continue(()));

    let first = get(None).unwrap();
    assert!(matches!(first.origin, Origin::Release(_)) && first.warning.is_none());
    let again = get(None).unwrap();
    assert!(matches!(again.origin, Origin::Cache(_)));
    assert_eq!(again.objects, first.objects);

    let file = data.file(&release.version);
    let given = get(file.to_str()).unwrap();
    assert_eq!((given.origin, given.warning), (Origin::Path(file.to_path_buf()), None));
    let older = data.file(&catalogue::releases()[0].version);
    let failure = get(older.to_str()).unwrap_err();
    assert_eq!(failure.id.as_str(), "KS-MANIFEST-RELEASE");
    assert!(failure.hints[0].ends_with("--release 0.30.0"), "{:?}", failure.hints);
    let changed = folder.path().join("changed.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(&changed, text.replace("replicas: 1", "replicas: 2")).unwrap();
    let warning = get(changed.to_str()).unwrap().warning.unwrap();
    assert!(warning.contains(&release.digest), "{warning}");

    // A mirror that contains another file is rejected.
    std::fs::remove_dir_all(&store.folder).unwrap();
    std::fs::copy(older, &place).unwrap();
    let failure = get(None).unwrap_err();
    assert_eq!(failure.id.as_str(), "KS-MANIFEST-DIGEST");
    assert!(failure.causes.join(" ").contains(&release.digest), "{:?}", failure.causes);
}
