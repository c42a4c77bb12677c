"""`atmpl render`: options, output and messages."""

import json

import pytest
import yaml

import atmpl
from atmpl.cli import terminal
from tests.support.cli_runner import typed
from tests.support.shared_data import corpus, needs_shared

VM = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: {name}
spec:
  template:
    spec:
      domain:
        devices:
          disks:
          - disk:
              bus: virtio
            name: root
        resources:
          requests:
            memory: 128Mi
"""

TEMPLATE = """\
apiVersion: template.openshift.io/v1
kind: Template
metadata:
  name: web-template
  labels:
    template.kubevirt.io/type: vm
  annotations:
    openshift.io/display-name: web-template
    description: Made from the virtual machine web.
    tags: kubevirt,virtualmachine
    ssp.kubevirt.io/generator: atmpl {version}
labels:
  vm.kubevirt.io/template: web-template
objects:
- apiVersion: kubevirt.io/v1
  kind: VirtualMachine
  metadata:
    generateName: web-
    labels: ${{{{LABELS}}}}
  spec:
    template:
      spec:
        domain:
          devices:
            disks:
            - disk:
                bus: ${{DISK0_BUS}}
              name: root
          resources:
            requests:
              memory: ${{REQUESTS_MEMORY}}
parameters:
- name: DISK0_BUS
  displayName: 'Disk root: bus'
  description: disk0-bus
  value: virtio
- name: REQUESTS_MEMORY
  displayName: Requests memory
  description: requests-memory
  value: 128Mi
- name: LABELS
"""


def vm(name="web", **devices):
    made = yaml.safe_load(VM.format(name=name))
    made["spec"]["template"]["spec"] |= devices
    return made


SECRET = {"volumes": [{"name": "init", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: x\n"}}]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_render_writes_a_readable_template(folder):
    (folder / "vm.yaml").write_text(VM.format(name="web"))
    came = typed("render", "vm.yaml")
    assert (came.status, came.err) == (0, "")
    assert came.out.startswith(TEMPLATE.format(version=atmpl.__version__))


def test_standard_input_is_the_default():
    assert typed("render", stdin=VM.format(name="web")).out == typed("render", "-", stdin=VM.format(name="web")).out


def test_terminal_without_a_file_is_wrong_usage():
    came = typed("render")
    assert came.status == 2
    assert came.err.startswith("error: name a file with a virtual machine, or - for standard input\n")


def test_several_vms_give_a_stream_of_documents():
    came = typed("render", stdin="---\n".join(VM.format(name=name) for name in "abc"))
    assert [template["metadata"]["name"] for template in yaml.safe_load_all(came.out)] == [
        "a-template",
        "b-template",
        "c-template",
    ]
    assert came.out.count("\n---\n") == 2


def test_json_is_one_template_a_line():
    came = typed("render", "-o", "json", stdin=json.dumps({"kind": "List", "items": [vm("a"), vm("b")]}))
    assert [json.loads(line)["metadata"]["name"] for line in came.out.splitlines()] == ["a-template", "b-template"]


def test_the_templates_name_can_be_given():
    came = typed("render", "--name", "golden", stdin=VM.format(name="web"))
    assert yaml.safe_load(came.out)["metadata"]["name"] == "golden"


@pytest.mark.parametrize("name", ["BAD_NAME", "a b", "", "-a", "a..b", "a\n", "a" * 254])
def test_invalid_name_is_wrong_usage(name):
    came = typed("render", f"--name={name}", stdin=VM.format(name="web"))
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith(
        f"error: argument --name: {name!r} is not a valid name; use at most 253 lower case letters, digits, '-' and '.', "
        "each part beginning and ending with a letter or a digit, such as fedora-1\n"
    )


@pytest.mark.parametrize("name", ["a", "fedora-1", "1.b-c.d", "a" * 253])
def test_valid_name_is_the_templates(name):
    came = typed("render", "--name", name, stdin=VM.format(name="web"))
    assert yaml.safe_load(came.out)["metadata"]["name"] == name


def test_one_name_is_for_one_template():
    came = typed("render", "--name", "golden", stdin=VM.format(name="a") + "---\n" + VM.format(name="b"))
    assert (came.status, came.out.count("kind: Template")) == (1, 1)
    assert came.err == (
        "error: standard input, document 2 (VirtualMachine b): a template named golden was already made from standard "
        "input, document 1 (VirtualMachine a); render them one by one, with --name\n"
    )


def test_invalid_documents_do_not_stop_the_others(folder):
    (folder / "a.yaml").write_text(
        VM.format(name="a")
        + "---\nkind: Pod\napiVersion: v1\nmetadata: {name: p}\n---\nb: [\n---\n"
        + VM.format(name="c")
    )
    (folder / "d.yaml").write_text(VM.format(name="d"))
    came = typed("render", "a.yaml", "missing.yaml", "d.yaml")
    assert came.status == 1
    assert [template["metadata"]["name"] for template in yaml.safe_load_all(came.out)] == [
        "a-template",
        "c-template",
        "d-template",
    ]
    assert came.err == (
        "a.yaml, document 2 (Pod p): Pod skipped: a template contains only the virtual machine; if new ones need this "
        "object, apply it in their namespace\n"
        "error: a.yaml, document 3, line 23: a value is missing here, or the end of a { or [ above\n"
        "error: missing.yaml: no such file\n"
        "3 rendered, 2 failed\n"
    )


def test_advice_on_skipped_objects_is_given_once():
    beside = "".join(f"---\nkind: {kind}\nmetadata: {{name: web}}\n" for kind in ("Service", "Secret"))
    came = typed("render", stdin=VM.format(name="web") + beside)
    assert came.status == 0
    assert "Service skipped: " in came.err
    assert came.err.endswith("Secret skipped\n")


@pytest.mark.parametrize("format", ["openshift", "native"])
def test_template_is_not_rendered(format):
    template = typed("render", "--format", format, "-o", "json", stdin=json.dumps(vm())).out
    came = typed("render", stdin=template)
    assert (came.status, came.out) == (1, "")
    assert "this is a template already; `atmpl process` makes virtual machines from it\n" in came.err


def test_error_names_the_path_in_the_vm():
    broken = vm()
    broken["metadata"]["labels"] = {"app": 1}
    came = typed("render", "-", stdin=json.dumps(broken))
    assert came.status == 1
    assert came.err.startswith("error: standard input: metadata.labels.app: ")


def test_warning_names_the_option_against_it():
    came = typed("render", stdin=json.dumps(vm(**SECRET)))
    assert came.status == 0
    assert came.err.startswith(
        "warning: standard input: spec.template.spec.volumes[0].cloudInitNoCloud.userData: InlineSecret: "
    )
    assert came.err.endswith(" Use --secrets Extract, or keep the data in a Secret.\n")


def test_warning_is_explained_once():
    came = typed("render", stdin=json.dumps({"kind": "List", "items": [vm("a", **SECRET), vm("b", **SECRET)]}))
    assert came.err.splitlines()[1] == (
        "warning: standard input, items[1] (VirtualMachine b): "
        "spec.template.spec.volumes[0].cloudInitNoCloud.userData: InlineSecret"
    )


def test_options_reach_the_template():
    came = typed("render", "--secrets", "Require", stdin=json.dumps(vm(**SECRET)))
    assert came.err == ""
    parameter = next(each for each in yaml.safe_load(came.out)["parameters"] if each["name"] == "VOLUME0_USER_DATA")
    assert parameter["required"] is True
    assert "value" not in parameter


def test_advice_of_every_warning_is_an_option(capsys):
    from atmpl.cli.options import CLI_ADVICE
    from atmpl.template.render_warnings import HOSTNAME_FIX, LABEL_FIX, MESSAGES, NAME_LABEL_FIX, READABLE_TEXT

    messages = "".join([*MESSAGES.values(), READABLE_TEXT, LABEL_FIX, NAME_LABEL_FIX, HOSTNAME_FIX])
    assert [advice for advice in CLI_ADVICE if advice not in messages] == []
    assert messages.count("the option ") == len(CLI_ADVICE)
    help = typed("render", "--help").out
    for advice in CLI_ADVICE.values():
        option, value = advice.split()
        assert option in help
        assert value in help or value == "template.metadata.labels.name"  # not the example of the help


class Tty:
    """A terminal that remembers what it was sent."""

    def __init__(self):
        self.seen = ""

    def isatty(self):
        return True

    def write(self, text):
        self.seen += text

    def flush(self):
        pass

    def fileno(self):
        raise OSError


def test_progress_is_shown_on_a_terminal(folder, monkeypatch):
    for name in "ab":
        (folder / f"{name}.yaml").write_text(VM.format(name=name))
    monkeypatch.setattr(terminal.sys, "stderr", screen := Tty())
    from atmpl.cli.main import main

    main(["render", "a.yaml", "b.yaml"])
    assert screen.seen == "\r\x1b[K0 of 2 files, a.yaml\r\x1b[K1 of 2 files, b.yaml\r\x1b[K2 rendered, 0 failed\n"


def test_progress_is_not_shown_in_a_pipe(folder):
    for name in "ab":
        (folder / f"{name}.yaml").write_text(VM.format(name=name))
    assert typed("render", "a.yaml", "b.yaml").err == "2 rendered, 0 failed\n"


@needs_shared
def test_every_corpus_vm_renders_alike_in_both_forms():
    files = corpus()
    came = typed("render", *files)
    templates = list(yaml.safe_load_all(came.out))
    lines = typed("render", "-o", "json", *files).out.splitlines()
    assert templates == [json.loads(line) for line in lines]
    assert len(templates) >= 60


def test_verbose_lists_what_is_omitted():
    machine = vm()
    machine["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "a"}
    came = typed("render", "-v", stdin=json.dumps(machine))
    assert came.status == 0
    assert "metadata.annotations[argocd.argoproj.io/tracking-id]: omitted: " in came.err
    assert typed("render", stdin=json.dumps(machine)).err == ""


def test_verbose_lists_the_parameters_of_secrets():
    volumes = [{"name": "a", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: abc123\n"}}]
    came = typed("render", "-v", "--secrets", "Extract", stdin=json.dumps(vm(volumes=volumes)))
    assert "userData: password: secret, replaced by the generated parameter CLOUD_USER_PASSWORD\n" in came.err
    assert "abc123" not in came.err


def test_metadata_of_the_template_can_be_given():
    came = typed("render", "--label", "team=a", "--annotation", "description=b c", stdin=VM.format(name="web"))
    metadata = yaml.safe_load(came.out)["metadata"]
    assert (metadata["labels"]["team"], metadata["annotations"]["description"]) == ("a", "b c")


def test_namespace_of_another_vm_is_a_warning():
    machine = vm(volumes=[{"name": "a", "secret": {"secretName": "s"}}])
    machine["metadata"]["namespace"] = "team-a"
    assert "OtherNamespace" in typed("render", "-n", "team-b", stdin=json.dumps(machine)).err
    assert typed("render", "-n", "team-a", stdin=json.dumps(machine)).err == ""


def test_second_template_of_one_name_is_an_error():
    came = typed("render", stdin=VM.format(name="web") + "---\n" + VM.format(name="web"))
    assert (came.status, came.out.count("kind: Template")) == (1, 1)


def test_derived_name_that_is_not_valid_is_an_error():
    came = typed("render", stdin=VM.format(name="Web_Server"))
    assert (came.status, came.out) == (1, "")
    assert "--name" in came.err
    assert typed("render", "--name", "web", stdin=VM.format(name="Web_Server")).status == 0


@pytest.mark.parametrize("broken", ['{"kind": []}', '{"kind": "VirtualMachine", "apiVersion": {}}', "[]", '{"a": 1}'])
def test_broken_object_does_not_stop_the_next_one(broken):
    came = typed("render", stdin=f"{broken}\n{json.dumps(vm())}")
    assert (came.status, came.out.count("kind: Template")) == (1, 1)
    assert "Traceback" not in came.err


def test_pattern_of_files_is_advised_only_if_several_can_be_named(tmp_path):
    assert f"{tmp_path}/*.yaml" in typed("render", tmp_path).err
    assert "*" not in typed("process", tmp_path).err
