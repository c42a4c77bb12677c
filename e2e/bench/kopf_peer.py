"""The same controller made with kopf, in its fastest form: `python -m e2e.bench.kopf_peer CALLS NAMESPACE`.

It uses a plain event handler, since kopf's other handlers write annotations. It posts no events, serves CALLS requests
at the same time, and makes its three calls with aiohttp, on atmpl's event loop. Templates are rendered by atmpl. kopf
is not a dependency of the project: `pip install kopf`.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import orjson

from atmpl.manager.run import run
from atmpl.template import FORMATS, TemplateOwner, render
from e2e.bench.baseline_loop import pod_session
from e2e.bench.bench_cluster import REQUESTS, TEMPLATES, VMS
from e2e.objects import Object

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def main() -> None:
    """Run the operator until SIGTERM."""
    kopf.configure(log_format=kopf.LogFormat.JSON)
    run(_run(int(sys.argv[1]), sys.argv[2]))


async def _run(at_once: int, namespace: str) -> None:
    slots = asyncio.Semaphore(at_once)
    registry = kopf.OperatorRegistry()
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    ready, stop = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with pod_session() as session:

        def login(**_: Any) -> kopf.ConnectionInfo:
            config = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
            cluster = config["clusters"][0]["cluster"]
            authority, token = cluster["certificate-authority-data"], config["users"][0]["user"]["token"]
            return kopf.ConnectionInfo(server=cluster["server"], ca_data=authority, scheme="Bearer", token=token)

        async def serve(body: kopf.Body, **_: Any) -> None:
            if not body.get("status", {}).get("conditions"):
                async with slots:
                    await _serve(session, body)

        kopf.on.login(registry=registry)(login)
        kopf.on.event("ssp.kubevirt.io", "v1alpha1", "virtualmachinetemplaterequests", registry=registry)(serve)
        operator = kopf.operator(
            registry=registry,
            settings=settings,
            standalone=True,
            namespaces=[namespace],
            ready_flag=ready,
            stop_flag=stop,
        )
        running = asyncio.create_task(operator)
        await ready.wait()
        print(orjson.dumps({"message": "ready"}).decode(), flush=True)
        await running


async def _serve(session: aiohttp.ClientSession, request: kopf.Body) -> None:
    metadata, source = request["metadata"], request["spec"]["source"]["vmName"]
    vm = await _call(session, "GET", f"{VMS}/{source}", None, {})
    owner = TemplateOwner(metadata["namespace"], metadata["name"], metadata["uid"], refresh_on_change=False)
    format = FORMATS["openshift"]
    made = render(vm, format=format, name=metadata["name"], namespace=metadata["namespace"], owner=owner)
    template = await _call(session, "POST", TEMPLATES, made.template, {"Content-Type": "application/json"})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {
        "observedGeneration": metadata["generation"],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": metadata["generation"],
                "lastTransitionTime": now,
                "reason": "Rendered",
                "message": f"Template {metadata['namespace']}/{metadata['name']} is made from VM {source}",
            }
        ],
        "source": {
            "uid": vm["metadata"]["uid"],
            "generation": vm["metadata"]["generation"],
            "resourceVersion": vm["metadata"]["resourceVersion"],
        },
        "templateRef": {
            "apiVersion": format.api_version,
            "kind": format.kind,
            "name": metadata["name"],
            "uid": template["metadata"]["uid"],
        },
        "parameterCount": len(format.parameters(made.template)),
        "warnings": [warning._asdict() for warning in made.warnings],
        "lastRenderTime": now,
    }
    patch = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/status", "value": status},
    ]
    await _call(
        session,
        "PATCH",
        f"{REQUESTS}/{metadata['name']}/status",
        patch,
        {"Content-Type": "application/json-patch+json"},
    )


async def _call(session: aiohttp.ClientSession, method: str, path: str, body: Any, headers: dict[str, str]) -> Object:
    if body is not None:
        headers["Accept"] = METADATA
    data = None if body is None else orjson.dumps(body)
    async with session.request(method, path, data=data, headers=headers) as answer:
        read = await answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {read.decode()}")
        found: Object = orjson.loads(read)
        return found


if __name__ == "__main__":
    main()
