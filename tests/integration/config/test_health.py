"""The health of requests of every reason, from the objects that a real API server stores."""

import asyncio
from collections.abc import Callable
from typing import Any

from e2e.controller import Controller, service_account
from e2e.envtest import Client, ControlPlane
from e2e.objects import condition, namespace, reason
from tests.integration.access.policy import BINDING, outlast_the_grace
from tests.support.builders import Object, a_template, request, request_path, vm
from tests.support.health import CREATED, HEALTH, by_argo_cd, by_go, by_rules, flux_options
from tests.support.manifests import CONFIG

HOME, AWAY = "home", "away"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NATIVE = {"target": {"virtualMachineTemplate": {}}}
SECRETS = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/options/properties/secrets/enum/-"
ADMISSION = "admissionregistration.k8s.io/v1"


def from_away(name: str, source: str) -> Object:
    """A request for a VM of another namespace."""
    posted = request(HOME, name, source=source)
    posted["spec"]["source"]["vmNamespace"] = AWAY
    return posted


async def refuse_templates(admin: Client) -> None:
    """Deny the templates `forbidden` and `failed`, with the reasons Forbidden and Invalid."""
    rules = [{"apiGroups": ["template.openshift.io"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]
    validations = [
        {"expression": "object.metadata.name != 'forbidden'", "reason": "Forbidden"},
        {"expression": "object.metadata.name != 'failed'"},
    ]
    policy = {"matchConstraints": {"resourceRules": rules}, "validations": validations}
    binding = {"policyName": "refuse", "validationActions": ["Deny"]}
    for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
        await admin.create({"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": "refuse"}, "spec": spec})


async def prepare(server: ControlPlane, admin: Client) -> dict[str, str]:
    """Create VMs and requests; return the name of the request that is to report each reason."""
    for name in (HOME, AWAY):
        await admin.create(namespace(name))
    await admin.create(vm(HOME))
    await admin.create(vm(AWAY))
    unsuitable = vm(HOME, "unsuitable")
    unsuitable["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "disk-${A}"}, "spec": {}}]
    await admin.create(unsuitable)
    large = vm(HOME, "large")  # a template counts `<` as six bytes
    large["spec"]["template"]["spec"]["volumes"] = [{"name": "a", "cloudInitNoCloud": {"userData": "<" * 200_000}}]
    await admin.create(large)
    await admin.create(from_away("denied", "vm"))  # before the policy exists
    await asyncio.to_thread(server.kubectl, "apply", "--server-side", "-k", CONFIG / "policy")
    await refuse_templates(admin)
    await admin.delete(f"{CRDS}/virtualmachinetemplates.template.kubevirt.io")
    definition = f"{CRDS}/virtualmachinetemplaterequests.ssp.kubevirt.io"
    await admin.patch(definition, [{"op": "add", "path": SECRETS, "value": "Later"}], "json")  # of a later version
    await outlast_the_grace(admin)
    await admin.create(a_template("conflict", namespace=HOME))
    for posted in (
        request(HOME, "rendered"),
        request(HOME, "waiting", source="absent"),
        request(HOME, "unavailable") | {"spec": {"source": {"vmName": "vm"}, **NATIVE}},
        request(HOME, "conflict"),
        request(HOME, "invalid", source="unsuitable", options={"dataVolumes": "Unique"}),
        request(HOME, "large", source="large"),
        request(HOME, "unsupported", options={"secrets": "Later"}),
        request(HOME, "forbidden"),
        request(HOME, "failed"),
        from_away("revoked", "late"),
    ):
        await admin.create(posted)
    return {
        "Rendered": "rendered",
        "SourceNotFound": "waiting",
        "FormatUnavailable": "unavailable",
        "TargetConflict": "conflict",
        "InvalidSource": "invalid",
        "TooLarge": "large",
        "Unsupported": "unsupported",
        "Forbidden": "forbidden",
        "Failed": "failed",
        "CrossNamespaceDenied": "denied",
    }


async def until(admin: Client, name: str, expected: str) -> Object:
    found = await admin.until(request_path(HOME, name), lambda it: reason(it) == expected)
    assert found is not None
    return found


async def test_every_reason_has_its_health(private_server: Callable[..., ControlPlane]) -> None:
    server = await asyncio.to_thread(private_server)
    account = await asyncio.to_thread(service_account, server)
    found: dict[str, Any] = {}
    async with server.client() as admin:
        names = await prepare(server, admin)
        found[CREATED] = await admin.get(request_path(HOME, "rendered"))
        controller = Controller(account, "--policy=Required", module="e2e.chaos.fast_timers")
        await asyncio.to_thread(controller.__enter__)
        try:
            for expected, name in names.items():
                found[expected] = await until(admin, name, expected)
            await until(admin, "revoked", "SourceNotFound")
            await asyncio.sleep(3)  # the check at creation counts for 1 s here
            await admin.create(vm(AWAY, "late"))
            found["AccessRevoked"] = await until(admin, "revoked", "AccessRevoked")
            await admin.delete(BINDING)
            await admin.create(request(HOME, "missing"))
            found["PolicyMissing"] = await until(admin, "missing", "PolicyMissing")
        finally:
            await asyncio.to_thread(controller.stop)
    assert "create the request again" in condition(found["Unsupported"])["message"]  # the fields are immutable
    assert {each: by_rules(found[each]) for each in found} == {each: HEALTH[each].kstatus for each in HEALTH}
    assert {each: by_argo_cd(found[each])["status"] for each in found} == {
        each: HEALTH[each].argo_cd for each in HEALTH
    }
    rows = by_go([*found.values()], *flux_options())
    assert {each: tuple(row) for each, row in zip(found, rows, strict=True)} == {
        each: (HEALTH[each].kstatus, HEALTH[each].flux) for each in HEALTH
    }
