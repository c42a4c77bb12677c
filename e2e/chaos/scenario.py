"""Where a trial takes place, and what it has to say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.controller import ACCOUNT, Controller, service_account
from e2e.controller import NAMESPACE as HOME
from e2e.controlplane import ControlPlane
from e2e.controlplane.crds import install_crds

AUDIT_WRITES = {  # what the controller writes; a stream or a read is no write
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
    """What a trial found."""

    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # sentences; none, if all is well

    def expect(self, true: object, sentence: str) -> None:
        """Take note of what is wrong unless it is true."""
        if not true:
            self.wrong.append(sentence)


@dataclass(frozen=True, slots=True)
class Stage:
    """A control plane that may be hurt, whose audit log holds the controller's writes, and the controller's rights."""

    server: ControlPlane
    kubeconfig: Path

    def controller(self, name: str, *options: str, hasty: bool = False, kubeconfig: Path | None = None) -> Controller:
        """Return a controller that is not started yet; `name` is that of its pod. A hasty one has shorter waits."""
        module = "e2e.storm.hasty" if hasty else "atmpl"
        return Controller(kubeconfig or self.kubeconfig, *options, module=module, env={"POD_NAME": name})

    def writes(self) -> list[dict[str, Any]]:
        """Return what the controller has written since the stage was set, an audit event each."""
        return self.server.audit_events()


@asynccontextmanager
async def staged(*, forgetful: bool = False) -> AsyncIterator[Stage]:
    """Set a stage, gone at the end. Nobody but the API server itself is at work in it.

    A `forgetful` one keeps no cache of what happened: what etcd has forgotten is gone.
    """
    flags = ["--watch-cache=false"] if forgetful else []
    server = await asyncio.to_thread(ControlPlane, audit=AUDIT_WRITES, controllers=(), apiserver_flags=flags)
    try:
        await asyncio.to_thread(install_crds, server)
        yield Stage(server, await asyncio.to_thread(service_account, server))
    finally:
        await asyncio.to_thread(server.close)
