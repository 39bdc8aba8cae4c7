"""Connectors, brought about over Connect's REST API, and what their status says."""
from __future__ import annotations

from dataclasses import dataclass, field

from . import log, status
from .component import text
from .connect_rest import ConnectRest
from .failure import ConnectRestException, ReconcileFailure, Throwable
from .kube import Object

# Connector's state now, state wanted: what to ask for.
VERBS = {("RUNNING", "paused"): "pause", ("RUNNING", "stopped"): "stop", ("PAUSED", "running"): "resume",
         ("PAUSED", "stopped"): "stop", ("STOPPED", "running"): "resume", ("STOPPED", "paused"): "pause"}


@dataclass
class Seen:
    """What Connect says of a connector."""

    status: Object
    topics: list[str] = field(default_factory=list)
    conditions: list[Object] = field(default_factory=list)
    # Annotations that were carried out.
    done: list[str] = field(default_factory=list)


def _config(name: str, spec: Object) -> dict[str, str]:
    made = {key: text(value) for key, value in (spec.get("config") or {}).items()
            if key not in ("name", "connector.class", "tasks.max")}
    if spec.get("tasksMax") is not None:
        made["tasks.max"] = str(spec["tasksMax"])
    if spec.get("version"):
        made["connector.plugin.version"] = spec["version"]
    return made | {"name": name, "connector.class": spec["class"]}


def bring_about(rest: ConnectRest, prefix: str, name: str, spec: Object, annotations: Object) -> Seen:
    """Make a connector what its spec says."""
    wanted, current = _config(name, spec), rest.config(name)
    if current is None:
        rest.create(name, wanted, spec.get("state"))
        return Seen(rest.status(name), rest.topics(name))
    if current != wanted:
        rest.configure(name, wanted)
    _to_state(rest, prefix, name, spec.get("state") or "running")
    seen = Seen({})
    if current == wanted:
        _restart(rest, prefix, name, annotations, seen)
    seen.status, seen.topics = rest.status(name), rest.topics(name)
    return seen


def _to_state(rest: ConnectRest, prefix: str, name: str, wanted: str) -> None:
    verb = VERBS.get((rest.status(name)["connector"]["state"], wanted))
    if verb:
        log.info("AbstractConnectOperator:560", f"{prefix}{verb.capitalize()} connector {name}")
        rest.state(name, verb)


def _restart(rest: ConnectRest, prefix: str, name: str, annotations: Object, seen: Seen) -> None:
    """What the restart annotations ask for. One that failed stays, and warns."""
    asked = [part.strip() for part in annotations.get("strimzi.io/restart", "false").split(",")]
    if asked != ["false"]:
        log.info("AbstractConnectOperator:640", f"{prefix}Restarting connector {name}")
        try:
            rest.restart(name, "includeTasks" in asked, "onlyFailed" in asked)
            seen.done.append("strimzi.io/restart")
        except ConnectRestException as failure:
            seen.conditions.append(status.condition("Warning", "True", "RestartConnector",
                                                    f"Failed to restart connector {name}. {failure}"))
    task = annotations.get("strimzi.io/restart-task", "")
    if task.isdigit():
        log.info("AbstractConnectOperator:660", f"{prefix}Restarting connector task {name}:{task}")
        try:
            rest.restart_task(name, int(task))
            seen.done.append("strimzi.io/restart-task")
        except ConnectRestException as failure:
            seen.conditions.append(status.condition("Warning", "True", "RestartConnectorTask",
                                                    f"Failed to restart connector task {name}:{task}. {failure}"))


def trouble(seen: Object) -> ReconcileFailure | None:
    """Why a connector that Connect has is not ready."""
    if (seen.get("connector") or {}).get("state") == "FAILED":
        return Throwable("Connector has failed, see connectorStatus for more details.")
    failed = [str(task["id"]) for task in seen.get("tasks") or [] if task.get("state") == "FAILED"]
    if failed:
        return Throwable(f"The following tasks have failed: {', '.join(failed)}, "
                         "see connectorStatus for more details.")
    return None
