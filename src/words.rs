//! All texts of other programs that kstrim searches for, in one table.
//!
//! Structured information (an exit code, the `reason` of the API's `Status`, a condition, a field) has priority. Text
//! is only used for what a program reports in no other way, because messages are written for people and may change
//! with any release. So each entry names the program and a version in which the text occurs, and its position in the
//! message: text that another message quotes does not count. `tests/words.rs` checks that no other file searches for
//! such texts.

/// The position of a text in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its beginning.
    Start,
    /// At its end.
    End,
    /// Anywhere: in a line of a log, or in a message that another program quotes.
    Within,
    /// Anywhere, but as a separate word: a number that is not part of another one.
    Alone,
}

/// A text with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    text: &'static str,
    place: Place,
    /// The program, and a version in which the text was observed, or that has it in its source.
    whose: &'static str,
}

impl Words {
    const fn start(whose: &'static str, text: &'static str) -> Self {
        Self { text, place: Place::Start, whose }
    }

    const fn end(whose: &'static str, text: &'static str) -> Self {
        Self { text, place: Place::End, whose }
    }

    const fn alone(whose: &'static str, text: &'static str) -> Self {
        Self { text, place: Place::Alone, whose }
    }

    const fn within(whose: &'static str, text: &'static str) -> Self {
        Self { text, place: Place::Within, whose }
    }

    /// Whether a message contains the text.
    pub(crate) fn matches(&self, message: &str) -> bool {
        match self.place {
            Place::Start => message.starts_with(self.text),
            Place::End => message.ends_with(self.text),
            Place::Within => message.contains(self.text),
            Place::Alone => message.split(|c: char| !c.is_alphanumeric()).any(|word| word == self.text),
        }
    }

    /// The part of a message after the text.
    pub(crate) fn after<'a>(&self, message: &'a str) -> Option<&'a str> {
        match self.place {
            Place::Start => message.strip_prefix(self.text),
            Place::End => message.ends_with(self.text).then_some(""),
            Place::Within | Place::Alone => message.split_once(self.text).map(|(_, rest)| rest),
        }
    }

    /// The part of a message before the text.
    pub(crate) fn before<'a>(&self, message: &'a str) -> Option<&'a str> {
        match self.place {
            Place::Start => message.starts_with(self.text).then_some(""),
            Place::End => message.strip_suffix(self.text),
            Place::Within | Place::Alone => message.split_once(self.text).map(|(before, _)| before),
        }
    }

    /// The text.
    pub(crate) const fn text(&self) -> &'static str {
        self.text
    }
}

/// Whether a message contains any of these texts.
pub(crate) fn any(words: &[Words], message: &str) -> bool {
    words.iter().any(|w| w.matches(message))
}

const KUBECTL: &str = "kubectl 1.34 (k8s.io/kubectl/pkg/cmd/util/helpers.go)";
const CLIENT: &str = "client-go 1.34";
const GO: &str = "Go 1.24 (net, net/http, crypto/x509)";
const SERVER: &str = "Kubernetes' API server 1.34";
const SCHEDULER: &str = "kube-scheduler 1.34";
const VOLUMES: &str = "kube-controller-manager 1.34 (persistent volumes)";
const CONTROLLER: &str = "kube-controller-manager 1.34 (ReplicaSet, Job, StatefulSet)";
const KUBELET: &str = "kubelet 1.34";
const FABRIC8: &str = "fabric8's Kubernetes client 5.12 to 7, in Strimzi 0.30 to 1.2";
const STRIMZI: &str = "Strimzi 0.30 to 1.2";
const KAFKA: &str = "Kafka 3.2 to 4.3";
const LOG4J: &str = "Log4j 1.2 and 2, as Strimzi 0.30 to 1.2 set them up";
const MINIKUBE: &str = "minikube 1.38";
const DOCKER: &str = "docker 28";
const RUNTIME: &str = "containerd 1.7, docker 28 and the registries behind them";

/// kubectl prints an error of the API server: `Error from server (Reason): message`.
pub(crate) const FROM_SERVER: [Words; 2] =
    [Words::start(KUBECTL, "Error from server"), Words::start(KUBECTL, "error from server")];
/// An error of kubectl itself.
pub(crate) const ERROR: Words = Words::start(KUBECTL, "error: ");
/// Lines of kubectl's stderr that contain the error.
pub(crate) const TELLING: [Words; 6] = [
    Words::start(KUBECTL, "Error from server"),
    Words::start(KUBECTL, "error: "),
    Words::start(KUBECTL, "Error in configuration"),
    Words::start(KUBECTL, "Unable to connect"),
    Words::start(KUBECTL, "The connection to"),
    INVALID_OBJECT,
];
/// kubectl prints a 422 with causes in a different form: `The Kafka "x" is invalid: ...`.
pub(crate) const INVALID_OBJECT: Words = Words::start(KUBECTL, "The ");
/// The next part of that message.
pub(crate) const IS_INVALID: Words = Words::within(KUBECTL, "\" is invalid: ");
/// The same without a name.
pub(crate) const REQUEST_INVALID: Words = Words::start(KUBECTL, "The request is invalid");
/// Lines of kubectl's stderr that are also printed on success.
pub(crate) const REMARKS: [Words; 2] =
    [Words::start(KUBECTL, "Warning:"), Words::start(KUBECTL, "ensure CRDs are installed first")];
/// The text after a quoted patch in a message.
pub(crate) const GOES_ON: [Words; 2] = [Words::start(KUBECTL, "from server"), Words::start(KUBECTL, "for: ")];
/// The webhook's message follows, which may have several lines.
pub(crate) const WEBHOOK_SAYS: Words = Words::end(SERVER, "\" denied the request:");
/// The text that kubectl puts before an API server's message when it reads files.
pub(crate) const WHILE: [Words; 2] =
    [Words::start(KUBECTL, "error when "), Words::start(KUBECTL, "failed to create ")];
/// No kind of this name or version is served; kubectl asks discovery.
pub(crate) const NO_KIND: [Words; 2] = [
    Words::within(KUBECTL, "no matches for kind \""),
    Words::start(KUBECTL, "the server doesn't have a resource type \""),
];
/// No kind of this name or version is served, according to the API server's response for a path.
pub(crate) const NO_RESOURCE: Words =
    Words::within(CLIENT, "the server could not find the requested resource");
/// The kubeconfig is missing, or has no such context.
pub(crate) const NO_CONTEXT: [Words; 3] = [
    Words::within(CLIENT, "context was not found for specified context: "),
    Words::within(CLIENT, "context \""),
    Words::within(CLIENT, "no configuration has been provided"),
];
/// The next part of `context "x" does not exist`.
pub(crate) const DOES_NOT_EXIST: Words = Words::end(CLIENT, "\" does not exist");
/// A kubeconfig that is specified and does not exist: `stat PATH: no such file or directory`.
pub(crate) const STAT: Words = Words::start(GO, "stat ");
/// The end of that message.
pub(crate) const NO_FILE: Words = Words::end(GO, ": no such file or directory");
/// Another manager owns the field.
pub(crate) const APPLY_CONFLICT: [Words; 2] = [
    Words::start(KUBECTL, "Apply failed with "),
    Words::within(SERVER, "please apply your changes to the latest version"),
];
/// The credentials are not accepted.
pub(crate) const LOGGED_IN: Words = Words::start(KUBECTL, "You must be logged in to the server");
/// The certificate of the API server, or of the client, has expired.
pub(crate) const EXPIRED: Words = Words::within(GO, "x509: certificate has expired or is not yet valid");
/// The certificate was issued by another CA: another cluster's, or that of a program that intercepts TLS.
pub(crate) const UNKNOWN_AUTHORITY: Words = Words::within(GO, "certificate signed by unknown authority");
/// A field that the schema does not have: server-side apply.
pub(crate) const UNTYPED: Words = Words::start(SERVER, "failed to create typed patch object (");
/// The same, field by field.
pub(crate) const UNDECLARED: Words = Words::within(SERVER, ": field not declared in schema");
/// A field that the schema does not have: `--validate=strict`.
pub(crate) const STRICT: Words = Words::within(SERVER, ": strict decoding error: ");
/// The field that [`STRICT`] names.
pub(crate) const UNKNOWN_FIELD: Words = Words::within(SERVER, "unknown field \"");
/// The text after a field's name in a message of the API server's validation.
pub(crate) const OF_FIELD: [Words; 5] = [
    Words::within(SERVER, ": Invalid value"),
    Words::within(SERVER, ": Unsupported value"),
    Words::within(SERVER, ": Required value"),
    Words::within(SERVER, ": Forbidden:"),
    Words::within(SERVER, ": Duplicate value"),
];
/// The field with the versions in which objects may be stored, in a message about an invalid CRD.
pub(crate) const STORED_VERSIONS: Words = Words::start(SERVER, "status.storedVersions");
/// Nothing responds, or the connection is closed.
pub(crate) const UNREACHABLE: [Words; 2] = [
    Words::start(KUBECTL, "Unable to connect to the server"),
    Words::start(KUBECTL, "The connection to the server "),
];
/// Nothing responds, according to the last error of the chain.
pub(crate) const NO_ANSWER: [Words; 5] = [
    Words::end(GO, "connect: connection refused"),
    Words::end(GO, "connect: no route to host"),
    Words::end(GO, "TLS handshake timeout"),
    Words::end(GO, "unexpected EOF"),
    Words::end(GO, "i/o timeout"),
];
/// kubectl's wait for a condition timed out.
pub(crate) const TIMED_OUT: Words = Words::start(KUBECTL, "timed out waiting for the condition");
/// Go's client connected to a proxy.
pub(crate) const PROXY_CONNECT: Words = Words::start(GO, "proxyconnect ");
/// Go's client reports a proxy's response to CONNECT only by its HTTP status text.
pub(crate) const PROXY_STATUS: [&str; 5] =
    ["Forbidden", "Bad Gateway", "Service Unavailable", "Gateway Timeout", "Proxy Authentication Required"];
/// `kubectl proxy` is listening.
pub(crate) const SERVING: Words = Words::start(KUBECTL, "Starting to serve on ");
/// `kubectl port-forward` is listening.
pub(crate) const FORWARDING: Words = Words::start(KUBECTL, "Forwarding from ");
/// The text after the local address of a port-forward.
pub(crate) const FORWARDED_TO: Words = Words::within(KUBECTL, " -> ");

/// A namespace that is being deleted accepts no new objects.
pub(crate) const TERMINATING: Words = Words::start(SERVER, "unable to create new content in namespace ");
/// An object with this name is being deleted.
pub(crate) const BEING_DELETED: Words = Words::within(SERVER, "object is being deleted: ");
/// Rejected by admission or RBAC: `pods "x" is forbidden: ...`.
pub(crate) const IS_FORBIDDEN: Words = Words::within(SERVER, " is forbidden: ");
/// Denied by RBAC.
pub(crate) const RBAC: Words = Words::start(SERVER, "User \"");
/// A required webhook does not respond.
pub(crate) const WEBHOOK_FAILED: Words =
    Words::start(SERVER, "Internal error occurred: failed calling webhook \"");
/// Rejected by a webhook.
pub(crate) const WEBHOOK: Words = Words::start(SERVER, "admission webhook \"");
/// The next part of that message.
pub(crate) const DENIED: Words = Words::start(SERVER, "\" denied the request");
/// Rejected by a ValidatingAdmissionPolicy.
pub(crate) const POLICY: Words = Words::start(SERVER, "ValidatingAdmissionPolicy '");
/// The next part of that message.
pub(crate) const DENIED_REQUEST: Words = Words::within(SERVER, " denied request: ");
/// A quota is exceeded.
pub(crate) const QUOTA_EXCEEDED: Words = Words::start(SERVER, "exceeded quota: ");
/// A quota limits a resource that the pod does not specify.
pub(crate) const QUOTA_UNSPECIFIED: Words = Words::start(SERVER, "failed quota: ");
/// Pods of this kind (of a priority class) are only allowed with a quota.
pub(crate) const QUOTA_NEEDED: Words = Words::start(SERVER, "insufficient quota to ");
/// Rejected by a limit range; the message has one of these, possibly in a list.
pub(crate) const LIMIT_RANGE: [Words; 3] = [
    Words::within(SERVER, " usage per Container is "),
    Words::within(SERVER, " usage per Pod is "),
    Words::within(SERVER, " max limit to request ratio per "),
];
/// The same for a claim.
pub(crate) const LIMIT_RANGE_CLAIM: Words = Words::within(SERVER, " usage per PersistentVolumeClaim is ");
/// Rejected by the namespace's pod security level.
pub(crate) const POD_SECURITY: Words = Words::start(SERVER, "violates PodSecurity \"");
/// The service account of a pod is missing.
pub(crate) const NO_ACCOUNT: Words = Words::start(SERVER, "error looking up service account ");

/// The text before the API server's message in a controller's event or condition.
pub(crate) const CREATING: Words = Words::start(CONTROLLER, "Error creating: ");
/// The same for a StatefulSet: `create Pod x-0 in StatefulSet x failed error: ...`.
pub(crate) const CREATING_IN_SET: Words = Words::start(CONTROLLER, "create Pod ");
/// The next part of that message.
pub(crate) const SET_FAILED: Words = Words::within(CONTROLLER, " failed error: ");
/// The exception of the operator's client.
pub(crate) const EXECUTING: Words = Words::start(FABRIC8, "Failure executing: ");
/// The API server's message in it.
pub(crate) const MESSAGE: Words = Words::within(FABRIC8, ". Message: ");
/// The text after the API server's message.
pub(crate) const RECEIVED: Words = Words::within(FABRIC8, ". Received status: ");
/// The text that older clients put before the message of a 403.
pub(crate) const MAY_BE_REVOKED: Words = Words::within(
    FABRIC8,
    "Configured service account doesn't have access. Service account may have been revoked. ",
);

/// The scheduler finds too little memory.
pub(crate) const NO_MEMORY: Words = Words::within(SCHEDULER, "Insufficient memory");
/// The scheduler finds too little CPU.
pub(crate) const NO_CPU: Words = Words::within(SCHEDULER, "Insufficient cpu");
/// A pod waits for its claims.
pub(crate) const UNBOUND: Words = Words::within(SCHEDULER, "unbound immediate PersistentVolumeClaims");
/// The only text about taints since Kubernetes 1.34; earlier versions name them.
pub(crate) const SOME_TAINT: Words = Words::within(SCHEDULER, "untolerated taint(s)");
/// The text before the scheduler's reasons.
pub(crate) const AVAILABLE: Words = Words::within(SCHEDULER, "available: ");
/// A claim's class does not exist: `storageclass.storage.k8s.io "x" not found`.
pub(crate) const NO_CLASS: Words = Words::start(VOLUMES, "storageclass.storage.k8s.io \"");
/// The end of that message.
pub(crate) const NOT_FOUND: Words = Words::end(VOLUMES, "\" not found");
/// A claim specifies no class, and there is no default.
pub(crate) const NO_CLASS_SET: Words = Words::within(VOLUMES, "no storage class is set");
/// The kubelet waits for its runtime to have a network.
pub(crate) const NO_NETWORK: Words = Words::within(KUBELET, "NetworkPluginNotReady");
/// The kubelet cannot find a pull secret (event `FailedToRetrieveImagePullSecret`).
pub(crate) const PULL_SECRETS: Words = Words::start(KUBELET, "Unable to retrieve some image pull secrets (");
/// The finalizers that block the deletion of a namespace.
pub(crate) const FINALIZERS: Words = Words::within(SERVER, "remaining: ");

/// No node pool belongs to the Kafka resource.
pub(crate) const NO_POOLS: Words = Words::within(STRIMZI, "No KafkaNodePools found");
/// The Kafka versions that a release supports.
pub(crate) const SUPPORTED: Words = Words::within(STRIMZI, "Supported versions are: [");
/// A replication factor above the number of brokers.
pub(crate) const REPLICATION: [Words; 2] =
    [Words::within(STRIMZI, "replication.factor"), Words::within(STRIMZI, ".isr")];
/// The rules of a user, although the Kafka resource has no authorization.
pub(crate) const AUTHORIZATION: Words = Words::within(STRIMZI, "authorization");
/// The operator starts to reconcile a Kafka resource.
pub(crate) const RECONCILE_BEGINS: Words =
    Words::end(STRIMZI, "will be checked for creation or modification");
/// The operator is still reconciling a Kafka resource.
pub(crate) const RECONCILE_GOES_ON: Words = Words::start(STRIMZI, "Reconciliation is in progress");
/// The operator has reconciled a Kafka resource.
pub(crate) const RECONCILE_ENDS: [Words; 3] = [
    Words::start(STRIMZI, "reconciled"),
    Words::start(STRIMZI, "Failed to reconcile"),
    Words::end(STRIMZI, "has been paused"),
];
/// The Kubernetes client of releases up to 0.45 does not support a field of newer servers' `/version`.
pub(crate) const EMULATION: [Words; 2] = [
    Words::within(STRIMZI, "Unrecognized field \"emulationMajor\""),
    Words::within(STRIMZI, "Unrecognized field \"emulationMinor\""),
];
/// The operator lacks permissions.
pub(crate) const OPERATOR_FORBIDDEN: Words = Words::within(SERVER, " is forbidden: User ");
/// The topic operator got no response from the brokers, or there were no known brokers for a moment.
pub(crate) const TOPIC_UNANSWERED: [Words; 3] = [
    Words::within(KAFKA, "TimeoutException"),
    Words::within(KAFKA, "currently fenced"),
    // About TLS or a password: it connected to brokers of another Kafka cluster, or before their certificates were
    // updated.
    Words::within(KAFKA, "AuthenticationException"),
];
/// More replicas than brokers.
pub(crate) const TOPIC_REPLICATION: Words = Words::within(KAFKA, "InvalidReplicationFactorException");
/// A setting that Kafka does not support.
pub(crate) const TOPIC_CONFIG: Words = Words::within(KAFKA, "Unknown topic config name");
/// All brokers are fenced: none has sent a heartbeat.
pub(crate) const FENCED: Words = Words::within(KAFKA, "currently fenced");
/// A volume contains another cluster's data.
pub(crate) const CLUSTER_ID: Words = Words::within(KAFKA, "Invalid cluster.id in");
/// The expected id.
pub(crate) const CLUSTER_ID_EXPECTED: Words = Words::within(KAFKA, "Expected ");
/// The id in the volume.
pub(crate) const CLUSTER_ID_READ: Words = Words::within(KAFKA, ", but read ");
/// A full disk.
pub(crate) const NO_SPACE: Words = Words::within("Linux (ENOSPC)", "No space left on device");
/// Libraries with native code unpack it into `/tmp`, which is no volume of Kafka's: Strimzi mounts 5 MiB of
/// memory there.
pub(crate) const UNPACKS_NATIVE: [Words; 3] = [
    Words::within("snappy-java 1.1", "org.xerial.snappy."),
    Words::within("zstd-jni 1.5", "com.github.luben.zstd."),
    Words::within("OpenJDK 17", " /tmp/"),
];
/// Levels of a log line that is not about the end of the program.
pub(crate) const ROUTINE: [Words; 4] = [
    Words::alone(LOG4J, "WARN"),
    Words::alone(LOG4J, "INFO"),
    Words::alone(LOG4J, "DEBUG"),
    Words::alone(LOG4J, "TRACE"),
];
/// Levels of a log line that may be about its end.
pub(crate) const GRAVE: [Words; 2] = [Words::alone(LOG4J, "ERROR"), Words::alone(LOG4J, "FATAL")];
/// The continuation of a stack trace, in addition to its indented frames.
pub(crate) const CAUSED_BY: Words = Words::start("OpenJDK 17", "Caused by:");
/// The JVM ran out of memory.
pub(crate) const JVM_MEMORY: [Words; 2] = [
    Words::within("OpenJDK 17", "java.lang.OutOfMemoryError"),
    Words::within("OpenJDK 17", "insufficient memory for the Java Runtime"),
];
/// What a JVM prints after the exception that ended it: Java frames and its own; that an agent failed.
pub(crate) const JVM_REMARKS: [Words; 9] = [
    Words::start("OpenJDK 17", "at "),
    Words::start("OpenJDK 17", "... "),
    Words::start("OpenJDK 17", "*** java.lang.instrument ASSERTION FAILED ***"),
    Words::start("OpenJDK 17", "FATAL ERROR in native method"),
    Words::start("OpenJDK 17", "Native frames: "),
    Words::start("OpenJDK 17", "V  ["),
    Words::start("OpenJDK 17", "C  ["),
    Words::start("OpenJDK 17", "j  "),
    Words::start("OpenJDK 17", "J "),
];
/// What an operator prints during shutdown, after the exception that caused it.
pub(crate) const SHUTDOWN_REMARKS: [Words; 4] = [
    Words::within("Strimzi 0.40.0", " ShutdownHook:"),
    Words::within("Strimzi 0.40.0", " LeaderElectionManager:"),
    Words::within("Strimzi 0.40.0", " BlockedThreadChecker:"),
    Words::within("Strimzi 0.40.0", "io.vertx.core.VertxException: Thread blocked"),
];
/// Kafka rejects its configuration.
pub(crate) const KAFKA_CONFIG: [Words; 2] =
    [Words::within(KAFKA, "ConfigException:"), Words::within(KAFKA, "requirement failed:")];

/// minikube warns that `NO_PROXY` lacks the cluster's address (`pkg/minikube/node/start.go`).
pub(crate) const NO_PROXY: Words =
    Words::within(MINIKUBE, "NO_PROXY environment does not include the minikube IP");
/// A machine that no longer exists; then `minikube status` prints `null`.
pub(crate) const NO_CONTAINER: [Words; 2] =
    [Words::within(DOCKER, "No such container"), Words::within(DOCKER, "no such container")];
/// The engine does not respond, in a line of minikube's stderr.
pub(crate) const ENGINE: [Words; 2] = [Words::within(DOCKER, "daemon"), Words::within(DOCKER, "onnect")];
/// The user may not use the engine's socket; in lower case.
pub(crate) const PERMISSION: Words = Words::within(DOCKER, "permission denied");
/// The engine is not running; in lower case.
pub(crate) const ENGINE_DOWN: [Words; 4] = [
    Words::within(DOCKER, "cannot connect"),
    Words::within(DOCKER, "connection refused"),
    Words::within(DOCKER, "is the docker daemon running"),
    Words::within(DOCKER, "no such file"),
];
/// `kubeadm init` failed; minikube quotes the command.
pub(crate) const KUBEADM_INIT: Words = Words::within(MINIKUBE, "kubeadm init --config");
/// A template of one of minikube's checks that could not be filled in.
pub(crate) const NO_VALUE: Words = Words::within(GO, "<no value>");
/// The output of a check follows.
pub(crate) const EXIT_STATUS: Words = Words::within(MINIKUBE, "exit status 1: ");
/// The last line of ssh, which only says how the command exited.
pub(crate) const SSH: Words = Words::start(MINIKUBE, "ssh: ");
/// An image was not loaded into a node, which minikube does not report as a failure.
pub(crate) const NOT_PULLED: [Words; 3] = [
    Words::within(MINIKUBE, "Failed to pull images"),
    Words::within(MINIKUBE, "Failed to load cached images"),
    Words::within(MINIKUBE, "Failed to load machine"),
];
/// Warnings about a slow engine, also on success (observed on a busy machine).
pub(crate) const SLOW: [Words; 2] = [
    Words::within(MINIKUBE, "took an unusually long time"),
    Words::within(MINIKUBE, "may improve performance"),
];
/// minikube reports a problem.
pub(crate) const COMPLAINS: [Words; 3] =
    [Words::start(MINIKUBE, "X "), Words::start(MINIKUBE, "! "), Words::within(MINIKUBE, "unable to add it")];
/// A description in a gRPC error.
pub(crate) const DESCRIBED: Words = Words::within(RUNTIME, "desc = ");

/// The registry's rate limit is exceeded.
pub(crate) const REGISTRY_LIMIT: [Words; 3] = [
    Words::within(RUNTIME, "toomanyrequests"),
    Words::alone(RUNTIME, "429"),
    Words::within(RUNTIME, "rate limit"),
];
/// The registry's certificate is not trusted.
pub(crate) const REGISTRY_TLS: [Words; 2] =
    [Words::within(RUNTIME, "x509"), Words::within(RUNTIME, "failed to verify certificate")];
/// The registry's name cannot be resolved.
pub(crate) const REGISTRY_DNS: [Words; 3] = [
    Words::within(RUNTIME, "dial tcp: lookup"),
    Words::within(RUNTIME, "no such host"),
    Words::within(RUNTIME, "server misbehaving"),
];
/// The registry denies access.
pub(crate) const REGISTRY_DENIED: [Words; 6] = [
    Words::alone(RUNTIME, "401"),
    Words::alone(RUNTIME, "403"),
    Words::within(RUNTIME, "unauthorized"),
    Words::within(RUNTIME, "denied"),
    Words::within(RUNTIME, "authentication required"),
    Words::within(RUNTIME, "no basic auth"),
];
/// The registry does not have the image.
pub(crate) const REGISTRY_LACKS: [Words; 3] = [
    Words::within(RUNTIME, "not found"),
    Words::within(RUNTIME, "manifest unknown"),
    Words::within(RUNTIME, "NotFound"),
];
/// The registry uses HTTP.
pub(crate) const REGISTRY_HTTP: Words = Words::within(RUNTIME, "server gave HTTP response to HTTPS client");
/// The registry cannot be reached.
pub(crate) const REGISTRY_AWAY: [Words; 7] = [
    Words::within(RUNTIME, "proxyconnect"),
    Words::within(RUNTIME, "i/o timeout"),
    Words::within(RUNTIME, "connection refused"),
    Words::within(RUNTIME, "no route to host"),
    Words::within(RUNTIME, "network is unreachable"),
    Words::within(RUNTIME, "TLS handshake"),
    Words::within(RUNTIME, "EOF"),
];
/// The standard library has no error kind for a failed lookup.
pub(crate) const LOOKUP: Words = Words::within("Rust's standard library 1.90", "failed to lookup address");
/// The proxy itself denied access.
pub(crate) const PROXY_REFUSED: Words = Words::within("the HTTP client of kstrim (3.x)", "responded 4");
