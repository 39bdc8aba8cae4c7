//! TLS and passwords against the stand-in broker; `tests/e2e` has the real one.

use super::*;
use crate::kafka::security::{Login, Security, Tls};

const CA: &str = include_str!("../../../tests/fixtures/tls/ca.crt");
const CERT: &str = include_str!("../../../tests/fixtures/tls/user.crt");
const KEY: &str = include_str!("../../../tests/fixtures/tls/user.key");
const OTHER_CA: &str = include_str!("../../../tests/fixtures/tls/broker.crt");

fn secured(tls: bool, certificates: bool, password: Option<&str>) -> Secured {
    Secured { tls, certificates, password: password.map(str::to_owned), ..Secured::default() }
}

fn security(tls: Option<Tls>, password: Option<&str>) -> Security {
    let login = |password: &str| Rc::new(Login { user: "app".into(), password: password.into() });
    Security { tls: tls.map(Rc::new), login: password.map(login) }
}

/// A client of a broker with the name in its certificate.
async fn connect(broker: &Secured, ours: Security) -> Result<Client, KafkaError> {
    let cluster = Cluster::secured(1, broker, &Faults::default());
    cluster.logs().create("my-topic", 1).unwrap();
    let host = "my-cluster-dual-role-0.my-cluster-kafka-brokers.kafka.svc".to_owned();
    let bootstrap = BrokerAddr { id: -1, host, port: 9096 };
    let options = Options { security: ours, ..Options::default() };
    let limit = Instant::now() + Duration::from_secs(2);
    let mut client = Client::connect(bootstrap, cluster.dial(), options, limit).await?;
    let mut topic = client.topic("my-topic", soon()).await?;
    let message = vec![(0, Message { value: Some(Bytes::from("hello")), ..Message::default() })];
    client.produce(&mut topic, message, &mut Vec::new(), soon()).await?;
    Ok(client)
}

#[tokio::test]
async fn a_certificate_or_a_password_grants_access() {
    let tls = |identity| Some(Tls::new(CA, identity).unwrap());
    let with = Some((CERT, KEY));
    connect(&secured(true, false, None), security(tls(None), None)).await.unwrap();
    connect(&secured(true, true, None), security(tls(with), None)).await.unwrap();
    connect(&secured(true, false, Some("secret")), security(tls(None), Some("secret"))).await.unwrap();
    connect(&secured(false, false, Some("secret")), security(None, Some("secret"))).await.unwrap();
}

#[tokio::test]
async fn invalid_credentials_fail_immediately() {
    let tls = || Some(Tls::new(CA, None).unwrap());
    let began = Instant::now();
    let wrong = connect(&secured(true, false, Some("secret")), security(tls(), Some("guess"))).await;
    let wrong = wrong.err().unwrap();
    assert!(
        matches!(&wrong, KafkaError::Refused { why, .. } if why.contains("invalid credentials")),
        "{wrong}"
    );
    assert!(!wrong.to_string().contains("guess"));
    let none = connect(&secured(true, true, None), security(tls(), None)).await.err().unwrap();
    assert!(
        matches!(&none, KafkaError::Refused { why, .. } if why.contains("certificate_required")),
        "{none}"
    );
    let foreign = Some(Tls::new(OTHER_CA, None).unwrap());
    let foreign = connect(&secured(true, false, None), security(foreign, None)).await.err().unwrap();
    assert!(matches!(&foreign, KafkaError::Untrusted { .. }), "{foreign}");
    assert!(began.elapsed() < Duration::from_secs(2), "nothing is tried again");
}

#[tokio::test]
async fn the_wrong_kind_of_listener_has_its_own_error() {
    let plain =
        connect(&secured(false, false, None), security(Some(Tls::new(CA, None).unwrap()), None)).await;
    let plain = plain.err().unwrap();
    assert!(!matches!(plain, KafkaError::Untrusted { .. }), "{plain}");
    let no_login = connect(&secured(false, false, None), security(None, Some("p"))).await.err().unwrap();
    assert_eq!(no_login.code(), Some(34), "{no_login}");
}

#[test]
fn an_invalid_certificate_is_rejected_without_being_printed() {
    let of = |ca, identity| Tls::new(ca, identity).err().unwrap();
    assert!(of("nothing", None).contains("no authority"));
    let why = of(CA, Some((CERT, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")));
    assert!(why.contains("cannot be used") && !why.contains("c2VjcmV0"), "{why}");
    let shown = format!("{:?}", security(Some(Tls::new(CA, None).unwrap()), Some("secret")));
    assert!(shown.contains("app") && !shown.contains("secret\""), "{shown}");
}
