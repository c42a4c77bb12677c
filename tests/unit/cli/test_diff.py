"""`atmpl diff`: files, exit status, colours."""

import os

import pytest
import yaml
from aiohttp import web

import atmpl
from atmpl.cli import terminal
from tests.support.cli_runner import typed
from tests.support.scripted_server import status
from tests.unit.cli.test_drift import VM, changed

LATER = changed(VM, ("domain", "cpu", "cores"), 4)

SHOWN = """\
--- t.yaml
+++ vm.yaml
@@ -13,7 +13,7 @@
     spec:
       domain:
         cpu:
-          cores: 2
+          cores: 4
         devices:
           interfaces:
           - macAddress: ""
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(atmpl.render(VM).template))
    (tmp_path / "same.yaml").write_text(yaml.safe_dump(VM))
    (tmp_path / "vm.yaml").write_text(yaml.safe_dump(LATER))
    return tmp_path


def test_no_difference_is_status_0(folder):
    assert typed("diff", "t.yaml", "same.yaml") == (0, "", "")


def test_difference_is_status_1(folder):
    assert typed("diff", "t.yaml", "vm.yaml") == (1, SHOWN, "")


def test_files_may_come_in_either_order(folder):
    came = typed("diff", "-", "t.yaml", stdin=yaml.safe_dump(LATER))
    assert came == (1, SHOWN.replace("vm.yaml", "standard input"), "")


def test_diff_is_coloured_unless_no_color_is_set(folder, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(terminal, "supports_escapes", lambda stream: not os.environ.get("NO_COLOR"))
    lines = typed("diff", "t.yaml", "vm.yaml").out.splitlines()
    assert lines[0] == "\x1b[1m--- t.yaml\x1b[0m"
    assert "\x1b[31m-          cores: 2\x1b[0m" in lines
    assert "\x1b[32m+          cores: 4\x1b[0m" in lines
    monkeypatch.setenv("NO_COLOR", "1")
    assert typed("diff", "t.yaml", "vm.yaml").out == SHOWN


ERRORS = {
    "a file that is not there": (["t.yaml", "none.yaml"], "none.yaml: no such file"),
    "two templates": (
        ["t.yaml", "t.yaml"],
        "give one template and one virtual machine; the files contain 2 and 0: t.yaml: Template, t.yaml: Template",
    ),
    "a VM of which no template can be made": (["t.yaml", "bad.yaml"], "bad.yaml: spec.template: "),
    "a template that cannot be processed": (["twice.yaml", "vm.yaml"], "twice.yaml: "),
    "several objects": (
        ["many.yaml", "vm.yaml"],
        "give one template and one virtual machine; the files contain 0 and 1",
    ),
    "no object": (["text.yaml", "vm.yaml"], "text.yaml: no object found"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_status_2(case, folder):
    (folder / "bad.yaml").write_text(yaml.safe_dump(VM | {"spec": {}}))
    (folder / "many.yaml").write_text("kind: A\n---\nkind: B\n")
    (folder / "text.yaml").write_text("just text\n")
    template = atmpl.render(VM).template
    template["parameters"] = [{"name": "BAD NAME"}]
    (folder / "twice.yaml").write_text(yaml.safe_dump(template))
    words, sentence = ERRORS[case]
    came = typed("diff", *words)
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith(f"error: {sentence}")


WRONG = {
    "nothing": [],
    "one file": ["t.yaml"],
    "files and a cluster's template": ["t.yaml", "vm.yaml", "--template", "web"],
    "standard input twice": ["-", "-"],
    "a virtual machine alone": ["--vm", "web"],
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_usage_is_status_2(words):
    came = typed("diff", *words)
    assert (came.status, came.out) == (2, "")
    assert came.err.endswith("See atmpl diff --help.\n")


def in_cluster(value, annotations=None):
    async def answer(_):
        metadata = {"namespace": "team-a", "name": "web", "uid": "1", "annotations": annotations or {}}
        return web.json_response(value | {"metadata": metadata})

    return answer


NO_TEMPLATE, NO_VM, NO_RIGHT = status(404, "NotFound"), status(404, "NotFound"), status(403, "Forbidden")
RECORDED = {"ssp.kubevirt.io/source": "team-b/web"}
ABSENT = {
    "the VM, which can be in another namespace": (
        [in_cluster(atmpl.render(VM).template), NO_TEMPLATE, NO_VM, NO_RIGHT],
        "--vm-namespace",
    ),
    "the template, which can be in another namespace": ([NO_TEMPLATE, NO_TEMPLATE, NO_RIGHT], "--template-namespace"),
}


@pytest.mark.parametrize("case", ABSENT)
def test_absent_object_names_the_option_of_its_namespace(case, cluster):
    acts, option = ABSENT[case]
    cluster(*acts)
    came = typed("diff", "--template", "web", "--vm", "web")
    assert (came.status, came.out) == (2, "")
    assert option in came.err.split()


def test_absent_namespace_of_the_vm_is_named(cluster):
    cluster(in_cluster(atmpl.render(VM).template), NO_TEMPLATE, NO_VM, status(404, "NotFound"))
    came = typed("diff", "--template", "web", "--vm", "web")
    assert came.err.startswith("error: the virtual machine web does not exist: there is no namespace team-a; ")


NAMESPACES = {  # those of the template and of the virtual machine
    "the recorded source": ([], ("team-a", "team-b")),
    "the recorded source by its name": (["--vm", "web"], ("team-a", "team-b")),
    "another VM": (["--vm", "db"], ("team-a", "team-a")),
    "a typed namespace": (["--vm", "web", "--vm-namespace", "team-c"], ("team-a", "team-c")),
    "a golden template and its source": (["--template-namespace", "golden"], ("golden", "team-b")),
    "a golden template and an own VM": (["--template-namespace", "golden", "--vm", "web"], ("golden", "team-a")),
}


@pytest.mark.parametrize("case", NAMESPACES)
def test_namespaces_of_template_and_vm(case, cluster):
    words, expected = NAMESPACES[case]
    script = cluster(in_cluster(atmpl.render(VM).template, RECORDED), NO_TEMPLATE, in_cluster(VM))
    assert typed("diff", "--template", "web", *words).status in (0, 1)
    template, _, vm = [call.path.split("/namespaces/")[1].split("/")[0] for call in script.calls]
    assert (template, vm) == expected


def test_cluster_without_template_apis_is_an_error(cluster):
    cluster(*[status(404)] * 3)
    assert typed("diff", "--template", "web") == (
        2,
        "",
        "error: the cluster does not serve Template or VirtualMachineTemplate; use files instead\n",
    )
