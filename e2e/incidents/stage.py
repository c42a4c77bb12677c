"""The API server and the controllers of an incident. Each incident has a namespace and a service account of its own."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from e2e import objects
from e2e.chaos.tcp_proxy import TCPProxy
from e2e.controller import ACCOUNT, RBAC, Controller
from e2e.envtest import Client, ControlPlane
from e2e.incidents.monitoring import Pod

Rule = dict[str, list[str]]


@dataclass(slots=True)
class Stage:
    """One incident's part of a cluster. `namespace` is also the label of its alerts."""

    server: ControlPlane
    client: Client
    namespace: str
    pods: dict[str, Pod]
    begun: float = 0.0  # time.time() of the fault; 0 before it
    problems: list[str] = field(default_factory=list)
    _running: list[Controller] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def fault(self) -> None:
        """Record that the incident begins now: alerts are counted from here."""
        self.begun = time.time()

    async def account(self, *, without: tuple[str, str] | None = None) -> Path:
        """Create the namespace, and a service account with the rights of config/rbac; return its kubeconfig.

        `without` is a verb and a resource that the role lacks.
        """
        await self.client.create(objects.namespace(self.namespace))
        await self.grant(without=without)
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": self.namespace},
        }
        await self.client.apply(account)
        return await asyncio.to_thread(self.server.service_account, self.namespace, ACCOUNT)

    async def grant(self, *, without: tuple[str, str] | None = None) -> None:
        """Bind the rights of config/rbac to the service account, except `without`: a verb and a resource."""
        rules = [*_rules("controller.yaml"), *_rules("leader-election.yaml")]
        if without:
            verb, resource = without
            rules = [
                rule | {"verbs": [it for it in rule["verbs"] if resource not in rule["resources"] or it != verb]}
                for rule in rules
            ]
        name = f"incident-{self.namespace}"
        rbac = "rbac.authorization.k8s.io"
        role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}}
        binding = role | {
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}],
        }
        await self.client.apply(role | {"rules": [rule for rule in rules if rule["verbs"]]})
        await self.client.apply(binding)

    def controller(
        self,
        pod: str,
        kubeconfig: Path,
        *options: str,
        module: str = "atmpl",
        env: dict[str, str] | None = None,
        everywhere: bool = False,
        kind: type[Controller] = Controller,
    ) -> Controller:
        """Return a controller that is not started, on the port where Prometheus expects the pod."""
        where = [] if everywhere else [f"--namespace={self.namespace}"]
        return kind(
            kubeconfig,
            *where,
            f"--leader-elect-namespace={self.namespace}",
            f"--bind=127.0.0.1:{self.pods[pod].port}",
            *options,
            module=module,
            env={"POD_NAME": pod, **(env or {})},
        )

    async def start(self, controller: Controller) -> Controller:
        """Start a controller and wait until it is ready; it is stopped at the end of the incident."""
        self._running.append(controller)
        await asyncio.to_thread(controller.__enter__)
        return controller

    @asynccontextmanager
    async def proxy(self) -> AsyncIterator[TCPProxy]:
        """Yield a proxy of the API server."""
        async with TCPProxy(self.server.url) as wire:
            yield wire

    async def vm(self, name: str = "vm") -> None:
        """Create a VM."""
        await self.client.post(objects.vms(self.namespace), objects.vm(name))

    async def request(self, source: str = "vm", *, keep: bool = False, native: bool = False) -> None:
        """Create a request with a new name."""
        body = objects.request(f"request-{next(self._numbers)}", source, keep=keep, native=native)
        await self.client.post(objects.requests(self.namespace), body)

    async def requests_until(self, end: float, every: float, source: str = "vm") -> None:
        """Create a request every so many seconds, until `time.time()` is `end`."""
        while time.time() < end:
            await self.request(source)
            await asyncio.sleep(every)

    async def end(self) -> None:
        """Kill what still runs."""
        for controller in self._running:
            if controller.process.poll() is None:
                await asyncio.to_thread(controller.kill)


def _rules(file: str) -> list[Rule]:
    """Return the rules of the first role in a file of config/rbac."""
    role = next(yaml.safe_load_all((RBAC / file).read_text()))
    rules: list[Rule] = role["rules"]
    return rules
