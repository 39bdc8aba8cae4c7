// Produces orders and consumes them again. `kstrim run` sets the environment.
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { test } = require('node:test');
const { Kafka, logLevel } = require('kafkajs');

const { env } = process;

/** How to connect: addresses, and with `--user` the files with certificates and passwords. */
function client() {
  const config = { clientId: 'orders-test', brokers: env.KAFKA_BOOTSTRAP_SERVERS.split(','), logLevel: logLevel.ERROR };
  if (env.KAFKA_SSL_CA_FILE) config.ssl = { ca: [readFileSync(env.KAFKA_SSL_CA_FILE)] };
  if (env.KAFKA_SSL_KEY_FILE) {
    config.ssl.key = readFileSync(env.KAFKA_SSL_KEY_FILE);
    config.ssl.cert = readFileSync(env.KAFKA_SSL_CERTIFICATE_FILE);
  }
  if (env.KAFKA_SASL_USERNAME) {
    config.sasl = {
      mechanism: 'scram-sha-512',
      username: env.KAFKA_SASL_USERNAME,
      password: readFileSync(env.KAFKA_SASL_PASSWORD_FILE, 'utf8'),
    };
  }
  return new Kafka(config);
}

test('orders come back', { timeout: 60_000 }, async () => {
  const topic = env.KSTRIM_TOPIC_ORDERS;
  const orders = Array.from({ length: 10 }, (_, n) => `order ${n}`);

  const producer = client().producer();
  await producer.connect();
  await producer.send({ topic, messages: orders.map((value) => ({ value, partition: 0 })) });
  await producer.disconnect();

  const consumer = client().consumer({ groupId: `${env.KSTRIM_PREFIX ?? ''}orders-test` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const consumed = [];
  await new Promise((resolve, reject) => {
    const eachMessage = async ({ message }) => {
      consumed.push(message.value.toString());
      if (consumed.length >= orders.length) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  assert.deepStrictEqual(consumed, orders);
});
