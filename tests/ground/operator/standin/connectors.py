"""Reconciles connectors over Kafka Connect's REST API, and evaluates their status."""
from __future__ import annotations

from .components import text
from .connect_rest import ConnectRest
from .failure import ReconcileFailure, Throwable
from .kube import Object


def _config(name: str, spec: Object) -> dict[str, str]:
    config = {key: text(value) for key, value in (spec.get("config") or {}).items()
              if key not in ("name", "connector.class", "tasks.max")}
    if spec.get("tasksMax") is not None:
        config["tasks.max"] = str(spec["tasksMax"])
    return config | {"name": name, "connector.class": spec["class"]}


def reconcile(rest: ConnectRest, name: str, spec: Object) -> Object:
    """Create or update a connector according to its spec. Return its status."""
    desired, current = _config(name, spec), rest.config(name)
    if current is None:
        rest.create(name, desired)
    elif current != desired:
        rest.configure(name, desired)
    return rest.status(name)


def find_failure(connector_status: Object) -> ReconcileFailure | None:
    """Return why a connector in Kafka Connect is not ready, or None if it is."""
    if (connector_status.get("connector") or {}).get("state") == "FAILED":
        return Throwable("Connector has failed, see connectorStatus for more details.")
    failed = [str(task["id"]) for task in connector_status.get("tasks") or [] if task.get("state") == "FAILED"]
    if failed:
        return Throwable(f"The following tasks have failed: {', '.join(failed)}, "
                         "see connectorStatus for more details.")
    return None
