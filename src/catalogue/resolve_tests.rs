use super::*;

fn ask(release: &str, kafka: &str, kubernetes: &str, minikube: &str) -> Partial {
    fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Option<T> {
        (!text.is_empty()).then(|| text.parse().unwrap())
    }
    Partial {
        release: parse(release),
        kafka: parse(kafka),
        kubernetes: parse(kubernetes),
        mode: None,
        minikube: parse(minikube),
    }
}

fn chosen(asked: &Partial) -> String {
    let choice = resolve(asked).unwrap_or_else(|f| panic!("{f}: {:?}", f.causes));
    let kubernetes = choice.kubernetes.map_or("default".to_owned(), |v| v.to_string());
    format!("{} {} {kubernetes}", choice.release.version, choice.kafka)
}

fn told(asked: &Partial) -> String {
    let failure = resolve(asked).expect_err("must be refused");
    let mut text = format!("{} {:?}\n{failure}\n", failure.id, failure.kind);
    failure.causes.iter().for_each(|cause| text += &format!("  {cause}\n"));
    failure.hints.iter().for_each(|hint| text += &format!("hint: {hint}\n"));
    text
}

#[test]
fn nothing_asked_is_the_newest() {
    assert_eq!(chosen(&Partial::default()), "1.2.0 4.3.1 default");
    assert_eq!(chosen(&ask("", "", "", "1.38.1")), "1.2.0 4.3.1 default");
}

#[test]
fn any_part_fixes_the_rest() {
    assert_eq!(chosen(&ask("0.45.0", "", "", "")), "0.45.0 3.9.0 default");
    assert_eq!(chosen(&ask("", "3.7.1", "", "")), "0.44.0 3.7.1 default");
    assert_eq!(chosen(&ask("", "", "1.24", "")), "0.43.0 3.8.0 1.24.0");
    assert_eq!(chosen(&ask("", "4.0.0", "v1.29.3", "")), "0.50.1 4.0.0 1.29.3");
    let zookeeper = Partial { mode: Some(Mode::Zookeeper), ..Partial::default() };
    assert_eq!(chosen(&zookeeper), "0.45.2 3.9.2 default");
}

#[test]
fn minikube_decides_the_kubernetes() {
    // Its default fits; is too new; is too old; and the newest that both can.
    assert_eq!(chosen(&ask("0.45.2", "", "", "1.38.1")), "0.45.2 3.9.2 default");
    assert_eq!(chosen(&ask("0.46.1", "", "", "1.38.1")), "0.46.1 4.0.0 1.33.1");
    assert_eq!(chosen(&ask("0.30.0", "", "", "1.36.0")), "0.30.0 3.2.0 1.24.3");
    assert_eq!(chosen(&ask("", "", "1.34", "1.38.1")), "1.2.0 4.3.1 1.34.0");
    assert_eq!(chosen(&ask("", "", "", "1.32.0")), "0.50.1 4.1.1 default", "1.2.0 needs 1.30");
    // Newer than the catalogue: its default is not known, so it is told.
    assert_eq!(chosen(&ask("", "", "", "1.99.0")), "1.2.0 4.3.1 1.35.1");
    let warned = resolve(&ask("", "", "1.36", "1.38.1")).unwrap();
    assert_eq!(warned.warnings.len(), 1, "{:?}", warned.warnings);
}

#[test]
fn experiments_are_announced() {
    let kraft = Partial { mode: Some(Mode::Kraft), ..ask("0.30.0", "", "", "") };
    assert!(resolve(&kraft).unwrap().warnings[0].contains("experimental"));
}

#[test]
fn refusals_name_what_would_fit() {
    let zookeeper = Partial { mode: Some(Mode::Zookeeper), ..ask("1.2.0", "", "", "") };
    let refused = [
        ask("0.45.7", "", "", ""),
        ask("2.0.0", "", "", ""),
        ask("", "4.2.9", "", ""),
        ask("", "", "1.99", ""),
        ask("1.2.0", "3.9.0", "1.25", ""),
        ask("", "4.3.1", "1.27", ""),
        ask("0.30.0", "", "", "1.38.1"),
        ask("", "", "", "1.20.0"),
        ask("", "", "1.25", "1.38.1"),
        zookeeper,
    ];
    insta::assert_snapshot!(refused.iter().map(told).collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_offer_can_be_taken() {
    for release in releases() {
        for other in releases() {
            let kafka = other.default_kafka.clone();
            let asked = Partial {
                release: Some(release.version.clone()),
                kafka: Some(kafka),
                kubernetes: Some(KubernetesVersion::Minor(other.kubernetes.max)),
                ..Partial::default()
            };
            let Err(failure) = resolve(&asked) else { continue };
            assert!(!failure.hints.is_empty() && !failure.causes.is_empty(), "{asked:?}");
            for hint in failure.hints.iter().filter_map(|hint| hint.strip_prefix("these do: ")) {
                let mut offer = Partial::default();
                let words: Vec<_> = hint.split(' ').collect();
                for pair in words.chunks(2) {
                    match pair[0] {
                        "--release" => offer.release = Some(pair[1].parse().unwrap()),
                        "--kafka" => offer.kafka = Some(pair[1].parse().unwrap()),
                        "--kubernetes-version" => offer.kubernetes = Some(pair[1].parse().unwrap()),
                        other => panic!("{other}"),
                    }
                }
                assert!(resolve(&offer).is_ok(), "{asked:?}: {hint}");
            }
        }
    }
}
