"""Prometheus with the project's rules, Alertmanager with one route per namespace, and the receiver of its webhooks."""

import asyncio
import json
import random
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp
import yaml
from aiohttp import web

from e2e import gotools
from e2e.envtest.processes import Processes

RULES = Path(__file__).parents[2] / "config" / "monitoring" / "alerts.yaml"
INTERVAL_SECONDS = 15  # of scrapes and of rules, in the incidents
UNROUTED = "unrouted"  # the receiver of alerts that match no namespace


class Pod(NamedTuple):
    """A target of Prometheus: the labels `namespace` and `pod`, and its port on loopback."""

    namespace: str
    name: str
    port: int


class Notification(NamedTuple):
    """An alert that arrived at the receiver of a namespace."""

    at: float  # time.time()
    receiver: str  # the namespace that it is for, or UNROUTED
    status: str  # firing, resolved
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(slots=True)
class Monitoring:
    """Runs while entered, as an asynchronous context manager."""

    pods: Sequence[Pod]
    deployments: Callable[[], Awaitable[list[dict[str, Any]]]]  # of the cluster
    interval_seconds: int = INTERVAL_SECONDS
    notifications: list[Notification] = field(default_factory=list)
    url: str = ""  # of Prometheus
    _processes: Processes = field(init=False)
    _runner: web.AppRunner = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        programs = await asyncio.to_thread(lambda: [gotools.program("prometheus"), gotools.program("alertmanager")])
        self._processes = Processes()
        self._session = aiohttp.ClientSession()
        try:
            hook, router = await self._receive(), free_port()
            folder = self._processes.folder
            (folder / "rules.yaml").write_text(yaml.safe_dump(self._rules()))
            (folder / "prometheus.yaml").write_text(json.dumps(self._prometheus(router, hook)))
            (folder / "alertmanager.yaml").write_text(json.dumps(self._alertmanager(hook)))
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            flags: dict[str, list[str | Path]] = {
                "prometheus": ["--storage.tsdb.path", folder / "tsdb"],
                "alertmanager": ["--storage.path", folder / "nflog", "--cluster.listen-address="],
            }
            for (name, own), program, at in zip(flags.items(), programs, (port, router), strict=True):
                listen = [f"--config.file={folder / name}.yaml", f"--web.listen-address=127.0.0.1:{at}"]
                await asyncio.to_thread(self._processes.start, name, [program, *listen, *own])
                await self._ready(name, at)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._runner.cleanup()
        await asyncio.to_thread(self._processes.close)

    async def query(self, expression: str, *, at: float | None = None) -> list[dict[str, Any]]:
        """Return the result of an instant query: items with `metric`, and `value` or `values`. Raises ValueError."""
        return await self._get("query", {"query": expression, "time": str(at or time.time())})

    async def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return the result of a range query, as a panel of Grafana makes it. Raises ValueError."""
        return await self._get(
            "query_range", {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        )

    async def _get(self, what: str, params: dict[str, str]) -> list[dict[str, Any]]:
        async with self._session.post(f"{self.url}/api/v1/{what}", data=params) as reply:
            answer = await reply.json()
        if answer["status"] != "success":
            raise ValueError(f"{params['query']}: {answer['error']}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def _ready(self, name: str, port: int) -> None:
        async with asyncio.timeout(60):
            while True:
                self._processes.require(name)
                try:
                    async with self._session.get(f"http://127.0.0.1:{port}/-/ready") as reply:
                        if reply.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    async def _receive(self) -> int:
        """Start the receiver of the webhooks; return its port."""
        app = web.Application()
        app.router.add_post("/{receiver}", self._notified)
        app.router.add_get("/metrics", self._replicas)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _notified(self, request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            self.notifications.append(
                Notification(
                    time.time(),
                    request.match_info["receiver"],
                    alert["status"],
                    alert["labels"],
                    alert["annotations"],
                )
            )
        return web.Response()

    async def _replicas(self, _: web.Request) -> web.Response:
        """Return the replicas of each Deployment as kube-state-metrics does, whose module cannot be had."""
        lines = [
            f'kube_deployment_spec_replicas{{namespace="{it["metadata"]["namespace"]}",'
            f'deployment="{it["metadata"]["name"]}"}} {it["spec"]["replicas"]}\n'
            for it in await self.deployments()
        ]
        return web.Response(text="".join(lines))

    def _rules(self) -> dict[str, Any]:
        """Return the rules; without AtmplDown, which names atmpl-system, if that has no pod here."""
        rules: dict[str, Any] = yaml.safe_load(RULES.read_text())["spec"]
        if all(pod.namespace != "atmpl-system" for pod in self.pods):
            for group in rules["groups"]:
                group["rules"] = [rule for rule in group["rules"] if rule["alert"] != "AtmplDown"]
        return rules

    def _prometheus(self, alertmanager: int, hook: int) -> dict[str, Any]:
        targets = [
            {"targets": [f"127.0.0.1:{pod.port}"], "labels": {"namespace": pod.namespace, "pod": pod.name}}
            for pod in self.pods
        ]
        interval = f"{self.interval_seconds}s"
        return {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(self._processes.folder / "rules.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
            "scrape_configs": [
                {"job_name": "atmpl", "static_configs": targets},
                {
                    "job_name": "kube-state-metrics",
                    "honor_labels": True,
                    "static_configs": [{"targets": [f"127.0.0.1:{hook}"]}],
                },
            ],
        }

    def _alertmanager(self, hook: int) -> dict[str, Any]:
        """Return what Prometheus's operator makes of one AlertmanagerConfig per namespace.

        Its OnNamespace matcher strategy adds `namespace="..."` to the route of each. The waits are its defaults.
        """
        namespaces = sorted({pod.namespace for pod in self.pods})
        routes = [
            {
                "receiver": f"{namespace}/atmpl/on-call",
                "group_by": ["alertname"],
                "matchers": [f'namespace="{namespace}"'],
                "continue": True,
            }
            for namespace in namespaces
        ]
        receivers = {UNROUTED: UNROUTED} | {f"{namespace}/atmpl/on-call": namespace for namespace in namespaces}
        return {
            "route": {"receiver": UNROUTED, "routes": routes},
            "receivers": [
                {"name": name, "webhook_configs": [{"url": f"http://127.0.0.1:{hook}/{path}", "send_resolved": True}]}
                for name, path in receivers.items()
            ],
        }


def free_port() -> int:
    """Return a port on loopback that is free now. It is below the range from which the kernel takes ports itself."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
