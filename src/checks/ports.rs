//! Ports of this machine.

use std::io;
use std::net::TcpListener;

use super::{Ground, Verdict};
use crate::errors;
use crate::failure::{Failure, Kind};

/// Ports of Kubernetes' own programs, which run on this machine itself with the driver `none`.
const KUBERNETES: [u16; 4] = [8443, 10250, 2379, 2380];

/// Whether a local port is available for `kubectl port-forward`; with the driver `none` also those of Kubernetes.
pub(crate) async fn local(ground: &Ground) -> Verdict {
    let here = ground.engine().await.driver.as_deref() == Some("none") && ground.profile().await.is_none();
    judge(&|port| TcpListener::bind(("127.0.0.1", port)).map(drop), if here { &KUBERNETES } else { &[] })
}

fn judge(bind: &dyn Fn(u16) -> io::Result<()>, needed: &[u16]) -> Verdict {
    let fail = |message: String, error: io::Error, hint: &str| {
        Verdict::Fail(Box::new(
            Failure::new(errors::PORT_IN_USE, Kind::Prerequisite, message).because(error).hint(hint),
        ))
    };
    if let Err(error) = bind(0) {
        let message = "no port on 127.0.0.1 is available".to_owned();
        return fail(
            message,
            error,
            "the smoke test connects to the brokers through one: check the loopback interface",
        );
    }
    for port in needed {
        if let Err(error) = bind(*port) {
            let message = format!("the port {port}, which Kubernetes needs, is not available");
            return fail(message, error, "stop the program that uses it, or choose the docker driver");
        }
    }
    Verdict::Ok("local ports are available".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = |port: u16| if port == 8443 { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(()) };
        assert!(matches!(judge(&taken, &[]), Verdict::Ok(_)));
        let Verdict::Fail(failure) = judge(&taken, &KUBERNETES) else { panic!("taken") };
        assert!(failure.id == errors::PORT_IN_USE && failure.message.contains("8443"), "{failure}");
        let none = |_: u16| Err(io::ErrorKind::AddrNotAvailable.into());
        assert!(matches!(judge(&none, &[]), Verdict::Fail(_)));
    }
}
