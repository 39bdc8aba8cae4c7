use super::super::test_support::{documents, release};
use super::*;
use crate::errors;

/// A definition with every construct that Strimzi's definitions use.
fn install() -> Vec<Object> {
    let text = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kafkas.kafka.strimzi.io}
spec:
  group: kafka.strimzi.io
  names: {kind: Kafka}
  versions:
  - name: v1
    served: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          apiVersion: {type: string}
          kind: {type: string}
          metadata: {type: object}
          spec:
            type: object
            required: [kafka]
            properties:
              kafka:
                type: object
                properties:
                  version: {type: string}
                  config: {type: object, x-kubernetes-preserve-unknown-fields: true}
                  labels: {type: object, additionalProperties: {type: string}}
                  brokers: {type: integer, minimum: 1, maximum: 9}
                  share: {type: number}
                  wait: {type: boolean}
                  password: {type: object, properties: {valueFrom: {type: object}}}
                  passwordSecret: {type: object, properties: {secretName: {type: string}}}
                  pin: {type: object, properties: {accessToken: {type: integer, maximum: 9}, token: {enum: [aa]}}}
                  authorization: {type: object, properties: {type: {type: string, enum: [simple]}}}
                  variables: {type: array, items: {type: object, properties: {name: {type: string}, value: {type: string}}}}
                  size: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}], pattern: "^[0-9]+(Gi)?$"}
                  listeners:
                    type: array
                    minItems: 1
                    items:
                      type: object
                      required: [name, port]
                      properties:
                        name: {type: string, pattern: "^[a-z0-9]{1,11}$"}
                        port: {type: integer, minimum: 9092}
                        type: {type: string, enum: [internal, route, loadbalancer]}
                  env:
                    type: object
                    properties: {value: {type: string}, valueFrom: {type: object, properties: {}}}
                    oneOf:
                    - {properties: {value: {}}, required: [value]}
                    - {properties: {valueFrom: {}}, required: [valueFrom]}
          status: {type: object}
  - {name: v1beta2, served: false}
"#;
    documents(text).into_iter().map(|document| document.object).collect()
}

fn check(version: &str, text: &str) -> Vec<Problem> {
    let install = install();
    Definitions::new(release(version), &install).check(&documents(text))
}

fn kafka(fields: &str) -> Vec<Problem> {
    check(
        "1.2.0",
        &format!(
            "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {{name: c}}\nspec:\n  kafka:\n{fields}"
        ),
    )
}

#[test]
fn valid_documents_have_no_problems() {
    let fields = "    version: 4.3.1\n    config: {anything: [1, {else: true}]}\n    labels: {a: b}\n    brokers: 3\n    share: 1\n    \
                  wait: yes\n    size: 10Gi\n    listeners:\n    - {name: plain, port: 9092, type: internal}\n    env: {value: x}\n";
    assert_eq!(kafka(fields), []);
    assert_eq!(kafka("    size: 10\n    version: null\n    env: {valueFrom: {}, value: null}\n"), []);
}

#[test]
fn each_problem_has_its_line_and_a_hint() {
    for (fields, line, words, hint) in [
        ("    broker: 3\n", 6, "spec.kafka.broker is not a field of spec.kafka", Some("brokers")),
        ("    wait: \"yes\"\n", 6, "must be a boolean, but is \"yes\"", None),
        ("    version: 4.3\n", 6, "must be a string, but is 4.3", Some("quotes")),
        ("    labels:\n      a: b\n      c: 5\n", 8, "spec.kafka.labels.c must be a string", Some("quotes")),
        ("    brokers: 0\n", 6, "at least 1", None),
        ("    brokers: 10\n", 6, "at most 9", None),
        ("    brokers: 1.5\n", 6, "must be an integer", None),
        ("    size: 10GiB\n", 6, "must match", None),
        ("    size: true\n", 6, "an integer or a string", None),
        ("    listeners: []\n", 6, "at least 1 items", None),
        ("    listeners: {}\n", 6, "must be a sequence, but is a mapping", None),
        ("    listeners:\n    - name: plain\n", 7, "spec.kafka.listeners[0] has no port", None),
        (
            "    listeners:\n    - name: plain\n      port: 9092\n      type: Internal\n",
            9,
            "one of internal, route, loadbalancer, but is \"Internal\"",
            Some("did you mean internal"),
        ),
        ("    listeners:\n    - name: Too_Long\n      port: 9092\n", 7, "must match ^[a-z0-9]{1,11}$", None),
        ("    env: {}\n", 6, "exactly one of value, valueFrom, but has none", None),
        ("    env: {value: a, valueFrom: {}}\n", 6, "has several", None),
        ("    replicas: 3\n", 6, "is not a field", Some("KafkaNodePool: spec.replicas")),
        (
            "    version: 4.3.1\n  zookeeper:\n    replicas: 3\n",
            7,
            "spec.zookeeper is not a field",
            Some("role controller"),
        ),
    ] {
        let problems = kafka(fields);
        assert_eq!(problems.len(), 1, "{fields}: {problems:?}");
        let problem = &problems[0];
        assert_eq!((problem.id, problem.origin.line), (errors::FILE_SCHEMA, line), "{problem:?}");
        assert!(problem.message.contains(words), "{problem:?}");
        match hint {
            Some(hint) => assert!(problem.hint.as_ref().is_some_and(|h| h.contains(hint)), "{problem:?}"),
            None => assert_eq!(problem.hint, None, "{problem:?}"),
        }
    }
}

/// Messages are printed and logged.
#[test]
fn values_that_could_be_secret_are_not_shown() {
    for (fields, message) in [
        ("password: hunter2", "password must be a mapping, but is a string"),
        ("password: {valueFrom: hunter2}", "password.valueFrom must be a mapping, but is a string"),
        ("passwordSecret: 72072", "passwordSecret must be a mapping, but is a number"),
        ("pin: {accessToken: 72072}", "pin.accessToken must be at most 9"),
        ("pin: {token: hunter2}", "pin.token must be one of aa"),
        ("pin: {token: ab}", "pin.token must be one of aa"),
        (
            "variables: [{name: DB_PASSWORD, value: 72072}]",
            "variables[0].value must be a string, but is a number",
        ),
        // A secret that has another name is recognized by its form.
        ("wait: ghp_hunter2hunter2hunter2", "wait must be a boolean, but is \"REDACTED\""),
        // Names that contain such words and are not secret.
        ("variables: [{name: PORT, value: 80}]", "variables[0].value must be a string, but is 80"),
        ("authorization: {type: simpl}", "authorization.type must be one of simple, but is \"simpl\""),
    ] {
        let problems = kafka(&format!("    {fields}\n"));
        let [problem] = &problems[..] else { panic!("{fields}: {problems:?}") };
        assert_eq!(problem.message, format!("Kafka c: spec.kafka.{message}"), "{fields}");
        let hint = problem.hint.clone().unwrap_or_default();
        assert!(!hint.contains("hunter2") && !hint.contains("ab"), "{problem:?}");
    }
}

#[test]
fn all_problems_are_reported_up_to_a_limit() {
    let fields: String = (0..5000).map(|at| format!("    unknown{at}: 1\n")).collect();
    assert_eq!(kafka(&fields).len(), MOST);
    let two = kafka("    brokers: 0\n    wait: 5\n");
    let failure = super::super::problem::failure(&two).expect("two problems");
    assert_eq!(failure.causes.len(), 2);
}

#[test]
fn kinds_and_versions_are_those_of_the_release() {
    let of = |version: &str, kind: &str| {
        check(
            "1.2.0",
            &format!(
                "apiVersion: kafka.strimzi.io/{version}\nkind: {kind}\nmetadata: {{name: c}}\nspec: {{kafka: {{}}}}\n"
            ),
        )
    };
    assert_eq!(of("v1", "Kafka"), []);
    let old = of("v1beta2", "Kafka");
    assert!(old[0].message.ends_with("does not serve; it serves v1"), "{old:?}");
    assert_eq!(old[0].origin.line, 1);
    let unknown = of("v1", "Kafkas");
    assert_eq!(unknown[0].hint.as_deref(), Some("did you mean Kafka?"));
    let first = of("v1", "KafkaMirrorMaker");
    assert!(first[0].hint.as_ref().is_some_and(|hint| hint.contains("KafkaMirrorMaker2")), "{first:?}");
    // Other kinds have definitions elsewhere.
    assert_eq!(check("1.2.0", "apiVersion: v1\nkind: Kafka\nmetadata: {name: c}\n"), []);
}

#[test]
fn annotations_of_the_migration_are_past() {
    let with = |version: &str, annotation: &str| {
        let annotations = format!("metadata: {{name: c, annotations: {{{annotation}}}}}");
        check(
            version,
            &format!("apiVersion: kafka.strimzi.io/v1\nkind: Kafka\n{annotations}\nspec: {{kafka: {{}}}}\n"),
        )
    };
    assert_eq!(with("1.2.0", "strimzi.io/kraft: enabled, strimzi.io/node-pools: enabled"), []);
    assert_eq!(with("1.2.0", "strimzi.io/kraft: migration").len(), 1);
    assert_eq!(with("1.2.0", "strimzi.io/node-pools: disabled").len(), 1);
    assert_eq!(with("0.45.2", "strimzi.io/kraft: disabled"), []);
}

#[test]
fn a_missing_required_spec_is_reported() {
    let problems = check("1.2.0", "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: c}\n");
    assert_eq!(problems[0].to_string(), "test.yaml:1: Kafka c has no spec");
    let problems =
        check("1.2.0", "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: c}\nspec: {}\n");
    assert_eq!(problems[0].to_string(), "test.yaml:4: Kafka c: spec has no kafka");
}
