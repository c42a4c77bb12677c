"""A template's form in the OpenShift console reads top to bottom, and the page that shows it is that form."""

import re
import subprocess
import sys
from pathlib import Path

import atmpl
from e2e.console_form import page
from tests.support.template_vms import a_vm

VM = a_vm(
    {
        "architecture": "amd64",
        "domain": {
            "cpu": {"cores": 2},
            "devices": {
                "disks": [{"name": "root", "disk": {"bus": "virtio"}}, {"name": "seed", "disk": {"bus": "sata"}}]
            },
            "firmware": {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"},
            "memory": {"guest": "4Gi"},
        },
        "volumes": [
            {"name": "root", "dataVolume": {"name": "disk"}},
            {"name": "seed", "cloudInitNoCloud": {"userData": "#cloud-config\n"}},
        ],
    },
    spec={"dataVolumeTemplates": [{"metadata": {"name": "disk"}, "spec": {"storage": {}}}]},
    name="web",
    namespace="team-a",
    annotations={"greeting": "hello ${NAME}"},
)


def labels(shown: str) -> list[str]:
    return [re.sub(r"<.*?>", "", each) for each in re.findall(r"<label>(.*?)</label>", shown)]


def test_fields_have_the_order_of_the_virtual_machine() -> None:
    shown = page(atmpl.render(VM, data_volumes="Unique", secrets="Require").template)
    assert labels(shown) == [
        "Architecture",
        "CPU cores",
        "Disk root: bus",
        "Disk seed: bus",
        "Firmware UUID",
        "Memory guest",
        "Volume seed: user data *",  # required: each new VM needs its value
        "Literal 0",
        "Suffix",
        "Labels",
    ]
    assert '<label>Suffix</label><input value="" placeholder="(generated if empty)">' in shown


def test_catalogue_shows_name_description_tags_and_warnings() -> None:
    shown = page(atmpl.render(VM).template)
    assert "<h1>web-template</h1><code>kubevirt</code><code>virtualmachine</code>" in shown
    assert "<p>Made from the virtual machine web in namespace team-a.</p>" in shown
    assert '<div class="alert">VMs made from this template use data volumes of the same names' in shown


def test_default_is_escaped() -> None:
    vm = a_vm({"hostname": '"><script>'})
    assert 'value="&quot;&gt;&lt;script&gt;"' in page(atmpl.render(vm).template)


def test_other_files_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "vm.yaml").write_text("kind: VirtualMachine\n")
    for name, message in (
        ("vm.yaml", "vm.yaml is not an OpenShift Template; "),
        ("none.yaml", "No such file or directory"),
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "e2e.console_form", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stdout) == (2, "")
        assert message in ran.stderr.splitlines()[-1]
