"""VMs of real users with every option, in both formats: published, processed, admitted, refreshed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import atmpl
from e2e.envtest import ApiError, Client, Server
from e2e.fixtures import discard
from e2e.objects import is_ready, reason
from tests.integration.manager.test_corpus import read_vm
from tests.support.builders import NATIVE_TEMPLATES_API, Object, request, request_path, template_path, vm_path
from tests.support.shared_data import corpus, needs_shared

pytestmark = [needs_shared, pytest.mark.usefixtures("controller"), pytest.mark.timeout(300)]  # 490 requests

OPTIONS: dict[str, Object] = {  # together they have each value of each option
    "golden": {"secrets": "Extract", "dataVolumes": "Unique", "parameters": {"profile": "Common"}},
    "gitops": {"naming": "Parameter", "identity": "Preserve", "secrets": "Require"},
    "few": {
        "dataVolumes": "Unique",
        "parameters": {
            "profile": "None",
            "include": ["template.spec.domain.**", "dataVolumeTemplates.*.spec.**", "instancetype.name", "runStrategy"],
            "exclude": ["template.spec.domain.devices.interfaces.**"],
        },
    },
    "console": {"console": "Complete", "secrets": "Extract", "parameters": {"profile": "All"}},
}
TARGETS = {"openshift": "openshiftTemplate", "native": "virtualMachineTemplate"}
RUNS = [
    (options, format)
    for options in OPTIONS
    for format in TARGETS
    if format == "openshift" or OPTIONS[options].get("console") != "Complete"
]


EDIT = {"metadata": {"annotations": {"note": "edited"}}}


async def test_template_with_options_gives_an_admitted_vm(server: Server, client: Client, subtests: Any) -> None:
    some = asyncio.Semaphore(4)

    async def serve(path: Path) -> None:
        async with some:
            made = await client.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "options-"}}
            )
            namespace = made["metadata"]["name"]
            try:
                stored = await client.create(read_vm(path, namespace))
            except ApiError:
                return  # test_corpus.py names the VM that the API server rejects
            for options, format in RUNS:
                source = {"vmName": stored["metadata"]["name"]}
                spec = {"source": source, "target": {TARGETS[format]: {}}, "options": OPTIONS[options]}
                if OPTIONS[options].get("secrets") == "Extract":
                    spec["refreshPolicy"] = "OnChange"
                await client.create(request(namespace, f"{options}-{format}") | {"spec": spec})
            for options, format in RUNS:
                with subtests.test(f"{path.name} {options} {format}"):
                    await _check(client, namespace, f"{options}-{format}", format)
            await client.patch(vm_path(namespace, stored["metadata"]["name"]), EDIT)
            for options, format in RUNS:
                if OPTIONS[options].get("secrets") == "Extract":
                    with subtests.test(f"{path.name} {options} {format} refreshed"):
                        path_of = _template_path(namespace, f"{options}-{format}", format)
                        await client.until(path_of, lambda it: _annotation(it) == "edited")
            await discard(server, client, namespace)

    await asyncio.gather(*map(serve, corpus()))


async def _check(client: Client, namespace: str, name: str, format: str) -> None:
    found = await client.until(request_path(namespace, name), lambda it: reason(it) not in {"", "SourceNotFound"})
    assert is_ready(found), (found or {})["status"]
    template = await client.get(_template_path(namespace, name, format))
    parameters = template["parameters"] if format == "openshift" else template["spec"]["parameters"]
    values = {each["name"]: "text" for each in parameters if each.get("required") and not each.get("value")}
    [instance] = atmpl.process(template, values)
    posted = instance | {"metadata": instance["metadata"] | {"namespace": namespace}}
    admitted = await client.create(posted, dryRun="All")
    assert admitted["spec"] == instance["spec"]


def _template_path(namespace: str, name: str, format: str) -> str:
    if format == "openshift":
        return template_path(namespace, name)
    return f"{NATIVE_TEMPLATES_API}/namespaces/{namespace}/virtualmachinetemplates/{name}"


def _annotation(template: Any) -> Any:
    """Return the annotation that EDIT sets, from the VM in a template."""
    vm = template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]
    return vm["metadata"].get("annotations", {}).get("note")
