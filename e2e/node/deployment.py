"""The Deployment on a node: its pods, its lease and its requests."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from e2e.envtest.client import Client, Object
from e2e.node.node import Node
from e2e.node.sandbox import hierarchies
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

TIMEOUT_SECONDS = 180.0  # of a rollout on a busy machine; usually it takes 10


def apply(node: Node) -> subprocess.CompletedProcess[str]:
    """Apply config/default, as config/README.md does; return the result of kubectl."""
    command: list[str | Path] = [node.kubectl_program, "apply", "--kustomize", CONFIG / "default"]
    return subprocess.run(command, env=node.env(), capture_output=True, text=True, check=True)


def is_available(deployment: Object | None) -> bool:
    """Return True if a rollout is complete: every pod is of the newest template, and available."""
    assert deployment is not None
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    counted = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counted == [wanted] * 3


def restarts(pod: Object | None) -> int:
    """Return the restart count of a pod's container, or 0 if it does not exist yet."""
    statuses = (pod or {}).get("status", {}).get("containerStatuses", [])
    return sum(status["restartCount"] for status in statuses)


class Deployment:
    """The Deployment, for an administrator. Every method raises ApiError, and TimeoutError after TIMEOUT_SECONDS."""

    def __init__(self, node: Node, client: Client) -> None:
        self.node = node
        self.client = client

    async def available(self) -> None:
        """Wait until every replica is available."""
        await self.client.until(DEPLOYMENT, is_available, timeout=TIMEOUT_SECONDS)

    async def pods(self) -> list[str]:
        """Return the names of the pods that are not being deleted."""
        found = await self.client.get(PODS)
        return [pod["metadata"]["name"] for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    async def holder(self, wanted: Callable[[str], bool] = bool) -> str:
        """Wait until the holder of the lease fulfils a condition; return its name."""
        lease = await self.client.until(LEASE, lambda lease: wanted(_holder(lease)), timeout=TIMEOUT_SECONDS)
        return _holder(lease)

    async def event(self, pod: str, *words: str) -> None:
        """Wait for an event of a pod, old or new, whose message contains all of these words."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for event in self.client.watch(EVENTS, fieldSelector=f"involvedObject.name={pod}"):
                if all(word in event["object"]["message"] for word in words):
                    return

    async def replace(self, pod: str) -> str:
        """Delete a pod, wait for the one that replaces it, and return its name."""
        listed = await self.client.get(PODS)
        await self.client.delete(f"{PODS}/{pod}")
        since = listed["metadata"]["resourceVersion"]
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for event in self.client.watch(PODS, resourceVersion=since):
                if event["type"] == "ADDED":
                    name: str = event["object"]["metadata"]["name"]
                    return name
        raise AssertionError("the watch ended before a new pod was created")

    async def process(self, pod: str) -> int:
        """Return the id of the controller's process in a pod, in the namespace of the tests."""
        found = await self.client.get(f"{PODS}/{pod}")
        container: str = found["status"]["containerStatuses"][0]["containerID"]
        return await asyncio.to_thread(self.node.process, container.removeprefix("containerd://"))

    async def request(self, name: str) -> None:
        """Create a request for a template of the VM `web`."""
        kind = {"apiVersion": "ssp.kubevirt.io/v1alpha1", "kind": "VirtualMachineTemplateRequest"}
        await self.client.post(REQUESTS, {**kind, "metadata": {"name": name}, "spec": {"vmName": "web"}})

    async def rendered(self, name: str) -> None:
        """Wait until a request is Ready."""
        await self.client.until(f"{REQUESTS}/{name}", is_ready, timeout=TIMEOUT_SECONDS)

    async def evict(self, pod: str) -> None:
        """Evict a pod, as `kubectl drain` does."""
        kind = {"apiVersion": "policy/v1", "kind": "Eviction"}
        await self.client.post(f"{PODS}/{pod}/eviction", {**kind, "metadata": {"name": pod, "namespace": NAMESPACE}})


def _holder(lease: Object | None) -> str:
    return ((lease or {}).get("spec") or {}).get("holderIdentity") or ""


def memory(pid: int) -> int:
    """Return the memory of a process's container in bytes, as its limit counts it."""
    for line in Path("/proc", str(pid), "cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers in {"memory", ""}:  # version 1, version 2
            for hierarchy in hierarchies():
                for name in ("memory.usage_in_bytes", "memory.current"):
                    if (usage := hierarchy / group.lstrip("/") / name).exists():
                        return int(usage.read_text())
    raise LookupError(f"process {pid} has no memory cgroup")


def vm() -> Object:
    """Return the VM of all requests: the one of the samples, named `web`."""
    sample: Object = yaml.safe_load((CONFIG / "samples" / "vm.yaml").read_text())
    return sample | {"metadata": {"name": "web", "namespace": "default"}}
