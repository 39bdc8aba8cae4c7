"""Connectors, brought about over Connect's REST API, and what their status says."""
from __future__ import annotations

from .component import text
from .connect_rest import ConnectRest
from .failure import ReconcileFailure, Throwable
from .kube import Object


def _config(name: str, spec: Object) -> dict[str, str]:
    made = {key: text(value) for key, value in (spec.get("config") or {}).items()
            if key not in ("name", "connector.class", "tasks.max")}
    if spec.get("tasksMax") is not None:
        made["tasks.max"] = str(spec["tasksMax"])
    return made | {"name": name, "connector.class": spec["class"]}


def bring_about(rest: ConnectRest, name: str, spec: Object) -> Object:
    """Make a connector what its spec says; its status."""
    wanted, current = _config(name, spec), rest.config(name)
    if current is None:
        rest.create(name, wanted)
    elif current != wanted:
        rest.configure(name, wanted)
    return rest.status(name)


def trouble(seen: Object) -> ReconcileFailure | None:
    """Why a connector that Connect has is not ready."""
    if (seen.get("connector") or {}).get("state") == "FAILED":
        return Throwable("Connector has failed, see connectorStatus for more details.")
    failed = [str(task["id"]) for task in seen.get("tasks") or [] if task.get("state") == "FAILED"]
    if failed:
        return Throwable(f"The following tasks have failed: {', '.join(failed)}, "
                         "see connectorStatus for more details.")
    return None
