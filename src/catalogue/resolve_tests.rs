use super::*;
use crate::errors;

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
        unsupported: false,
    }
}

fn chosen(asked: &Partial) -> String {
    let choice = resolve(asked).unwrap_or_else(|f| panic!("{f}: {:?}", f.causes));
    let kubernetes = choice.kubernetes.map_or("default".to_owned(), |v| v.to_string());
    format!("{} {} {kubernetes}", choice.release.version, choice.kafka)
}

fn failure_text(asked: &Partial) -> String {
    let failure = resolve(asked).expect_err("must be refused");
    let mut text = format!("{} {:?}\n{failure}\n", failure.id, failure.kind);
    failure.causes.iter().for_each(|cause| text += &format!("  {cause}\n"));
    failure.hints.iter().for_each(|hint| text += &format!("hint: {hint}\n"));
    text
}

#[test]
fn an_empty_request_chooses_the_newest() {
    assert_eq!(chosen(&Partial::default()), "1.2.0 4.3.1 default");
    assert_eq!(chosen(&ask("", "", "", "1.38.1")), "1.2.0 4.3.1 default");
}

#[test]
fn one_requested_version_determines_the_others() {
    assert_eq!(chosen(&ask("0.45.0", "", "", "")), "0.45.0 3.9.0 default");
    assert_eq!(chosen(&ask("", "3.7.1", "", "")), "0.44.0 3.7.1 default");
    assert_eq!(chosen(&ask("", "", "1.24", "")), "0.43.0 3.8.0 1.24.0");
    assert_eq!(chosen(&ask("", "4.0.0", "v1.29.3", "")), "0.50.1 4.0.0 1.29.3");
    let zookeeper = Partial { mode: Some(Mode::Zookeeper), ..Partial::default() };
    assert_eq!(chosen(&zookeeper), "0.45.2 3.9.2 default");
}

#[test]
fn an_unsupported_kubernetes_is_accepted_on_request() {
    let any = |asked: Partial| Partial { unsupported: true, ..asked };
    // The nearest that minikube supports; the requested one; otherwise unchanged if something fits.
    assert_eq!(chosen(&any(ask("0.30.0", "", "", "1.39.0"))), "0.30.0 3.2.0 1.28.3");
    assert_eq!(chosen(&any(ask("0.30.0", "", "1.34.4", "1.39.0"))), "0.30.0 3.2.0 1.34.4");
    assert_eq!(chosen(&any(ask("1.2.0", "", "1.37", "1.39.0"))), "1.2.0 4.3.1 1.37.0");
    assert_eq!(chosen(&any(ask("", "", "", "1.39.0"))), "1.2.0 4.3.1 1.36.4");
    let warned = resolve(&any(ask("0.30.0", "", "1.34.4", "1.39.0"))).unwrap().warnings;
    assert!(warned[0].contains("supports Kubernetes 1.16 to 1.24, not 1.34"), "{warned:?}");
    // minikube's own limit still applies.
    assert!(resolve(&any(ask("0.30.0", "", "1.24.3", "1.39.0"))).is_err());
    assert!(failure_text(&ask("0.30.0", "", "", "1.39.0")).contains("--allow-unsupported"));
    assert!(!failure_text(&ask("0.30.0", "", "1.24", "1.39.0")).contains("--allow-unsupported"));
}

#[test]
fn the_kubernetes_version_suits_minikube() {
    // minikube's default fits; is too new; is too old; and the newest that both support.
    assert_eq!(chosen(&ask("0.45.2", "", "", "1.38.1")), "0.45.2 3.9.2 default");
    assert_eq!(chosen(&ask("0.46.1", "", "", "1.38.1")), "0.46.1 4.0.0 1.33.1");
    assert_eq!(chosen(&ask("0.30.0", "", "", "1.36.0")), "0.30.0 3.2.0 1.24.3");
    assert_eq!(chosen(&ask("", "", "1.34", "1.38.1")), "1.2.0 4.3.1 1.34.0");
    assert_eq!(chosen(&ask("", "", "", "1.32.0")), "0.50.1 4.1.1 default", "1.2.0 needs 1.30");
    // The default of 1.39.0 is 1.37, which no Strimzi supports yet: the newest patch on its list of a supported minor
    // version is used.
    assert_eq!(chosen(&ask("", "", "", "1.39.0")), "1.2.0 4.3.1 1.36.4");
    assert_eq!(chosen(&ask("", "", "1.36", "1.39.0")), "1.2.0 4.3.1 1.36.4");
    assert_eq!(chosen(&ask("0.51.0", "", "", "1.39.0")), "0.51.0 4.2.0 1.35.1");
    // Newer than the catalogue: its default is not known, so the version is specified.
    assert_eq!(chosen(&ask("", "", "", "1.99.0")), "1.2.0 4.3.1 1.36.4");
    let warned = resolve(&ask("", "", "1.36", "1.38.1")).unwrap();
    assert_eq!(warned.warnings.len(), 1, "{:?}", warned.warnings);
}

#[test]
fn experimental_modes_cause_a_warning() {
    let kraft = Partial { mode: Some(Mode::Kraft), ..ask("0.30.0", "", "", "") };
    assert!(resolve(&kraft).unwrap().warnings[0].contains("experimental"));
}

#[test]
fn refusals_suggest_sets_that_fit() {
    let zookeeper = |release: &str, kafka: &str, kubernetes: &str| Partial {
        mode: Some(Mode::Zookeeper),
        ..ask(release, kafka, kubernetes, "")
    };
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
        ask("0.45.0", "3.9.7", "", ""),
        ask("1.2.0", "", "1.2", ""),
        zookeeper("1.2.0", "", ""),
        zookeeper("", "4.0.0", ""),
        zookeeper("", "4.0.0", "1.25"),
        zookeeper("", "", "1.36"),
        zookeeper("", "3.9.2", "1.36"),
        zookeeper("", "3.2.0", "1.34"),
        zookeeper("0.45.2", "4.0.0", ""),
        zookeeper("1.2.0", "3.9.0", "1.20"),
    ];
    insta::assert_snapshot!(refused.iter().map(failure_text).collect::<Vec<_>>().join("\n"));
}

/// Every conflict between a release, a Kafka, a Kubernetes and a mode has a true cause and suggests valid sets.
#[test]
fn every_conflict_has_a_cause_and_valid_suggestions() {
    let minors = |range: &super::super::Range| [range.min, range.max].map(KubernetesVersion::Minor);
    let mut kafkas: Vec<_> = releases().iter().flat_map(|r| &r.kafka).map(|k| Some(&k.version)).collect();
    let mut kubernetes: Vec<_> = releases().iter().flat_map(|r| minors(&r.kubernetes)).map(Some).collect();
    kafkas.sort();
    kafkas.dedup();
    kubernetes.sort_by_key(|k| k.as_ref().map(KubernetesVersion::minor));
    kubernetes.dedup();
    kafkas.push(None);
    kubernetes.push(None);
    let (mut refused, mut kinds) = (0, std::collections::BTreeSet::new());
    for release in releases().iter().map(|r| Some(&r.version)).chain([None]) {
        for kafka in &kafkas {
            for kubernetes in &kubernetes {
                for mode in [None, Some(Mode::Zookeeper)] {
                    let asked = Partial {
                        release: release.cloned(),
                        kafka: kafka.cloned(),
                        kubernetes: kubernetes.clone(),
                        mode,
                        minikube: None,
                        unsupported: false,
                    };
                    let Err(failure) = resolve(&asked) else { continue };
                    refused += 1;
                    assert_eq!(
                        (failure.id, failure.kind),
                        (errors::VERSION_CONTRADICTION, Kind::Usage),
                        "{asked:?}"
                    );
                    assert!(!failure.causes.is_empty() && !failure.hints.is_empty(), "{failure:?}");
                    for cause in &failure.causes {
                        check_cause(cause);
                        kinds.insert(cause.chars().filter(|c| c.is_alphabetic()).collect::<String>());
                    }
                    failure.hints.iter().for_each(|hint| check_offer(&asked, hint));
                }
            }
        }
    }
    assert!(refused > 10_000 && kinds.len() >= 7, "{refused} {kinds:?}");
}

/// A Kubernetes outside the range that the sentence names, which is a range of more than one version.
fn check_cause(cause: &str) {
    let Some((range, not)) = cause.rsplit_once(", not ") else { return };
    let words: Vec<&str> = range.split_whitespace().collect();
    if let [.., first, "to", last] = words[..] {
        assert_ne!(first, last, "{cause}");
        let [first, last, not] = [first, last, not].map(|v| v.parse::<crate::names::Minor>().ok());
        assert!(not < first || last < not, "{cause}");
    }
    assert!(!words.windows(3).any(|w| w[1] == "to" && w[0] == w[2].trim_end_matches(',')), "{cause}");
}

fn check_offer(asked: &Partial, hint: &str) {
    let mut offer = Partial::default();
    let words: Vec<_> = hint.strip_prefix("these do: ").expect(hint).split(' ').collect();
    for pair in words.chunks(2) {
        match pair[0] {
            "--release" => offer.release = Some(pair[1].parse().unwrap()),
            "--kafka" => offer.kafka = Some(pair[1].parse().unwrap()),
            "--kubernetes-version" => offer.kubernetes = Some(pair[1].parse().unwrap()),
            "--preset" if pair[1] == "zookeeper" => offer.mode = Some(Mode::Zookeeper),
            "--preset" if pair[1] == "single" => offer.mode = Some(Mode::Kraft),
            other => panic!("{other}"),
        }
    }
    assert!(resolve(&offer).is_ok(), "{asked:?}: {hint}");
    // It covers everything that was requested.
    assert_eq!(asked.kubernetes.is_some(), offer.kubernetes.is_some(), "{asked:?}: {hint}");
    assert_eq!(asked.mode.is_some(), offer.mode.is_some(), "{asked:?}: {hint}");
}
