"""The controller's rights are exactly those that it uses, in the whole cluster and in single namespaces."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from e2e.controller import NAMESPACE, Controller, service_account
from e2e.envtest import AUDIT_EVERY_CALL, Client, ControlPlane
from e2e.objects import condition, is_ready, reason
from tests.integration.access.policy import outlast_the_grace
from tests.support.audit_rights import forbidden, granted, used
from tests.support.builders import Object, request, request_path, vm, vm_path
from tests.support.manifests import CONFIG, render

FORMATS = {  # target of a request: the templates that it makes
    "openshiftTemplate": ("template.openshift.io/v1", "Template", "templates"),
    "virtualMachineTemplate": ("template.kubevirt.io/v1beta1", "VirtualMachineTemplate", "virtualmachinetemplates"),
}
HOME = "rights"


class Scenarios:
    """Requests of one format that together need every right of the controller."""

    def __init__(self, client: Client, target: str) -> None:
        self.client = client
        self.target = target
        self.version, self.kind, self.plural = FORMATS[target]

    async def create(self, name: str, *, source: str = "vm", **spec: Any) -> str:
        """Post a request; return its path."""
        posted = request(HOME, self.named(name), source=source, **spec)
        posted["spec"]["target"] = {self.target: {}}
        await self.client.create(posted)
        return request_path(HOME, self.named(name))

    def named(self, name: str) -> str:
        return f"{name}-{self.kind.lower()}"

    def template(self, name: str) -> str:
        return f"/apis/{self.version}/namespaces/{HOME}/{self.plural}/{self.named(name)}"

    async def create_template(self, name: str, **metadata: Any) -> None:
        """Create a template with the name of a request."""
        content = {"objects": []} if self.kind == "Template" else {"spec": {"virtualMachine": vm(HOME)}}
        named = {"name": self.named(name), "namespace": HOME}
        await self.client.create(
            {"apiVersion": self.version, "kind": self.kind, "metadata": named | metadata} | content
        )

    def all(self) -> Iterable[Coroutine[Any, Any, None]]:
        """Return all scenarios, which can run at the same time."""
        yield self.refresh_and_detach()
        yield self.delete_after_ttl()
        yield self.find_an_unowned_template()
        yield self.adopt_an_orphan()
        yield self.deny_another_namespace()
        yield self.fail_twice()
        yield self.check_access_again()

    async def refresh_and_detach(self) -> None:
        path = await self.create("kept", refreshPolicy="OnChange")
        await self.client.until(path, is_ready)
        await self.client.patch(self.template("kept"), {"metadata": {"annotations": {"tags": "spoiled"}}})
        await self.client.until(self.template("kept"), lambda it: it["metadata"]["annotations"]["tags"] != "spoiled")
        await self.client.patch(path, {"spec": {"refreshPolicy": "Once"}})
        await self.client.until(path, lambda it: it["status"]["observedGeneration"] == 2)

    async def delete_after_ttl(self) -> None:
        path = await self.create("passing", ttlSecondsAfterFinished=0)
        await self.client.until(path, lambda it: it is None)

    async def find_an_unowned_template(self) -> None:
        await self.create_template("taken")
        path = await self.create("taken")
        await self.client.until(path, lambda it: reason(it) == "TargetConflict")

    async def adopt_an_orphan(self) -> None:
        path = await self.create("straying", source=self.named("late"))
        await self.client.until(path, lambda it: reason(it) == "SourceNotFound")
        await asyncio.sleep(1.0)  # times are whole seconds: a template of the same second is an earlier request's
        provenance = {"ssp.kubevirt.io/request": f"{HOME}/{self.named('straying')}"}
        await self.create_template("straying", labels={"ssp.kubevirt.io/request-uid": "gone"}, annotations=provenance)
        await self.client.create(vm(HOME, self.named("late")))
        await self.client.until(path, is_ready)

    async def deny_another_namespace(self) -> None:
        posted = request(HOME, self.named("far"))
        posted["spec"] |= {"source": {"vmName": "vm", "vmNamespace": "kube-system"}, "target": {self.target: {}}}
        await self.client.create(posted)
        await self.client.until(request_path(HOME, self.named("far")), lambda it: condition(it) != {})

    async def fail_twice(self) -> None:
        """Fail twice for the same reason, so the event is patched."""
        name = self.named("fickle")
        path = await self.create("fickle", source=name, options={"dataVolumes": "Unique"})
        await self.client.until(path, lambda it: reason(it) == "SourceNotFound")
        await self.client.create(_unsuitable_vm(name))
        await self.client.until(path, lambda it: reason(it) == "InvalidSource")
        await self.client.delete(vm_path(HOME, name))
        await self.client.until(path, lambda it: reason(it) == "SourceNotFound")
        await self.client.until(await self._event(path), lambda it: it["count"] == 2)

    async def check_access_again(self) -> None:
        """Refresh from a VM that was created again: the controller checks the requester's right to read it."""
        name = self.named("recreated")
        await outlast_the_grace(self.client)  # otherwise the requester does not count as verified
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
        requester = (await self.client.create(review))["status"]["userInfo"]
        await self.client.create(vm(HOME, name))
        path = await self.create("recreated", source=name, refreshPolicy="OnChange", requester=requester)
        await self.client.until(path, is_ready)
        await self.client.delete(vm_path(HOME, name))
        await self.client.until(path, lambda it: "SourceGone" in str(it["status"].get("warnings")))
        created = await self.client.create(vm(HOME, name))
        await self.client.until(path, lambda it: it["status"]["source"]["uid"] == created["metadata"]["uid"])

    async def _event(self, path: str) -> str:
        """Return the path of the first event SourceNotFound of a request."""
        uid = (await self.client.get(path))["metadata"]["uid"]
        about = {"fieldSelector": f"involvedObject.uid={uid},reason=SourceNotFound"}
        events = f"/api/v1/namespaces/{HOME}/events"
        async with asyncio.timeout(10), aclosing(self.client.watch(events, **about)) as watch:
            return f"{events}/{(await anext(watch))['object']['metadata']['name']}"


def _unsuitable_vm(name: str) -> Object:
    """A VM whose data volume's name cannot have a suffix."""
    posted = vm(HOME, name)
    posted["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "disk-${A}"}, "spec": {}}]
    return posted


class Installation(NamedTuple):
    """A cluster with the controller's roles: the objects that grant them, and the controller's options."""

    server: ControlPlane
    kubeconfig: Path
    roles: list[Object]
    options: list[str]


def in_the_cluster(server: ControlPlane, _: Path) -> Installation:
    """Grant the rights of config/rbac."""
    return Installation(server, service_account(server), render("rbac"), [])


def in_a_namespace(server: ControlPlane, folder: Path) -> Installation:
    """Grant the rights of config/namespaced, for one namespace."""
    (folder / "config").symlink_to(CONFIG)
    kustomization = {"resources": ["config/rbac"], "components": ["config/namespaced"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    kubeconfig = service_account(server)
    server.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", folder)
    role = CONFIG / "namespaced" / "role.yaml"
    server.kubectl("apply", "--namespace", HOME, "--filename", role)
    roles = list(yaml.safe_load_all(role.read_text()))
    for it in roles:
        it["metadata"]["namespace"] = HOME
    return Installation(server, kubeconfig, [*render(folder), *roles], [f"--namespace={HOME}"])


@pytest.fixture(params=[in_the_cluster, in_a_namespace], ids=lambda install: install.__name__)
def installation(
    request: pytest.FixtureRequest, private_server: Callable[..., ControlPlane], tmp_path: Path
) -> Installation:
    """A control plane with an audit log. It serves no streaming lists, so the controller reads lists in pages."""
    server = private_server(audit=AUDIT_EVERY_CALL, apiserver_flags=["--feature-gates=WatchList=false"])
    server.kubectl("apply", "--server-side", "--kustomize", CONFIG / "policy")
    server.kubectl("create", "namespace", HOME)
    install: Callable[[ControlPlane, Path], Installation] = request.param
    return install(server, tmp_path)


async def test_rights_are_exactly_those_used(installation: Installation) -> None:
    server = installation.server
    async with server.client() as client:
        await client.create(vm(HOME))
        options = ("--leader-elect", f"--leader-elect-namespace={NAMESPACE}", *installation.options)
        controller = Controller(installation.kubeconfig, *options)
        await asyncio.to_thread(controller.__enter__)
        scenarios = [Scenarios(client, target) for target in FORMATS]
        timeout = ""
        try:
            await asyncio.gather(*(one for format in scenarios for one in format.all()))
        except TimeoutError as error:
            timeout = str(error)
        finally:
            await asyncio.to_thread(controller.stop)
    events = server.audit_events()
    rights, calls = granted(installation.roles), used(events)
    assert {call for call in calls if not any(right.allows(call) for right in rights)} == set(), "missing"
    assert forbidden(events) == []
    assert timeout == ""
    assert {right for right in rights if not any(right.allows(call) for call in calls)} == set(), "unused"
