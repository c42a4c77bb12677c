"""config/default on a node."""

from datetime import datetime

from e2e.envtest.client import Object
from e2e.manifests import warnings
from e2e.node.deployment import (
    BUDGET,
    DEPLOYMENT,
    NAMESPACE,
    PODS,
    TIMEOUT_SECONDS,
    Deployment,
    apply,
    memory,
    restarts,
)
from e2e.node.node import Node
from e2e.objects import condition, is_ready


async def test_deployment_becomes_available(deployment: Deployment, measurements: dict[str, str]) -> None:
    pods = [await deployment.client.get(f"{PODS}/{name}") for name in await deployment.pods()]
    assert [is_ready(pod) for pod in pods] == [True, True]
    assert [restarts(pod) for pod in pods] == [0, 0]
    it = await deployment.client.get(DEPLOYMENT)
    available = _since(it, "Available") - datetime.fromisoformat(it["metadata"]["creationTimestamp"])
    measurements["from `kubectl apply` to available"] = f"{available.total_seconds():.0f} s"
    for pod in pods:
        started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        ready = _since(pod, "Ready") - datetime.fromisoformat(started)
        measurements[f"from start to ready, {pod['metadata']['name']}"] = f"{ready.total_seconds():.0f} s"
    used = [memory(await deployment.process(name)) for name in await deployment.pods()]
    measurements["a pod's memory at idle"] = f"{max(used) / 2**20:.0f} MiB"


def _since(thing: Object, kind: str) -> datetime:
    """Return the last transition time of a condition."""
    return datetime.fromisoformat(condition(thing, kind)["lastTransitionTime"])


async def test_second_apply_changes_nothing(node: Node, deployment: Deployment) -> None:
    """kubectl always sends the selector of a disruption budget and prints `configured`; the server stores no change."""
    pods = await deployment.pods()
    budget = await deployment.client.get(BUDGET)
    again = apply(node)
    assert warnings(again.stderr) == []
    changed = [line for line in again.stdout.splitlines() if not line.endswith(" unchanged")]
    assert changed == ["poddisruptionbudget.policy/atmpl-controller configured"]
    assert (await deployment.client.get(BUDGET))["metadata"] == budget["metadata"]
    assert await deployment.pods() == pods


async def test_pod_runs_with_the_image_uid_and_read_only(node: Node, deployment: Deployment) -> None:
    pod = (await deployment.pods())[0]
    seen = "import os; print(os.getuid(), bool(os.statvfs('/').f_flag & os.ST_RDONLY))"
    printed = node.kubectl("exec", pod, "--namespace=atmpl-system", "--", "python3", "-c", seen)
    assert printed.split() == ["65532", "True"]


async def test_pod_runs_with_an_arbitrary_uid(node: Node, deployment: Deployment) -> None:
    """As OpenShift runs it: the SCC sets a UID that has no entry in /etc/passwd. HOME unset, nothing writable."""
    template = (await deployment.client.get(DEPLOYMENT))["spec"]["template"]
    [container] = template["spec"]["containers"]
    container["securityContext"] |= {"runAsUser": 1000680000}
    await deployment.client.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "arbitrary-uid", "namespace": NAMESPACE},  # no labels: no ReplicaSet adopts it
            "spec": template["spec"],
        }
    )
    await deployment.client.until(f"{PODS}/arbitrary-uid", is_ready, timeout=TIMEOUT_SECONDS)
    seen = "import os; print(os.getuid(), os.getgid(), bool(os.statvfs('/').f_flag & os.ST_RDONLY))"
    run = ("exec", "arbitrary-uid", f"--namespace={NAMESPACE}", "--", "env", "-u", "HOME")
    assert node.kubectl(*run, "python3", "-c", seen).split() == ["1000680000", "65532", "True"]
    assert node.kubectl(*run, "atmpl", "--version").startswith("atmpl ")
    await deployment.client.delete(f"{PODS}/arbitrary-uid")


async def test_request_is_served(deployment: Deployment) -> None:
    await deployment.request("first")
    await deployment.rendered("first")
