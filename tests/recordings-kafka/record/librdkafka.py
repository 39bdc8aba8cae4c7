"""Writes the topics librdkafka-* with librdkafka's producer: librdkafka.py BOOTSTRAP (pip install confluent-kafka)."""
import sys
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap = sys.argv[1]
admin = AdminClient({"bootstrap.servers": bootstrap})
codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
for future in admin.create_topics([NewTopic(f"librdkafka-{c}", 1, 1) for c in codecs]).values():
    future.result()
for codec in codecs:
    producer = Producer({"bootstrap.servers": bootstrap, "compression.codec": codec, "linger.ms": 200, "compression.level": -1})
    topic = f"librdkafka-{codec}"
    producer.produce(topic, key=b"k", value=b"plain", partition=0)
    producer.produce(topic, key=None, value=b"no key", partition=0)
    producer.produce(topic, key=b"tombstone", value=None, partition=0)
    producer.produce(topic, key=b"headers", value=b"twice", headers=[("trace", b"1"), ("other", None), ("trace", b"2")], partition=0)
    for i in range(200):
        producer.produce(topic, key=f"k{i}".encode(), value=f"value {i} ".encode() * (1 + i % 50), partition=0)
    assert producer.flush(30) == 0
