"""What becomes of requests, on a real API server, as their users see it."""

import asyncio
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import atmpl
from e2e.controller import Controller
from e2e.envtest import Client, Server
from e2e.objects import condition, is_ready, reason
from tests.support.builders import Object, defaults, request, request_path, template_path, vm, vm_path

pytestmark = pytest.mark.usefixtures("controller")

# Metrics that this test's controller does not always report; with --policy Optional, it has no policy monitor.
NEVER_YET = {"atmpl_access_verdicts_total", "atmpl_policy_in_force"}

SHORT_FORM = {  # the design's own example, verbatim
    "apiVersion": "ssp.kubevirt.io/v1alpha1",
    "kind": "VirtualMachineTemplateRequest",
    "metadata": {"name": "virtualmachinetemplaterequest-sample"},
    "spec": {
        "vmName": "vmi-ephemeral",
        "templateName": "vmi-ephemeral-template",
        "format": "template.openshift.io/v1",
    },
}


async def test_request_of_the_design_is_served(client: Client, namespace: str) -> None:
    await client.create(vm(namespace, "vmi-ephemeral"))
    await client.create(SHORT_FORM | {"metadata": SHORT_FORM["metadata"] | {"namespace": namespace}})
    path = request_path(namespace, "virtualmachinetemplaterequest-sample")
    found = await client.until(path, is_ready)
    assert found["status"]["templateRef"]["name"] == "vmi-ephemeral-template"
    template = await client.get(template_path(namespace, "vmi-ephemeral-template"))
    assert defaults(template) == {
        "DISK0_BUS": "virtio",
        "REQUESTS_MEMORY": "128Mi",
        "VOLUME0_IMAGE": "registry:5000/disk:1",
        "LABELS": "{}",
    }


async def test_status_names_source_and_template(client: Client, namespace: str) -> None:
    source = await client.create(vm(namespace))
    await client.create(request(namespace, target="golden"))
    found = await client.until(request_path(namespace), is_ready)
    template = await client.get(template_path(namespace, "golden"))
    status = found["status"]
    assert status["observedGeneration"] == 1
    assert status["source"] == {
        "namespace": namespace,
        "name": "vm",
        "uid": source["metadata"]["uid"],
        "generation": 1,
        "resourceVersion": source["metadata"]["resourceVersion"],
    }
    assert status["templateRef"] == {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "name": "golden",
        "uid": template["metadata"]["uid"],
    }
    assert status["parameterCount"] == 4
    assert status["warnings"] == []
    assert "lastRenderTime" in status


async def test_request_continues_when_its_vm_appears(client: Client, namespace: str) -> None:
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound")
    assert condition(found, "Stalled") == {}
    await client.create(vm(namespace))
    await client.until(request_path(namespace), is_ready)


async def test_unowned_template_is_not_overwritten(client: Client, namespace: str) -> None:
    foreign = await client.create(
        {
            "apiVersion": "template.openshift.io/v1",
            "kind": "Template",
            "metadata": {"name": "taken", "namespace": namespace},
            "objects": [],
        }
    )
    await client.create(vm(namespace))
    await client.create(request(namespace, target="taken"))
    await client.until(request_path(namespace), lambda it: reason(it) == "TargetConflict")
    assert await client.get(template_path(namespace, "taken")) == foreign


async def test_template_of_a_previous_request_is_kept(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace))
    await client.until(request_path(namespace), is_ready)
    template = await client.get(template_path(namespace))
    await client.delete(request_path(namespace))
    await client.patch(vm_path(namespace), _memory("256Mi"))
    await client.create(request(namespace))
    await client.until(request_path(namespace), lambda it: reason(it) == "TargetConflict")
    assert await client.get(template_path(namespace)) == template


async def test_deleted_request_leaves_its_template(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace))
    await client.until(request_path(namespace), is_ready)
    await client.delete(request_path(namespace))
    await client.until(request_path(namespace), lambda it: it is None)
    assert (await client.get(template_path(namespace)))["kind"] == "Template"


async def test_once_template_belongs_to_its_user(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace))
    await client.until(request_path(namespace), is_ready)
    await client.patch(template_path(namespace), {"parameters": []})
    edited = await client.patch(vm_path(namespace), _memory("256Mi"))
    assert edited["metadata"]["generation"] == 2
    await _settled(client, namespace)
    assert (await client.get(template_path(namespace)))["parameters"] == []


async def test_on_change_refreshes_the_template(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    await client.until(request_path(namespace), is_ready)
    await client.patch(vm_path(namespace), _memory("256Mi"))
    found = await client.until(template_path(namespace), lambda it: defaults(it)["REQUESTS_MEMORY"] == "256Mi")
    version = found["metadata"]["resourceVersion"]
    await client.until(
        request_path(namespace), lambda it: it["status"]["rendered"]["templateResourceVersion"] == version
    )


async def test_on_change_repairs_drift_and_keeps_user_metadata(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    await client.until(request_path(namespace), is_ready)
    added = {"labels": {"team": "db"}, "annotations": {"note/of": "mine", "tags": "spoiled"}}
    await client.patch(template_path(namespace), {"metadata": added, "parameters": []})
    found = await client.until(template_path(namespace), lambda it: it["parameters"])
    assert found["metadata"]["labels"]["team"] == "db"
    assert found["metadata"]["annotations"]["note/of"] == "mine"
    assert found["metadata"]["annotations"]["tags"] == "kubevirt,virtualmachine"


async def test_on_change_recreates_a_deleted_template(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    first = await client.until(request_path(namespace), is_ready)
    await client.delete(template_path(namespace))
    uid = first["status"]["templateRef"]["uid"]
    found = await client.until(template_path(namespace), lambda it: it and it["metadata"]["uid"] != uid)
    await client.until(
        request_path(namespace), lambda it: it["status"]["templateRef"]["uid"] == found["metadata"]["uid"]
    )


async def test_on_change_keeps_the_template_of_a_deleted_vm(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    await client.until(request_path(namespace), is_ready)
    template = await client.get(template_path(namespace))
    await client.delete(vm_path(namespace))
    found = await client.until(request_path(namespace), lambda it: it["status"]["warnings"])
    assert [warning["reason"] for warning in found["status"]["warnings"]] == ["SourceGone"]
    assert is_ready(found)
    assert await client.get(template_path(namespace)) == template


async def test_on_change_follows_a_recreated_vm(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    await client.until(request_path(namespace), is_ready)
    await client.delete(vm_path(namespace))
    await client.until(vm_path(namespace), lambda it: it is None)
    made = await client.create(vm(namespace, memory="512Mi"))
    await client.until(template_path(namespace), lambda it: defaults(it)["REQUESTS_MEMORY"] == "512Mi")
    found = await client.until(
        request_path(namespace), lambda it: it["status"]["source"]["uid"] == made["metadata"]["uid"]
    )
    assert found["status"]["warnings"] == []


async def test_change_to_once_detaches_the_template(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, refreshPolicy="OnChange"))
    await client.until(request_path(namespace), is_ready)
    before = await client.get(template_path(namespace))
    await client.patch(request_path(namespace), {"spec": {"refreshPolicy": "Once"}})
    found = await client.until(request_path(namespace), lambda it: it["status"]["observedGeneration"] == 2)
    assert "rendered" not in found["status"]
    after = await client.get(template_path(namespace))
    labels = dict(before["metadata"]["labels"])
    assert labels.pop("ssp.kubevirt.io/refresh") == "OnChange"
    assert after["metadata"]["labels"] == labels
    assert after["objects"] == before["objects"]


async def test_ttl_deletes_a_finished_request(client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, ttlSecondsAfterFinished=1))
    await client.until(request_path(namespace), is_ready)
    await client.until(request_path(namespace), lambda it: it is None)
    assert (await client.get(template_path(namespace)))["kind"] == "Template"


async def test_other_namespace_is_denied_without_policy(client: Client, namespace: str) -> None:
    posted = request(namespace)
    posted["spec"]["source"]["vmNamespace"] = "kube-system"
    await client.create(posted)
    found = await client.until(request_path(namespace), lambda it: reason(it) == "CrossNamespaceDenied")
    assert condition(found, "Stalled")["status"] == "True"


async def test_too_large_template_does_not_delay_others(client: Client, namespace: str) -> None:
    large = vm(namespace, "large")
    large["spec"]["template"]["spec"]["nodeSelector"] = {f"key{number}": "x" * 75 for number in range(8_000)}
    await client.create(large)
    await client.create(vm(namespace))
    await client.create(request(namespace, "large", source="large"))
    await client.create(request(namespace))
    await client.until(request_path(namespace), is_ready)
    found = await client.until(request_path(namespace, "large"), lambda it: reason(it) == "TooLarge")
    assert condition(found, "Stalled")["status"] == "True"
    assert "1,048,576" in condition(found)["message"]
    await client.patch(vm_path(namespace, "large"), {"spec": {"template": {"spec": {"nodeSelector": None}}}})
    await client.until(request_path(namespace, "large"), is_ready)


async def test_kubectl_waits_for_a_request(server: Server, client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace, target="golden"))
    await client.until(request_path(namespace), is_ready)
    waited = server.kubectl("wait", "--for=condition=Ready", "vmtreq/request", "--namespace", namespace, "--timeout=5s")
    assert "condition met" in waited
    header, row = server.kubectl("get", "vmtreq", "--namespace", namespace).splitlines()
    assert header.split() == ["NAME", "SOURCE", "TEMPLATE", "READY", "REASON", "AGE"]
    assert row.split()[:5] == ["request", "vm", "golden", "True", "Rendered"]


async def test_the_probes_answer(controller: Controller) -> None:
    assert controller.get("/healthz") == (200, "ok\n")
    assert controller.get("/readyz") == (200, "ok\n")
    status, text = controller.get("/metrics")
    assert status == 200
    assert 'atmpl_watch_served{stream="virtualmachines"} 1.0' in text
    assert 'atmpl_watch_synced{stream="virtualmachines"} 1.0' in text
    assert 'atmpl_watch_lists_total{stream="virtualmachines"} 1.0' in text
    assert 'atmpl_watch_consecutive_failures{stream="virtualmachines"} 0.0' in text
    assert controller.get("/debug")[0] == 404


def _memory(memory: str) -> Object:
    return {"spec": {"template": {"spec": {"domain": {"resources": {"requests": {"memory": memory}}}}}}}


async def _settled(client: Client, namespace: str) -> None:
    """Wait until the controller has seen everything posted so far: it has served a request posted now."""
    await client.create(request(namespace, "settled"))
    await client.until(request_path(namespace, "settled"), is_ready)


async def test_too_many_warnings_are_truncated(client: Client, namespace: str) -> None:
    posted = vm(namespace)
    posted["spec"]["template"]["spec"]["volumes"] += [
        {"name": f"ci{number}", "cloudInitNoCloud": {"userData": f"#cloud-config\npassword: {number}\n"}}
        for number in range(150)
    ]
    await client.create(posted)
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), is_ready)
    warnings = found["status"]["warnings"]
    assert len(warnings) == 100
    assert warnings[98]["path"] == "spec.template.spec.volumes[99].cloudInitNoCloud.userData"
    assert warnings[99]["message"].startswith("And 51 more. ")


async def test_forged_provenance_is_harmless(client: Client, namespace: str) -> None:
    await client.create(request(namespace))
    found = await client.until(request_path(namespace), lambda it: reason(it) == "SourceNotFound")
    lying = {
        "name": "request",
        "namespace": namespace,
        "labels": {"ssp.kubevirt.io/request-uid": found["metadata"]["uid"]},
        "annotations": {
            "ssp.kubevirt.io/source-generation": "9" * 30,
            "ssp.kubevirt.io/source-uid": "u" * 1000,
        },
    }
    await client.create(
        {"apiVersion": "template.openshift.io/v1", "kind": "Template", "metadata": lying, "objects": []}
    )
    source = await client.create(vm(namespace))
    found = await client.until(request_path(namespace), is_ready)
    assert found["status"]["source"]["uid"] == source["metadata"]["uid"]
    template = await client.get(template_path(namespace))
    assert template["metadata"]["annotations"]["ssp.kubevirt.io/source-uid"] == source["metadata"]["uid"]
    assert [it["kind"] for it in template["objects"]] == ["VirtualMachine"]


async def test_queried_metrics_exist(controller: Controller, client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    await client.create(request(namespace))
    await client.until(request_path(namespace), is_ready)
    await asyncio.sleep(1.0)  # a scrape's text serves the next for a second
    text = controller.get("/metrics")[1]
    figures = {family.name: family for family in text_string_to_metric_families(text)}
    names = {sample.name for family in figures.values() for sample in family.samples}
    monitoring = Path(__file__).parents[3] / "config" / "monitoring"
    queried = set(
        re.findall(
            r"\b(?:atmpl|workqueue|controller_runtime|process|rest_client)_[a-z_]+",
            "".join(path.read_text() for path in (monitoring / "dashboard.json", monitoring / "alerts.yaml")).replace(
                "atmpl-", ""
            ),
        )
    )
    assert queried - names - NEVER_YET == set()
    for histogram in ("atmpl_render_time_seconds", "workqueue_queue_duration_seconds"):
        [count] = [s.value for s in figures[histogram].samples if s.name == f"{histogram}_count"]
        assert count > 0, histogram


async def test_unique_data_volumes_are_not_shared(client: Client, namespace: str) -> None:
    posted = vm(namespace)
    posted["spec"]["dataVolumeTemplates"] = [
        {"metadata": {"name": "root"}, "spec": {"storage": {"resources": {"requests": {"storage": "1Gi"}}}}}
    ]
    posted["spec"]["template"]["spec"]["volumes"] = [
        {"name": "root", "dataVolume": {"name": "root"}},
        {"name": "again", "persistentVolumeClaim": {"claimName": "root"}},
    ]
    await client.create(posted)
    await client.create(request(namespace, options={"dataVolumes": "Unique"}))
    await client.until(request_path(namespace), is_ready)
    template = await client.get(template_path(namespace))
    disks: list[set[str]] = []
    for _ in range(2):
        [instance] = atmpl.process(template)
        made = await client.create(instance | {"metadata": instance["metadata"] | {"namespace": namespace}})
        named = {made["spec"]["dataVolumeTemplates"][0]["metadata"]["name"]}
        root, again = made["spec"]["template"]["spec"]["volumes"]
        assert {root["dataVolume"]["name"], again["persistentVolumeClaim"]["claimName"]} == named
        disks.append(named | {"root"})
    assert disks[0] & disks[1] == {"root"}
    assert all(len(names) == 2 for names in disks)
