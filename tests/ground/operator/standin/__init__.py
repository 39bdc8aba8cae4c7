"""A stand-in for the Strimzi operators: a test double that behaves as the recordings of Strimzi 1.2.0 show.

What runs in the cluster's pods is the real Apache Kafka; only the operators are played. Rooms:

    cluster_operator   the process that Strimzi's install manifest starts
    topic_operator     KafkaTopics, in the entity operator's pod
    user_operator      KafkaUsers, in the entity operator's pod
    assembly           what the operators of all kinds have in common: locks, timer, a status for every end
    reconciler         the order in which a Kafka cluster is brought about
    pools, validation  node ids and roles; what is refused
    beside, metrics    Cruise Control and the exporter of a Kafka; what metricsConfig asks for
    broker, entity     pods, configuration and deployments as data
    listeners, rights  listeners and authorization; users' rules, limits and passwords
    connect            KafkaConnect and KafkaConnector
    mirror, bridge     KafkaMirrorMaker2, KafkaBridge
    bridge_server      the bridge itself, played
    connect_cluster    a Connect cluster as data, and brought about
    connectors, connect_rest   connectors, over Connect's REST API
    component          what belongs to every component beside Kafka
    resources          the small resources round them
    podsets, roller    pods re-created; pods rolled
    worker             what the topic and the user operator have in common
    status, certs      conditions; certificates
    kube, lease, health, kafka_admin, log   the outside world
"""

VERSION = "1.2.0"
STAND_IN = "This is kstrim's stand-in for the Strimzi {}, a test double"
