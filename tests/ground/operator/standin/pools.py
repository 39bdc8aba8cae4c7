"""Node pools, and the ids of the nodes of a cluster."""
from __future__ import annotations

from dataclasses import dataclass, field

from .kube import Kube, Object

CLUSTER_LABEL = "strimzi.io/cluster"


@dataclass
class NodePool:
    """A KafkaNodePool, the ids of its nodes, and the ids of the nodes to remove."""

    resource: Object
    cluster: str
    ids: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.resource["metadata"]["name"]

    @property
    def spec(self) -> Object:
        return self.resource["spec"]

    @property
    def roles(self) -> list[str]:
        return self.spec["roles"]

    @property
    def podset_name(self) -> str:
        return f"{self.cluster}-{self.name}"

    def pod_name(self, node: int) -> str:
        return f"{self.podset_name}-{node}"

    def volumes(self) -> list[Object]:
        """Return the volumes, each with its `name` in the pod."""
        storage = self.spec["storage"]
        if storage["type"] == "jbod":
            return [volume | {"name": f"data-{volume.get('id', 0)}"} for volume in storage.get("volumes", [])]
        return [storage | {"name": "data"}]


def load(kube: Kube, namespace: str, cluster: str) -> list[NodePool]:
    """Return the node pools with the label of the cluster. New nodes get the lowest unused ids."""
    found = sorted(kube.list("KafkaNodePool", namespace, f"{CLUSTER_LABEL}={cluster}"),
                   key=lambda pool: pool["metadata"]["name"])
    pools = [NodePool(resource, cluster) for resource in found]
    used = {node for pool in pools for node in pool.resource.get("status", {}).get("nodeIds", [])}
    for pool in pools:
        old_ids = list(pool.resource.get("status", {}).get("nodeIds", []))
        desired = pool.spec["replicas"]
        pool.ids, pool.removed = old_ids[:desired], old_ids[desired:]
        while len(pool.ids) < desired:
            node = next(i for i in range(len(used) + 1) if i not in used)
            used.add(node)
            pool.ids.append(node)
    return pools


def nodes(pools: list[NodePool], role: str) -> list[tuple[NodePool, int]]:
    """Return all nodes with a role."""
    return [(pool, node) for pool in pools if role in pool.roles for node in pool.ids]


def pool_status(pool: NodePool, cluster_id: str) -> Object:
    return {
        "clusterId": cluster_id,
        "conditions": [],
        "labelSelector": f"strimzi.io/cluster={pool.cluster},strimzi.io/name={pool.cluster}-kafka,"
                         f"strimzi.io/kind=Kafka,strimzi.io/pool-name={pool.name}",
        "nodeIds": pool.ids,
        "observedGeneration": pool.resource["metadata"]["generation"],
        "replicas": len(pool.ids),
        "roles": pool.roles,
    }
