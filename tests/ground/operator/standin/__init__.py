"""A stand-in for the Strimzi operators: a test double that behaves like the recordings of Strimzi 1.2.0.

The pods run the real Apache Kafka; only the operators and the HTTP bridge are replaced. Modules:

    cluster_operator   the process that Strimzi's install manifest starts
    topic_operator     reconciles KafkaTopics, in the entity operator's pod
    user_operator      reconciles KafkaUsers, in the entity operator's pod
    assembly           common to the cluster operator's kinds: locks, periodic reconciliation, status updates
    reconciler         reconciles Kafka resources
    pools, validation  node pools with their node ids and roles; which resources are rejected
    kafka_components   Cruise Control and Kafka Exporter of a Kafka resource
    metrics            the options for metricsConfig
    broker, entity     manifests of the brokers and of the entity operator
    listeners          listeners and authorization of the brokers
    kafka_users        ACLs, quotas and SCRAM credentials of users
    connect            reconciles KafkaConnects and KafkaConnectors
    mirror, bridge     reconcile KafkaMirrorMaker2s and KafkaBridges
    rebalance          reconciles KafkaRebalances
    bridge_server      the HTTP bridge
    connect_cluster    the Kafka Connect cluster of a KafkaConnect or KafkaMirrorMaker2
    connectors, connect_rest   connectors; Kafka Connect's REST API
    components         manifests that all components have in common
    resources          manifests that the parts of a Kafka cluster have in common; certificates
    podsets, roller    creation of the pods of StrimziPodSets; rolling of pods
    worker             common to the topic operator and the user operator
    status, certs      conditions; keys and certificates
    failure            exceptions with the names of Strimzi's
    kube, lease, health, kafka_admin, log   Kubernetes API, leader election, probes, Kafka's admin API, log
"""

VERSION = "1.2.0"
STAND_IN = "This is kstrim's stand-in for the Strimzi {}, a test double"
