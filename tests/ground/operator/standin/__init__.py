"""A stand-in for the Strimzi operators: a test double that behaves like Strimzi 1.2.0 in the recordings.

The cluster's pods run the real Apache Kafka; only the operators are replaced. Modules:

    cluster_operator   the process that Strimzi's install manifest starts
    topic_operator     KafkaTopics, in the entity operator's pod
    user_operator      KafkaUsers, in the entity operator's pod
    assembly           common to the operators of all kinds: locks, timer, a status for every result
    reconciler         the steps that create or update a Kafka cluster
    pools, validation  node ids and roles; rejected resources
    kafka_components   Cruise Control and the exporter of a Kafka resource
    metrics            the metrics of metricsConfig
    broker, entity     pods, configuration and deployments as data
    listeners, rights  listeners and authorization; users' ACLs, quotas and passwords
    connect            KafkaConnect and KafkaConnector
    mirror, bridge     KafkaMirrorMaker2, KafkaBridge
    bridge_server      a stand-in for the bridge itself
    connect_cluster    a Connect cluster, as data and its reconciliation
    connectors, connect_rest   connectors, over Connect's REST API
    component          common to every component
    resources          the smaller resources of a cluster
    podsets, roller    the StrimziPodSet controller; rolling updates
    worker             common to the topic and the user operator
    status, certs      conditions; certificates
    kube, lease, health, kafka_admin, log   the outside world
"""

VERSION = "1.2.0"
STAND_IN = "This is kstrim's stand-in for the Strimzi {}, a test double"
