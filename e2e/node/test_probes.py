"""The kubelet's probes of the controller's pods."""

import os
import signal

from e2e.node.deployment import PODS, TIMEOUT_SECONDS, Deployment, restarts
from e2e.objects import is_ready

ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/atmpl-controller"


async def test_pod_without_rights_is_not_ready(deployment: Deployment) -> None:
    """A new pod without RBAC is live but not ready, and becomes ready when it has its role again."""
    holder = await deployment.holder()
    standby = next(pod for pod in await deployment.pods() if pod != holder)
    binding = await deployment.client.get(ROLE)
    await deployment.client.delete(ROLE)
    try:
        new = await deployment.replace(standby)
        await deployment.event(new, "Readiness probe failed", "503")
        assert not is_ready(await deployment.client.get(f"{PODS}/{new}"))
    finally:
        await deployment.client.create({**binding, "metadata": {"name": "atmpl-controller"}})
    found = await deployment.client.until(f"{PODS}/{new}", is_ready, timeout=TIMEOUT_SECONDS)
    assert restarts(found) == 0


async def test_kubelet_restarts_a_hanging_process(deployment: Deployment) -> None:
    """It holds the lease, so the other replica takes over."""
    hanging = await deployment.holder()
    before = restarts(await deployment.client.get(f"{PODS}/{hanging}"))
    os.kill(await deployment.process(hanging), signal.SIGSTOP)
    await deployment.holder(lambda holder: holder not in {"", hanging})
    await deployment.request("while-hanging")
    await deployment.rendered("while-hanging")
    found = await deployment.client.until(
        f"{PODS}/{hanging}", lambda pod: restarts(pod) > before, timeout=TIMEOUT_SECONDS
    )
    assert found is not None
    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGKILL
    await deployment.event(hanging, "Liveness probe failed")
    await deployment.event(hanging, "failed liveness probe, will be restarted")
