"""The cluster of a scenario, and the report of its findings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.controller import ACCOUNT, Controller, service_account
from e2e.controller import NAMESPACE as HOME
from e2e.envtest import ControlPlane
from e2e.envtest.crds import install_crds

AUDIT_WRITES = {  # the controller's writes
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Metadata",
            "users": [f"system:serviceaccount:{HOME}:{ACCOUNT}"],
            "verbs": ["create", "update", "patch", "delete"],
            "resources": [{"group": group} for group in ("", "ssp.kubevirt.io", "template.openshift.io")],
        },
        {"level": "None"},
    ],
}


@dataclass(slots=True)
class Report:
    """The findings of a scenario."""

    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # one sentence per problem

    def expect(self, true: object, sentence: str) -> None:
        """Record the problem unless the condition is true."""
        if not true:
            self.wrong.append(sentence)


@dataclass(frozen=True, slots=True)
class ChaosCluster:
    """A control plane that a scenario may damage, and the controller's kubeconfig for it."""

    server: ControlPlane
    kubeconfig: Path

    def controller(
        self, name: str, *options: str, fast_timers: bool = False, kubeconfig: Path | None = None
    ) -> Controller:
        """Return a controller that is not started; `name` is its pod's. `fast_timers` shortens its backoffs."""
        module = "e2e.chaos.fast_timers" if fast_timers else "atmpl"
        return Controller(kubeconfig or self.kubeconfig, *options, module=module, env={"POD_NAME": name})

    def writes(self) -> list[dict[str, Any]]:
        """Return the audit events of the controller's writes."""
        return self.server.audit_events()


@asynccontextmanager
async def chaos_cluster(*, forgetful: bool = False) -> AsyncIterator[ChaosCluster]:
    """Start a cluster without kube-controller-manager, and stop it at the end.

    If `forgetful`, the API server has no watch cache: after a compaction of etcd, watches get 410.
    """
    flags = ["--watch-cache=false"] if forgetful else []
    server = await asyncio.to_thread(ControlPlane, audit=AUDIT_WRITES, controllers=(), apiserver_flags=flags)
    try:
        await asyncio.to_thread(install_crds, server)
        yield ChaosCluster(server, await asyncio.to_thread(service_account, server))
    finally:
        await asyncio.to_thread(server.close)
