"""Produces orders and consumes them again. `kstrim run` sets the environment."""

import os
import time

from confluent_kafka import Consumer, Producer, TopicPartition


def client():
    """How to connect: the file has addresses, paths of certificates, and passwords."""
    with open(os.environ["KSTRIM_LIBRDKAFKA_PROPERTIES"], encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def test_orders_come_back():
    topic = os.environ["KSTRIM_TOPIC_ORDERS"]
    orders = [f"order {n}" for n in range(10)]
    offsets = []

    def delivered(error, message):
        assert error is None
        offsets.append(message.offset())

    producer = Producer(client())
    for order in orders:
        producer.produce(topic, order, partition=0, on_delivery=delivered)
    assert producer.flush(20) == 0

    group = os.environ.get("KSTRIM_PREFIX", "") + "orders-test"
    consumer = Consumer(client() | {"group.id": group, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, min(offsets))])
    consumed, end = [], time.monotonic() + 20
    while len(consumed) < len(orders) and time.monotonic() < end:
        message = consumer.poll(0.5)
        if message is not None:
            assert message.error() is None
            consumed.append(message.value().decode())
    consumer.close()
    assert consumed == orders
