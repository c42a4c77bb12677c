"""All of config/default on a node, as the README has it applied."""

from datetime import datetime

from e2e.controlplane.client import Object
from e2e.node.deployed import BUDGET, DEPLOYMENT, NAMESPACE, PATIENCE, PODS, Deployed, apply, memory, restarts
from e2e.node.node import Node
from e2e.objects import condition, is_ready


async def test_it_becomes_available_with_two_replicas(deployed: Deployed, figures: dict[str, str]) -> None:
    pods = [await deployed.client.get(f"{PODS}/{name}") for name in await deployed.pods()]
    assert [is_ready(pod) for pod in pods] == [True, True]
    assert [restarts(pod) for pod in pods] == [0, 0]
    deployment = await deployed.client.get(DEPLOYMENT)
    available = _since(deployment, "Available") - datetime.fromisoformat(deployment["metadata"]["creationTimestamp"])
    figures["from `kubectl apply` to available"] = f"{available.total_seconds():.0f} s"
    for pod in pods:
        started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        ready = _since(pod, "Ready") - datetime.fromisoformat(started)
        figures[f"from start to ready, {pod['metadata']['name']}"] = f"{ready.total_seconds():.0f} s"
    used = [memory(await deployed.process(name)) for name in await deployed.pods()]
    figures["a pod's memory at idle"] = f"{max(used) / 2**20:.0f} MiB"


def _since(thing: Object, kind: str) -> datetime:
    """Return when a condition became what it is."""
    return datetime.fromisoformat(condition(thing, kind)["lastTransitionTime"])


async def test_applied_again_it_changes_nothing(node: Node, deployed: Deployed) -> None:
    """kubectl sends a budget's selector anew whatever it is, and says `configured`; the server finds it the same."""
    pods = await deployed.pods()
    budget = await deployed.client.get(BUDGET)
    again = apply(node)
    assert again.stderr == ""
    said = [line for line in again.stdout.splitlines() if not line.endswith(" unchanged")]
    assert said == ["poddisruptionbudget.policy/atmpl-controller configured"]
    assert (await deployed.client.get(BUDGET))["metadata"] == budget["metadata"]
    assert await deployed.pods() == pods


async def test_it_runs_as_nobody_and_can_write_nothing(node: Node, deployed: Deployed) -> None:
    pod = (await deployed.pods())[0]
    seen = "import os; print(os.getuid(), bool(os.statvfs('/').f_flag & os.ST_RDONLY))"
    said = node.kubectl("exec", pod, "--namespace=atmpl-system", "--", "python3", "-c", seen)
    assert said.split() == ["65532", "True"]


async def test_pod_runs_with_an_arbitrary_uid(node: Node, deployed: Deployed) -> None:
    """As OpenShift runs it: a UID without an entry in /etc/passwd, group root, HOME unset, nothing writable."""
    template = (await deployed.client.get(DEPLOYMENT))["spec"]["template"]
    security = template["spec"]["securityContext"] | {"runAsUser": 1000680000, "runAsGroup": 0}
    await deployed.client.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "arbitrary-uid", "namespace": NAMESPACE},  # no labels: no ReplicaSet adopts it
            "spec": template["spec"] | {"securityContext": security},
        }
    )
    await deployed.client.until(f"{PODS}/arbitrary-uid", is_ready, timeout=PATIENCE)
    seen = "import os; print(os.getuid(), os.getgid(), bool(os.statvfs('/').f_flag & os.ST_RDONLY))"
    run = ("exec", "arbitrary-uid", f"--namespace={NAMESPACE}", "--", "env", "-u", "HOME")
    assert node.kubectl(*run, "python3", "-c", seen).split() == ["1000680000", "0", "True"]
    assert node.kubectl(*run, "atmpl", "--version").startswith("atmpl ")
    await deployed.client.delete(f"{PODS}/arbitrary-uid")


async def test_it_serves_a_request(deployed: Deployed) -> None:
    await deployed.request("first")
    await deployed.rendered("first")
