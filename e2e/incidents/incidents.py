"""The incidents. Each is a coroutine that gets a stage, and the time when it has to end."""

import asyncio
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import aiohttp

from e2e import objects
from e2e.chaos.etcd import forget
from e2e.controller import ACCOUNT, Controller
from e2e.envtest.crds import install_crds
from e2e.incidents.hanging import HANG
from e2e.incidents.stage import Stage

HEALTHY_SECONDS = 120.0  # before a fault
CONFIG = Path(__file__).parents[2] / "config"


# `forgetful` has no watch cache: after a compaction of etcd, watches get 410. `bare` has no CRD of VMs at first,
# `openshift` no CRD of KubeVirt's templates.
ServerKind = Literal["usual", "forgetful", "bare", "openshift"]


class Incident(NamedTuple):
    """An incident, and the alerts that an engineer must see: names, each with one label's value if that matters."""

    text: str
    play: Callable[[Stage, float], Awaitable[None]]
    expected: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()  # further alerts that are right as well
    silent: tuple[str, ...] = ()  # alerts whose silence is a test
    recorded: bool = False  # its series are a test in recorded.yaml
    pods: tuple[str, ...] = ("a",)
    server: ServerKind = "usual"


async def _healthy() -> None:
    await asyncio.sleep(HEALTHY_SECONDS)


async def _until(end: float) -> None:
    await asyncio.sleep(max(0.0, end - time.time()))


async def operation(stage: Stage, end: float) -> None:
    """Start two replicas for the first time, serve requests, roll out two new pods; kill both at the end."""
    kubeconfig = await stage.account()
    pods = {name: stage.controller(name, kubeconfig, "--leader-elect") for name in "abcd"}
    for name in "ab":
        await stage.start(pods[name])
    await stage.vm()
    load = asyncio.create_task(stage.requests_until(end, 20))
    await _healthy()
    for new, old in (("c", "a"), ("d", "b")):  # maxSurge 1, maxUnavailable 0
        await stage.start(pods[new])
        await asyncio.to_thread(pods[old].stop)
        await asyncio.sleep(20)
    await _until(end - 420)
    stage.fault()
    for name in "cd":
        await asyncio.to_thread(pods[name].kill)
    await _until(end)
    load.cancel()


async def idle(stage: Stage, end: float) -> None:
    """Serve nothing."""
    await stage.start(stage.controller("a", await stage.account()))
    stage.fault()
    await _until(end)


async def _without_right(stage: Stage, end: float, verb: str, resource: str) -> None:
    await stage.start(stage.controller("a", await stage.account()))
    await stage.vm()
    await stage.requests_until(time.time() + HEALTHY_SECONDS, 5)
    await stage.grant(without=(verb, resource))
    stage.fault()
    await stage.requests_until(end, 5)


async def create_right(stage: Stage, end: float) -> None:
    """Lose the right to create templates."""
    await _without_right(stage, end, "create", "templates")


async def status_right(stage: Stage, end: float) -> None:
    """Lose the right to write statuses."""
    await _without_right(stage, end, "patch", "virtualmachinetemplaterequests/status")


async def policy(stage: Stage, end: float) -> None:
    """Delete the admission policy."""
    await asyncio.to_thread(stage.server.kubectl, "apply", "--server-side", "--kustomize", CONFIG / "policy")
    await stage.start(stage.controller("a", await stage.account(), "--policy=Required"))
    await _healthy()
    await asyncio.to_thread(stage.server.kubectl, "delete", "validatingadmissionpolicies", "--all")
    stage.fault()
    await _until(end)


async def two_leaders(stage: Stage, end: float) -> None:
    """Start a second replica without leader election."""
    kubeconfig = await stage.account()
    await stage.start(stage.controller("a", kubeconfig))
    await _healthy()
    stage.fault()
    await stage.start(stage.controller("b", kubeconfig))
    await _until(end)


async def token(stage: Stage, end: float) -> None:
    """Delete the service account, and create it again: its old token is not accepted."""
    await stage.start(stage.controller("a", await stage.account()))
    await stage.vm()
    await stage.requests_until(time.time() + HEALTHY_SECONDS, 20)
    account = f"/api/v1/namespaces/{stage.namespace}/serviceaccounts/{ACCOUNT}"
    await stage.client.delete(account)
    stage.fault()
    await stage.requests_until(end, 20)


async def cut(stage: Stage, end: float, seconds: float = 20, *, compact: bool = False) -> None:
    """Cut all connections every `seconds`. With `compact`, etcd is compacted before, so each watch lists again."""
    kubeconfig = await stage.account()
    async with stage.proxy() as wire:
        await stage.start(stage.controller("a", wire.through(kubeconfig)))
        await _healthy()
        stage.fault()
        while time.time() < end:
            if compact:
                await forget(stage.server.folder)
            wire.cut()
            await asyncio.sleep(seconds)


async def slow(stage: Stage, end: float) -> None:
    """Delay each response by 500 ms."""
    kubeconfig = await stage.account()
    await stage.vm()
    async with stage.proxy() as wire:
        await stage.start(stage.controller("a", wire.through(kubeconfig)))
        await stage.requests_until(time.time() + HEALTHY_SECONDS, 20)
        wire.delay = 0.5
        stage.fault()
        await stage.requests_until(end, 20)


async def blocked(stage: Stage, end: float) -> None:
    """Post 60 requests for a VM that does not exist."""
    await stage.start(stage.controller("a", await stage.account()))
    await _healthy()
    stage.fault()
    for _ in range(60):
        await stage.request("absent")
    await _until(end)


async def waiting(stage: Stage, end: float) -> None:
    """Post 500 requests for a VM that cannot be rendered, and 60 for a format that the cluster does not serve.

    A label of the VM changes 60 times, once a second. Each request must be logged once.
    """
    controller = await stage.start(stage.controller("a", await stage.account()))
    await _healthy()
    stage.fault()
    source = objects.vm("invalid")
    source["spec"]["template"]["metadata"] = {"annotations": {"replicas": 2}}  # not a string
    await stage.client.post(objects.vms(stage.namespace), source)
    await stage.vm()
    for _ in range(60):
        await stage.request(native=True)
    for _ in range(500):
        await stage.request("invalid", keep=True)
    for number in range(60):
        labels = {"metadata": {"labels": {"number": str(number)}}}
        await stage.client.patch(f"{objects.vms(stage.namespace)}/invalid", labels)
        await asyncio.sleep(1)
    await _until(end)
    logged = Counter(line["message"] for line in controller.lines if "request" in line)
    if logged != {"InvalidSource": 500, "FormatUnavailable": 60}:
        stage.problems.append(f"log lines: {dict(logged)}")


async def overloaded(stage: Stage, end: float) -> None:
    """Have priority and fairness reject the calls of the controller with 429."""
    kubeconfig = await stage.account()
    await stage.start(stage.controller("a", kubeconfig))
    await stage.vm()
    await stage.requests_until(time.time() + HEALTHY_SECONDS, 5)
    for item in _one_seat(stage.namespace):
        await stage.client.create(item)
    seat = asyncio.create_task(_hold_seat(stage, kubeconfig))
    stage.fault()
    await stage.requests_until(end, 5)
    seat.cancel()


def _one_seat(namespace: str) -> list[objects.Object]:
    """Return a priority level for one call at a time, and a flow schema that puts the controller's calls into it."""
    kind = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "metadata": {"name": f"incident-{namespace}"}}
    limited = {
        "nominalConcurrencyShares": 0,  # a call is served if there is no other
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    account = {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": ACCOUNT}}
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "namespaces": ["*"], "clusterScope": True}
    flow = {
        "priorityLevelConfiguration": kind["metadata"],
        "matchingPrecedence": 1000,
        "rules": [{"subjects": [account], "resourceRules": [every]}],
    }
    return [
        kind | {"kind": "PriorityLevelConfiguration", "spec": {"type": "Limited", "limited": limited}},
        kind | {"kind": "FlowSchema", "spec": flow},
    ]


async def _hold_seat(stage: Stage, kubeconfig: Path) -> None:
    """Have one call of the service account in progress: its body does not end."""

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    url = f"{stage.server.url}/api/v1/namespaces/{stage.namespace}/events"
    headers = {"Authorization": f"Bearer {_token(kubeconfig)}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout()) as session:
        while True:
            with suppress(aiohttp.ClientError):
                await (await session.post(url, data=endless(), ssl=False)).read()
            await asyncio.sleep(0.1)


def _token(kubeconfig: Path) -> str:
    token: str = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
    return token


async def restarts(stage: Stage, end: float) -> None:
    """Kill the process every 75 s; it starts again after 20 s."""
    controller = await stage.start(stage.controller("a", await stage.account()))
    await _healthy()
    stage.fault()
    while time.time() < end:
        await asyncio.to_thread(controller.kill)
        await asyncio.sleep(20)
        await asyncio.to_thread(controller.__enter__)
        await asyncio.sleep(55)


class Unread(Controller):
    """A controller whose log is read until it is ready, and no further."""

    def _read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = json.loads(raw)
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
            if line["message"] == "ready":
                return

    def _ended(self) -> int:
        status = super()._ended()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


async def unread(stage: Stage, end: float) -> None:
    """Do not read standard error, a pipe, at level debug; 40 templates are refreshed every 2 s."""
    await stage.start(stage.controller("a", await stage.account(), "--log-level=debug", kind=Unread))
    stage.fault()
    await stage.vm()
    for _ in range(40):
        await stage.request(keep=True)
    for number in itertools.count():
        if time.time() > end:
            return
        await stage.client.patch(f"{objects.vms(stage.namespace)}/vm", objects.memory_of(f"{64 + number % 64}Mi"))
        await asyncio.sleep(2)


async def flapping(stage: Stage, end: float) -> None:
    """Suspend the leader of two replicas for 25 s, once a minute."""
    kubeconfig = await stage.account()
    pods = [stage.controller(name, kubeconfig, "--leader-elect") for name in "ab"]
    for pod in pods:
        await stage.start(pod)
    await _healthy()
    stage.fault()
    leader = 0
    while time.time() < end:
        before = len(pods[1 - leader].lines)
        pods[leader].send(signal.SIGSTOP)
        await asyncio.sleep(25)
        pods[leader].send(signal.SIGCONT)
        await asyncio.to_thread(pods[1 - leader].logged, lambda line: line["message"] == "lease acquired", after=before)
        leader = 1 - leader
        await asyncio.sleep(35)


async def missing(stage: Stage, end: float) -> None:
    """Kill one of two replicas; the spec of the Deployment still has two."""
    kubeconfig = await stage.account()
    pods = [stage.controller(name, kubeconfig, "--leader-elect") for name in "ab"]
    await stage.client.create(_deployment(stage.namespace, replicas=2))
    for pod in pods:
        await stage.start(pod)
    await _healthy()
    stage.fault()
    await asyncio.to_thread(pods[1].kill)
    await _until(end)


def _deployment(namespace: str, replicas: int) -> objects.Object:
    """Return the Deployment that kube-state-metrics sees. Nothing here makes pods of it."""
    labels = {"app": "atmpl"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "atmpl-controller", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "controller", "image": "atmpl"}]},
            },
        },
    }


async def late_right(stage: Stage, end: float) -> None:
    """Lose the right to watch VMs while KubeVirt is absent; then install KubeVirt."""
    await stage.start(stage.controller("a", await stage.account(), everywhere=True))
    await _healthy()
    stage.fault()
    await stage.grant(without=("watch", "virtualmachines"))
    await asyncio.to_thread(install_crds, stage.server)
    await stage.vm()
    await stage.requests_until(end, 60)


async def relists(stage: Stage, end: float) -> None:
    """Compact etcd and cut the connections every minute: each watch lists again."""
    await cut(stage, end, 60, compact=True)


async def skew(stage: Stage, end: float) -> None:
    """Run with a clock that is 10 minutes ahead."""
    kubeconfig = await stage.account()
    stage.fault()
    await stage.start(stage.controller("a", kubeconfig, module="e2e.incidents.clock_ahead"))
    await stage.vm()
    await stage.requests_until(end, 60)


async def stuck(stage: Stage, end: float) -> None:
    """Have one reconcile hang for ever; the others continue."""
    await stage.start(stage.controller("a", await stage.account(), module="e2e.incidents.hanging"))
    await stage.vm()
    await stage.requests_until(time.time() + HEALTHY_SECONDS, 20)
    stage.fault()
    await stage.vm(HANG)
    await stage.request(HANG)
    await stage.requests_until(end, 20)


INCIDENTS = {  # by namespace
    "atmpl-system": Incident(
        "first start of two replicas, a request every 20 s, a rollout; then both are killed",
        operation,
        ("AtmplDown",),
        pods=("a", "b", "c", "d"),
    ),
    "idle": Incident("first start, no requests", idle),
    "create-right": Incident(
        "the right to create templates is lost, a request every 5 s",
        create_right,
        ("AtmplMostReconcilesFail", "AtmplRequestsFail", "AtmplApiErrors"),
        recorded=True,
    ),
    "status-right": Incident(
        "the right to write statuses is lost, a request every 5 s",
        status_right,
        ("AtmplMostReconcilesFail", "AtmplApiErrors"),
        recorded=True,
    ),
    "policy": Incident("the admission policy is deleted", policy, ("AtmplPolicyNotInForce",), recorded=True),
    "two-leaders": Incident("two replicas without leader election", two_leaders, ("AtmplTwoLeaders",), pods=("a", "b")),
    "flapping": Incident(
        "the leader is suspended for 25 s, once a minute",
        flapping,
        ("AtmplLeaderFlaps",),
        pods=("a", "b"),
        recorded=True,
        silent=("AtmplNoLeader",),
    ),
    "missing": Incident(
        "one of two replicas is dead", missing, ("AtmplReplicaMissing",), pods=("a", "b"), recorded=True
    ),
    "token": Incident(
        "the token is no longer accepted",
        token,
        ("AtmplApiErrors", "AtmplWatchFails"),
        ("AtmplMostReconcilesFail",),
        recorded=True,
        silent=("AtmplWatchUnstable",),
    ),
    "cut": Incident("connections are cut every 20 s", cut, ("AtmplWatchUnstable",), ("AtmplRelists",), recorded=True),
    "relists": Incident(
        "etcd is compacted and connections are cut every minute",
        relists,
        ("AtmplRelists",),
        ("AtmplWatchUnstable",),
        server="forgetful",
        recorded=True,
    ),
    "late-right": Incident(
        "the right to watch VMs is lost, and KubeVirt is installed later",
        late_right,
        ("AtmplWatchFails",),
        ("AtmplApiErrors",),
        server="bare",
        recorded=True,
        silent=("AtmplNotServed",),
    ),
    "slow": Incident("each response takes 500 ms more", slow, ("AtmplApiSlow",)),
    "blocked": Incident("60 requests for a VM that does not exist", blocked, ("AtmplRequestsBlocked",)),
    "waiting": Incident(
        "500 requests for a VM that cannot be rendered and whose label changes, 60 for a format that is not served",
        waiting,
        ("AtmplRequestsBlocked",),
        server="openshift",
        recorded=True,
    ),
    "overloaded": Incident(
        "priority and fairness rejects the calls (429), a request every 5 s",
        overloaded,
        ("AtmplMostReconcilesFail", "AtmplApiErrors"),
        ("AtmplWatchFails",),
        recorded=True,
    ),
    "stuck": Incident("one reconcile hangs, the others continue", stuck, ("AtmplStuck",), recorded=True),
    "restarts": Incident(
        "the process is killed every 75 s, 20 s without metrics", restarts, ("AtmplRestarts",), recorded=True
    ),
    "skew": Incident("the clock is 10 minutes ahead", skew, ("AtmplClockSkew",), recorded=True),
    "unread": Incident("standard error is a pipe without a reader, level debug", unread, ("AtmplLogLinesLost",)),
}
