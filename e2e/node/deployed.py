"""The controller as it is deployed on a node: its pods, its lease, and what it has to do."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from e2e.controlplane.client import Client, Object
from e2e.node.node import Node
from e2e.node.place import hierarchies
from e2e.objects import is_ready

CONFIG = Path(__file__).parents[2] / "config"
NAMESPACE = "atmpl-system"
NAME = "atmpl-controller"

DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
BUDGET = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/{NAME}"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
REQUESTS = "/apis/ssp.kubevirt.io/v1alpha1/namespaces/default/virtualmachinetemplaterequests"
TEMPLATES = "/apis/template.openshift.io/v1/namespaces/default/templates"

PATIENCE = 180.0  # seconds for a rollout on a machine that is busy with something else; 10 is usual


def apply(node: Node) -> subprocess.CompletedProcess[str]:
    """Deploy all of it, as the README says; return what kubectl said."""
    command: list[str | Path] = [node.kubectl_program, "apply", "--kustomize", CONFIG / "default"]
    return subprocess.run(command, env=node.env(), capture_output=True, text=True, check=True)


def is_available(deployment: Object | None) -> bool:
    """Whether a rollout is over: every pod is of the newest template, and available."""
    assert deployment is not None
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    counted = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counted == [wanted] * 3


def restarts(pod: Object | None) -> int:
    """Return how often a pod's container was started again; 0 where there is no container yet."""
    statuses = (pod or {}).get("status", {}).get("containerStatuses", [])
    return sum(status["restartCount"] for status in statuses)


class Deployed:
    """What was applied, seen by an administrator. Every method raises ApiError, and TimeoutError after PATIENCE."""

    def __init__(self, node: Node, client: Client) -> None:
        self.node = node
        self.client = client

    async def available(self) -> None:
        """Wait until every replica is there."""
        await self.client.until(DEPLOYMENT, is_available, timeout=PATIENCE)

    async def pods(self) -> list[str]:
        """Return the names of the pods that are not about to end."""
        found = await self.client.get(PODS)
        return [pod["metadata"]["name"] for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    async def holder(self, wanted: Callable[[str], bool] = bool) -> str:
        """Wait until who holds the lease is wanted; return its name."""
        lease = await self.client.until(LEASE, lambda lease: wanted(_holder(lease)), timeout=PATIENCE)
        return _holder(lease)

    async def event(self, pod: str, *words: str) -> None:
        """Wait until an event of a pod's says all of these words, also one from before."""
        async with asyncio.timeout(PATIENCE):
            async for event in self.client.watch(EVENTS, fieldSelector=f"involvedObject.name={pod}"):
                if all(word in event["object"]["message"] for word in words):
                    return

    async def replace(self, pod: str) -> str:
        """Delete a pod, and wait until there is another in its place; return that one's name."""
        listed = await self.client.get(PODS)
        await self.client.delete(f"{PODS}/{pod}")
        since = listed["metadata"]["resourceVersion"]
        async with asyncio.timeout(PATIENCE):
            async for event in self.client.watch(PODS, resourceVersion=since):
                if event["type"] == "ADDED":
                    name: str = event["object"]["metadata"]["name"]
                    return name
        raise AssertionError("the watch ended before there was a new pod")

    async def process(self, pod: str) -> int:
        """Return the id of the controller's process in a pod."""
        found = await self.client.get(f"{PODS}/{pod}")
        container: str = found["status"]["containerStatuses"][0]["containerID"]
        return await asyncio.to_thread(self.node.process, container.removeprefix("containerd://"))

    async def request(self, name: str) -> None:
        """Ask for a template of the VM."""
        kind = {"apiVersion": "ssp.kubevirt.io/v1alpha1", "kind": "VirtualMachineTemplateRequest"}
        await self.client.post(REQUESTS, {**kind, "metadata": {"name": name}, "spec": {"vmName": "web"}})

    async def rendered(self, name: str) -> None:
        """Wait until a request has its template."""
        await self.client.until(f"{REQUESTS}/{name}", is_ready, timeout=PATIENCE)

    async def evict(self, pod: str) -> None:
        """Ask for a pod's end as `kubectl drain` does."""
        kind = {"apiVersion": "policy/v1", "kind": "Eviction"}
        await self.client.post(f"{PODS}/{pod}/eviction", {**kind, "metadata": {"name": pod, "namespace": NAMESPACE}})


def _holder(lease: Object | None) -> str:
    return ((lease or {}).get("spec") or {}).get("holderIdentity") or ""


def memory(pid: int) -> int:
    """Return the bytes that the limit of a process's container counts now."""
    for line in Path("/proc", str(pid), "cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers in {"memory", ""}:  # version 1, version 2
            for hierarchy in hierarchies():
                for name in ("memory.usage_in_bytes", "memory.current"):
                    if (usage := hierarchy / group.lstrip("/") / name).exists():
                        return int(usage.read_text())
    raise LookupError(f"nothing counts the memory of process {pid}")


def vm() -> Object:
    """Return the VM that every request here is about: the samples', as `web`."""
    sample: Object = yaml.safe_load((CONFIG / "samples" / "vm.yaml").read_text())
    return sample | {"metadata": {"name": "web", "namespace": "default"}}
