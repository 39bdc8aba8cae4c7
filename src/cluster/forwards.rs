//! Port-forwards to broker pods, on demand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use tokio::net::TcpStream;

use crate::exec::BoxFuture;
use crate::kafka::client::{BrokerAddr, Dial};
use crate::kube::kubectl::{Forward, Kubectl};

/// A port-forward per broker pod, reused as long as it works.
pub(crate) struct Forwards {
    kubectl: Rc<Kubectl>,
    namespace: String,
    open: RefCell<BTreeMap<String, Forward>>,
}

impl Forwards {
    /// Without any port-forward yet.
    pub(crate) fn new(kubectl: Rc<Kubectl>, namespace: &str) -> Rc<Self> {
        Rc::new(Self { kubectl, namespace: namespace.to_owned(), open: RefCell::default() })
    }
}

impl Dial for Forwards {
    fn dial<'a>(&'a self, broker: &'a BrokerAddr) -> BoxFuture<'a, io::Result<(String, u16)>> {
        Box::pin(async move {
            const HOST: &str = "127.0.0.1";
            let key = format!("{}:{}", broker.pod(), broker.port);
            let known = self.open.borrow().get(&key).map(|f| f.port);
            if let Some(port) = known
                && TcpStream::connect((HOST, port)).await.is_ok()
            {
                return Ok((HOST.to_owned(), port));
            }
            let forward = self
                .kubectl
                .forward(&self.namespace, broker.pod(), broker.port)
                .await
                .map_err(|e| io::Error::new(io::ErrorKind::ConnectionRefused, e.message))?;
            let port = forward.port;
            self.open.borrow_mut().insert(key, forward);
            Ok((HOST.to_owned(), port))
        })
    }

    fn broke(&self, broker: &BrokerAddr) {
        // kubectl may keep listening although the pod has been replaced in the meantime.
        self.open.borrow_mut().remove(&format!("{}:{}", broker.pod(), broker.port));
    }
}
