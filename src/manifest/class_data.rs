//! Class-data archives for the JVMs of Strimzi and Kafka: a JVM maps its classes from one instead of loading and
//! verifying them from jar files (class data sharing, CDS).
//!
//! Every JVM gets options that never change: `-XX:SharedArchiveFile`, which it ignores as long as the archive does
//! not exist or does not fit its class path (`-Xshare:auto`, the default), and `-XX:DumpLoadedClassList`, with which
//! it writes down its classes. From that list a Job writes the archive, in the same image ([`job`]). Both files are in
//! a directory of the node, which the pods mount as a volume: for the pods of a `Kafka`, Strimzi allows persistent
//! volume claims only (from 0.43.0, `additional_volumes` of the catalogue).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::Object;
use super::render::template;
use super::tune::{container, env, set_env};
use crate::failure::Result;
use crate::kube::kafka::additional_volumes;
use crate::kube::object::list;

/// The name of the claim, and the beginning of the names of the volume and the Job.
pub(crate) const NAME: &str = "kstrim-class-data";
/// The directory of the node. Each namespace has a directory in it. In the virtual machines of minikube, only some
/// directories are on a disk, this one among them.
pub(crate) const ROOT: &str = "/var/lib/minikube/kstrim-class-data";
/// The part of the volume with the archives. Only the Job can write to it: an archive is code.
pub(crate) const ARCHIVES: &str = "archives";
/// The part of the volume with the lists of classes, to which the JVMs write.
pub(crate) const LISTS: &str = "lists";
/// A file among the archives: Java's security properties. For 10 s, a JVM repeats the failure of a look-up in DNS. In a
/// node that has just been started, DNS may not work yet, and a broker looks itself up.
pub(crate) const SECURITY: &str = "java.security";
/// Its contents: for how many seconds a failure is repeated ("Networking Properties" of Java's documentation). It has no
/// characters that a shell interprets.
pub(crate) const RETRIES: &str = "networkaddress.cache.negative.ttl=1";
/// Java's system property for the path of a file that adds to its own security properties (the comments at the beginning
/// of its `conf/security/java.security`). A file that does not exist is ignored.
const PROPERTY: &str = "java.security.properties";
/// Where pods mount the parts. Strimzi allows additional volumes below `/mnt` only.
const MOUNT: &str = "/mnt/kstrim-class-data";

/// The label of a volume by which its claim finds it: the namespace.
const LABEL: &str = "kstrim.io/class-data";

/// A JVM with an archive of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Jvm {
    /// The cluster operator.
    ClusterOperator,
    /// The topic operator, in the entity operator's pod.
    TopicOperator,
    /// The user operator, in the same pod.
    UserOperator,
    /// A broker or controller.
    Broker,
}

impl Jvm {
    /// All of them, in the order in which they start.
    pub(crate) const ALL: [Self; 4] =
        [Self::ClusterOperator, Self::Broker, Self::TopicOperator, Self::UserOperator];

    /// The name of its files without the extension.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClusterOperator => "cluster-operator",
            Self::TopicOperator => "topic-operator",
            Self::UserOperator => "user-operator",
            Self::Broker => "broker",
        }
    }

    /// The JVM with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|jvm| jvm.name() == name)
    }

    fn archive(self) -> String {
        format!("{MOUNT}/{ARCHIVES}/{self}.jsa")
    }

    fn class_list(self) -> String {
        format!("{MOUNT}/{LISTS}/{self}.classlist")
    }

    /// Its options in a `Kafka`, as `-XX` of its `jvmOptions`.
    fn options(self) -> [(&'static str, String); 2] {
        [("SharedArchiveFile", self.archive()), ("DumpLoadedClassList", self.class_list())]
    }
}

impl fmt::Display for Jvm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn volumes() -> Value {
    json!([{"name": NAME, "persistentVolumeClaim": {"claimName": NAME}}])
}

/// The two parts of the volume, one of them read-only.
fn mounts(read_only: &str) -> Value {
    let mount = |part: &str| {
        let path = format!("{MOUNT}/{part}");
        json!({"name": NAME, "mountPath": path, "subPath": part, "readOnly": part == read_only})
    };
    json!([mount(ARCHIVES), mount(LISTS)])
}

/// Add a list's elements to the list in a field, which is created if it does not exist.
fn append(fields: &mut Map<String, Value>, name: &str, added: Value) {
    if let (Value::Array(list), Value::Array(added)) =
        (fields.entry(name).or_insert_with(|| json!([])), added)
    {
        list.extend(added);
    }
}

/// Let the cluster operator's JVM use an archive. Returns what was changed, a sentence.
pub(crate) fn into_operator(deployment: &mut Object) -> Result<String> {
    let options = Jvm::ClusterOperator.options().map(|(name, value)| format!("-XX:{name}={value}"));
    let options = format!("{} -D{PROPERTY}={}", options.join(" "), security());
    let container = container(deployment)?;
    let now = env(container, "JAVA_OPTS").and_then(|e| e.get("value")).and_then(Value::as_str).unwrap_or("");
    let all = format!("{now} {options}");
    set_env(container, "JAVA_OPTS", all.trim());
    append(container, "volumeMounts", mounts(ARCHIVES));
    if let Some(pod) = deployment.get_mut("/spec/template/spec").and_then(Value::as_object_mut) {
        append(pod, "volumes", volumes());
    }
    Ok(format!("operator class data: an archive in the volume {NAME}, if there is one"))
}

/// Let the JVMs of a Kafka cluster use archives. `brokers`: also those of the brokers. Options in the resource replace
/// all of Kafka's own, so that is only right if the resource has others already.
pub(crate) fn into_kafka(kafka: &mut Object, brokers: bool) {
    let operators = [
        ("topicOperator", "topicOperatorContainer", Jvm::TopicOperator),
        ("userOperator", "userOperatorContainer", Jvm::UserOperator),
    ];
    for (field, container, jvm) in operators {
        if kafka.get(&format!("/spec/entityOperator/{field}")).is_some() {
            set_options(kafka, &["spec", "entityOperator", field], jvm);
            kafka.set(&["spec", "entityOperator", "template", "pod", "volumes"], volumes());
            kafka.set(&["spec", "entityOperator", "template", container, "volumeMounts"], mounts(ARCHIVES));
        }
    }
    if brokers {
        set_options(kafka, &["spec", "kafka"], Jvm::Broker);
        kafka.set(&["spec", "kafka", "template", "pod", "volumes"], volumes());
        kafka.set(&["spec", "kafka", "template", "kafkaContainer", "volumeMounts"], mounts(ARCHIVES));
    }
}

fn set_options(kafka: &mut Object, at: &[&str], jvm: Jvm) {
    for (name, value) in jvm.options() {
        let path: Vec<&str> = at.iter().copied().chain(["jvmOptions", "-XX", name]).collect();
        kafka.set(&path, value);
    }
    let path: Vec<&str> = at.iter().copied().chain(["jvmOptions", "javaSystemProperties"]).collect();
    kafka.set(&path, json!([{"name": PROPERTY, "value": security()}]));
}

fn security() -> String {
    format!("{MOUNT}/{ARCHIVES}/{SECURITY}")
}

/// Whether the pods of a Deployment, or of a `Kafka`, have the volume.
pub(crate) fn is_in(object: &Value) -> bool {
    let named = |volume: &Value| volume["name"] == NAME;
    list(object, "/spec/template/spec/volumes").iter().any(named) || additional_volumes(object).any(named)
}

/// The name of a namespace's volume.
pub(crate) fn volume_name(namespace: &str) -> String {
    format!("{NAME}-{namespace}")
}

/// The claim of a namespace.
pub(crate) fn claim(namespace: &str) -> Object {
    let mut claim = template(include_str!("../../templates/class-data-claim.yaml"));
    claim.set(&["metadata", "namespace"], namespace);
    claim.set(&["spec", "selector", "matchLabels", LABEL], namespace);
    claim
}

/// The volume for the claim with this uid. Kubernetes binds them at once if the volume is created last and names the
/// claim's uid, as provisioners do. Otherwise the binding may fail at first, and is repeated 15 s later.
pub(crate) fn volume(namespace: &str, claim: &str) -> Object {
    let mut volume = template(include_str!("../../templates/class-data-volume.yaml"));
    volume.set(&["metadata", "name"], volume_name(namespace));
    volume.set(&["metadata", "labels", LABEL], namespace);
    volume.set(&["spec", "claimRef", "namespace"], namespace);
    volume.set(&["spec", "claimRef", "uid"], claim);
    volume.set(&["spec", "hostPath", "path"], format!("{ROOT}/{namespace}"));
    volume
}

/// An image: the name by which pods refer to it, and the digest of what ran under that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// `quay.io/strimzi/operator:1.2.0`
    pub name: String,
    /// `quay.io/strimzi/operator@sha256:...`, or `sha256:...` for an image from an archive.
    pub digest: String,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.digest)
    }
}

impl FromStr for Image {
    type Err = ();

    /// Only characters of image names and digests are allowed: it is written by a shell in the node.
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (name, digest) = text.trim().split_once(' ').ok_or(())?;
        let word = |word: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/.:@_-".contains(&b);
            !word.is_empty() && word.len() < 512 && word.bytes().all(plain)
        };
        let valid = word(name) && word(digest);
        valid.then(|| Self { name: name.to_owned(), digest: digest.to_owned() }).ok_or(())
    }
}

/// The images of JVMs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Images(pub BTreeMap<Jvm, Image>);

impl Images {
    /// As names of JVMs and images as text.
    pub(crate) fn to_names(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(jvm, image)| (jvm.to_string(), image.to_string())).collect()
    }

    /// From names of JVMs and images as text; what is not valid is left out.
    pub(crate) fn named(all: impl IntoIterator<Item = (String, String)>) -> Self {
        let one = |(name, image): (String, String)| Some((Jvm::named(&name)?, image.parse().ok()?));
        Self(all.into_iter().filter_map(one).collect())
    }
}

/// The Job that writes the archives of JVMs. Its containers run one after another, at the lowest priority. It is named
/// after the images, so that it is created once for them; `None` without images. `secrets`: what the images were pulled
/// with.
pub(crate) fn job(namespace: &str, images: &Images, secrets: &[String]) -> Option<Object> {
    let mut containers: Vec<Value> = images.0.iter().map(|(jvm, image)| writer(*jvm, image)).collect();
    let last = containers.pop()?;
    let mut job = template(include_str!("../../templates/class-data-job.yaml"));
    let id = crate::sha256::of(format!("{:?}", images.to_names()).as_bytes());
    job.set(&["metadata", "name"], format!("{NAME}-{}", &id[..8]));
    job.set(&["metadata", "namespace"], namespace);
    job.set(&["spec", "template", "spec", "initContainers"], containers);
    job.set(&["spec", "template", "spec", "containers"], json!([last]));
    job.set(&["spec", "template", "spec", "volumes"], volumes());
    if !secrets.is_empty() {
        let secrets: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
        job.set(&["spec", "template", "spec", "imagePullSecrets"], secrets);
    }
    Some(job)
}

/// The container that writes one archive.
fn writer(jvm: Jvm, image: &Image) -> Value {
    json!({
        "name": jvm.name(),
        "image": image.name,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/bash", "-c", include_str!("../../templates/class-data.sh")],
        "env": [
            {"name": "JVM", "value": jvm.name()},
            {"name": "IMAGE", "value": image.to_string()},
            {"name": "ARCHIVES", "value": format!("{MOUNT}/{ARCHIVES}")},
            {"name": "LISTS", "value": format!("{MOUNT}/{LISTS}")},
            // The operator's start script would look it up otherwise.
            {"name": "KUBERNETES_SERVICE_DNS_DOMAIN", "value": "cluster.local"},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts(LISTS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::to_yaml;
    use crate::manifest::tune::OPERATOR;

    fn kafka() -> Object {
        let entity =
            json!({"topicOperator": {"jvmOptions": {"-XX": {"UseSerialGC": "true"}}}, "userOperator": {}});
        let template = json!({"pod": {"affinity": {}}});
        Object::new(json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "c"},
            "spec": {"kafka": {"template": template}, "entityOperator": entity}}))
        .unwrap()
    }

    fn images() -> Images {
        let image = |name: &str| Image { name: name.into(), digest: "sha256:0a".into() };
        let operator = image("quay.io/strimzi/operator:1.2.0");
        let kafka = image("quay.io/strimzi/kafka:1.2.0-kafka-4.3.1");
        Images(BTreeMap::from([(Jvm::ClusterOperator, operator), (Jvm::Broker, kafka)]))
    }

    #[test]
    fn every_jvm_has_an_archive_a_list_and_the_volume() {
        let mut kafka = kafka();
        assert!(!is_in(kafka.value()));
        into_kafka(&mut kafka, true);
        assert!(is_in(kafka.value()));
        insta::assert_snapshot!(to_yaml(&[kafka]));
    }

    #[test]
    fn brokers_keep_kafkas_own_options() {
        let mut kafka = kafka();
        into_kafka(&mut kafka, false);
        assert!(kafka.get("/spec/kafka/jvmOptions").is_none());
        assert!(kafka.get("/spec/kafka/template/pod/volumes").is_none());
        assert!(is_in(kafka.value()));
    }

    #[test]
    fn an_operator_that_is_not_there_gets_no_options() {
        let mut kafka = kafka();
        kafka.remove(&["spec", "entityOperator"]);
        into_kafka(&mut kafka, true);
        assert!(kafka.get("/spec/entityOperator").is_none());
    }

    #[test]
    fn the_operators_own_options_and_volumes_are_kept() {
        let container = json!({"name": OPERATOR, "env": [{"name": "JAVA_OPTS", "value": "-Da=b"}],
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]});
        let mut deployment = Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": OPERATOR},
            "spec": {"template": {"spec": {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}}}}))
        .unwrap();
        into_operator(&mut deployment).unwrap();
        assert!(is_in(deployment.value()));
        insta::assert_snapshot!(to_yaml(&[deployment]));
    }

    #[test]
    fn volume_and_job() {
        let job = job("kafka", &images(), &["login".to_owned()]).unwrap();
        let (volume, claim) = (volume("kafka", "0a-0b"), claim("kafka"));
        let claimed = volume.get("/spec/claimRef/name").and_then(Value::as_str);
        assert_eq!(claimed, Some(claim.name()));
        insta::assert_snapshot!(to_yaml(&[volume, claim, job]));
        assert!(super::job("kafka", &Images::default(), &[]).is_none());
    }

    #[test]
    fn images_are_read_as_they_were_written() {
        assert_eq!(Images::named(images().to_names()), images());
    }

    #[test]
    fn what_a_shell_would_interpret_is_no_image() {
        for text in ["a", "a ", "a b c", "a $(b)", "a b;c", "a \"b", "a 'b", "a b\nc"] {
            assert!(text.parse::<Image>().is_err(), "{text}");
        }
        let text = "quay.io/strimzi/operator:1.2.0 quay.io/strimzi/operator@sha256:0a";
        assert_eq!(text.parse::<Image>().unwrap().to_string(), text);
    }
}
