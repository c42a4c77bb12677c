"""Requests are posted while controllers, the API server and etcd are killed at random.

    just chaos kill --seconds 300 --seed 7

One run is one of MODES. At the end, without faults: each request has its expected outcome and one template, unowned
templates are unchanged, refreshed templates match their VM, and nothing is written any more.
"""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp

from e2e import objects
from e2e.controller import Controller, service_account
from e2e.envtest import ApiError, Client, ControlPlane
from e2e.objects import UID, Object, memory_of, reason

NAMESPACE = "chaos"
REQUESTS, TEMPLATES, VMS = objects.requests(NAMESPACE), objects.templates(NAMESPACE), objects.vms(NAMESPACE)

VM_COUNT = 8
RATE = 15.0  # requests a second, while the server is there
QUIET = 30.0  # seconds without a write that count as idle
PATIENCE = 180.0  # seconds until everything must be as expected


@dataclass(frozen=True, slots=True)
class Mode:
    """How many controllers run, and how."""

    replicas: int
    options: tuple[str, ...] = ()


MODES = {
    "one": Mode(1),
    "elected": Mode(2, ("--leader-elect",)),
    "two-at-once": Mode(2),  # a mistake, on purpose
}


@dataclass(slots=True)
class ExpectedState:
    """The objects that were created, and so the expected state."""

    posted: set[str] = field(default_factory=set)  # names of requests that the server took
    taken: set[str] = field(default_factory=set)  # those that use an unowned template's name
    memory: dict[str, str] = field(default_factory=dict)  # of each VM, as of the last edit that the server accepted
    faults: Counter[str] = field(default_factory=Counter)  # faults by kind


class Chaos:
    """One run on a control plane of its own."""

    def __init__(self, server: ControlPlane, kubeconfig: Path, mode: Mode, random: Random) -> None:
        self.server = server
        self.random = random
        self.expected = ExpectedState()
        self.controllers = [
            Controller(kubeconfig, *mode.options, env={"POD_NAME": f"replica-{number}"})
            for number in range(mode.replicas)
        ]

    async def run(self, seconds: float, quiet: float = QUIET) -> list[str]:
        """Run; return one sentence per problem at the end."""
        async with self.server.client() as client:
            await self._prepare(client)
        for controller in self.controllers:
            await asyncio.to_thread(controller.start)
        try:
            end = time.monotonic() + seconds
            await asyncio.gather(self._pour(end), self._edit(end), self._inject_faults(end))
            async with self.server.client() as client:
                problems = await self._settled(client)
                return problems or await self._writes(client, quiet) or self._sick()
        finally:
            for controller in self.controllers:
                await asyncio.to_thread(controller.stop)

    async def _prepare(self, client: Client) -> None:
        await client.create(objects.namespace(NAMESPACE))
        for number in range(VM_COUNT):
            self.expected.memory[f"vm-{number}"] = "128Mi"
            await client.post(VMS, objects.vm(f"vm-{number}", "128Mi"))
        for number in range(5):
            foreign = {"metadata": {"name": f"foreign-{number}"}, "objects": []}
            await client.post(TEMPLATES, {"apiVersion": "template.openshift.io/v1", "kind": "Template", **foreign})

    async def _pour(self, end: float) -> None:
        """Post requests of all kinds; one that was taken though the answer was lost is taken."""
        number = 0
        async with self.server.client() as client:
            while time.monotonic() < end:
                number += 1
                name, taken = f"request-{number}", number % 50 == 0
                body = objects.request(name, self.random.choice(sorted(self.expected.memory)), keep=number % 10 == 0)
                if taken:
                    body["spec"]["target"] = {"openshiftTemplate": {"name": f"foreign-{self.random.randrange(5)}"}}
                    self.expected.taken.add(name)
                await _insist(end + PATIENCE, client.post, REQUESTS, body)
                self.expected.posted.add(name)
                await asyncio.sleep(self.random.expovariate(RATE))

    async def _edit(self, end: float) -> None:
        """Edit VMs, so that templates kept in step have something to follow."""
        async with self.server.client() as client:
            while time.monotonic() < end:
                await asyncio.sleep(self.random.uniform(0.5, 2))
                name = self.random.choice(sorted(self.expected.memory))
                memory = f"{self.random.randrange(128, 4096)}Mi"
                await _insist(end + PATIENCE, client.patch, f"{VMS}/{name}", memory_of(memory))
                self.expected.memory[name] = memory

    async def _inject_faults(self, end: float) -> None:
        """Kill something every few seconds, and start it again."""
        while time.monotonic() < end:
            await asyncio.sleep(self.random.uniform(1, 4))
            [fault] = self.random.choices(["controller", "kube-apiserver", "etcd", "sleep"], [6, 2, 1, 2])
            self.expected.faults[fault] += 1
            print(f"chaos: {fault}", file=sys.stderr, flush=True)
            if fault == "controller":
                controller = self.random.choice(self.controllers)
                await asyncio.to_thread(controller.kill)
                await asyncio.sleep(self.random.uniform(0, 1))
                await asyncio.to_thread(controller.start)
            elif fault == "sleep":
                controller = self.random.choice(self.controllers)
                controller.send(signal.SIGSTOP)
                await asyncio.sleep(self.random.uniform(1, 5))
                controller.send(signal.SIGCONT)
            elif fault == "kube-apiserver":
                await asyncio.to_thread(self.server.restart, "kube-apiserver")
            else:
                await asyncio.to_thread(self.server.restart, "etcd")

    async def _settled(self, client: Client) -> list[str]:
        """Wait until there is no problem; return the problems after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while problems := await self._seen(client):
            if time.monotonic() > deadline:
                return problems
            await asyncio.sleep(1)
        return []

    async def _seen(self, client: Client) -> list[str]:
        try:
            return await self._wrong(client)
        except (ApiError, aiohttp.ClientError, OSError) as error:  # it can be starting
            return [f"the API server cannot be called: {error}"]

    async def _wrong(self, client: Client) -> list[str]:
        """Return all that is not as it ought to be."""
        expected = self.expected
        requests = {item["metadata"]["name"]: item for item in (await client.get(REQUESTS))["items"]}
        templates = (await client.get(TEMPLATES))["items"]
        ours = Counter(item["metadata"].get("labels", {}).get(UID) for item in templates)
        wrong = [f"request {name} is lost" for name in expected.posted - requests.keys()]
        for name, request in requests.items():
            ought = "TargetConflict" if name in expected.taken else "Rendered"
            if (found := reason(request)) != ought:
                wrong.append(f"request {name} is {found or 'without a status'}, and ought to be {ought}")
            elif (times := ours[request["metadata"]["uid"]]) != (0 if name in expected.taken else 1):
                wrong.append(f"request {name} has {times} templates")
        for template in templates:
            labels = template["metadata"].get("labels", {})
            name = template["metadata"]["name"]
            if name.startswith("foreign-") and template["metadata"]["generation"] != 1:
                wrong.append(f"template {name} belongs to another owner and was written")
            if labels.get("ssp.kubevirt.io/refresh") == "OnChange":
                source = template["metadata"]["annotations"]["ssp.kubevirt.io/source"].rpartition("/")[2]
                if objects.memory(template) != expected.memory[source]:
                    wrong.append(f"template {name} is out of step with {source}")
        return wrong

    async def _writes(self, client: Client, quiet: float) -> list[str]:
        """Wait for `quiet` seconds without a write; return the objects that are still written after PATIENCE.

        A retry can still be due when the state is right: it makes one more write, and then there is none.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            before = await objects.versions(client, NAMESPACE)
            await asyncio.sleep(quiet)
            found = objects.written(before, await objects.versions(client, NAMESPACE))
            if not found or time.monotonic() > deadline:
                return found

    def _sick(self) -> list[str]:
        return [
            f"a controller is not healthy: {text.strip()}"
            for status, text in (controller.get("/healthz") for controller in self.controllers)
            if status != 200
        ]


async def chaos(mode: Mode, seconds: float, seed: int, quiet: float = QUIET) -> list[str]:
    """Run once on a new control plane; return the problems."""
    from e2e.envtest.crds import install_crds  # noqa: PLC0415 - it reads the checkout's files

    with await asyncio.to_thread(ControlPlane) as server:
        await asyncio.to_thread(install_crds, server)
        kubeconfig = await asyncio.to_thread(service_account, server)
        run = Chaos(server, kubeconfig, mode, Random(seed))
        problems = await run.run(seconds, quiet)
        faults = ", ".join(f"{name} {times}" for name, times in sorted(run.expected.faults.items()))
        print(f"chaos: {len(run.expected.posted)} requests, faults: {faults}; {len(problems)} wrong", file=sys.stderr)
        return problems


async def _insist(until: float, call: Callable[[str, Object], Awaitable[object]], path: str, body: Object) -> None:
    """Retry a call until the server accepts it."""
    while True:
        try:
            await call(path, body)
        except ApiError as error:
            if error.status == 409:  # the answer to an earlier try was lost
                return
            if (
                error.status in {400, 422} or time.monotonic() > until
            ):  # others pass: one that starts can also return 404
                raise
        except (aiohttp.ClientError, OSError):
            if time.monotonic() > until:
                raise
        else:
            return
        await asyncio.sleep(0.2)
