"""What the kubelet's probes do to the controller's pods."""

import os
import signal

from e2e.node.deployed import PATIENCE, PODS, Deployed, restarts
from e2e.objects import is_ready

ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/atmpl-controller"


async def test_readiness_follows_the_streams_and_not_the_process(deployed: Deployed) -> None:
    """Without its rights a new pod runs, and lives, but no stream of it starts; it is ready when they do."""
    holder = await deployed.holder()
    standby = next(pod for pod in await deployed.pods() if pod != holder)
    binding = await deployed.client.get(ROLE)
    await deployed.client.delete(ROLE)
    try:
        new = await deployed.replace(standby)
        await deployed.event(new, "Readiness probe failed", "503")
        assert not is_ready(await deployed.client.get(f"{PODS}/{new}"))
    finally:
        await deployed.client.create({**binding, "metadata": {"name": "atmpl-controller"}})
    found = await deployed.client.until(f"{PODS}/{new}", is_ready, timeout=PATIENCE)
    assert restarts(found) == 0


async def test_a_wedged_event_loop_is_ended_by_the_kubelet(deployed: Deployed) -> None:
    """It is the holder's, so another one takes its work over meanwhile."""
    wedged = await deployed.holder()
    before = restarts(await deployed.client.get(f"{PODS}/{wedged}"))
    os.kill(await deployed.process(wedged), signal.SIGSTOP)
    await deployed.holder(lambda holder: holder not in {"", wedged})
    await deployed.request("while-wedged")
    await deployed.rendered("while-wedged")
    found = await deployed.client.until(f"{PODS}/{wedged}", lambda pod: restarts(pod) > before, timeout=PATIENCE)
    assert found is not None
    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGKILL
    await deployed.event(wedged, "Liveness probe failed")
    await deployed.event(wedged, "failed liveness probe, will be restarted")
