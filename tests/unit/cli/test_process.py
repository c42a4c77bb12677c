"""`atmpl process`: options, output and messages."""

import json

import pytest
import yaml

from tests.support.cli_runner import typed
from tests.support.shared_data import corpus, needs_shared
from tests.unit.cli.test_render import VM

TEMPLATE = """\
apiVersion: template.openshift.io/v1
kind: Template
metadata:
  name: web
objects:
- apiVersion: kubevirt.io/v1
  kind: VirtualMachine
  metadata:
    generateName: web-
  spec:
    memory: ${MEMORY}
    cores: ${{CORES}}
- apiVersion: v1
  kind: Secret
  stringData:
    password: ${PASSWORD}
parameters:
- name: MEMORY
  displayName: Memory
  description: How much
  value: 1Gi
- name: CORES
  value: "2"
- name: PASSWORD
  required: true
"""

OBJECTS = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  generateName: web-
spec:
  memory: 4Gi
  cores: 2
---
apiVersion: v1
kind: Secret
stringData:
  password: "123"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    return tmp_path


def test_a_template_becomes_its_objects(folder):
    assert typed("process", "t.yaml", "-p", "MEMORY=4Gi", "-p", "PASSWORD=123") == (0, OBJECTS, "")


def test_json_output_has_one_object_per_line(folder):
    came = typed("process", "-o", "json", "t.yaml", "--param=MEMORY=4Gi", "-pPASSWORD=123")
    assert [json.loads(line) for line in came.out.splitlines()] == list(yaml.safe_load_all(OBJECTS))


def test_standard_input_is_a_file_too():
    assert typed("process", "-", "-p", "MEMORY=4Gi", "-p", "PASSWORD=123", stdin=TEMPLATE).out == OBJECTS


def test_typed_values_override_a_params_file(folder):
    (folder / "v").write_text("MEMORY=4Gi\nPASSWORD=no\n")
    assert typed("process", "t.yaml", "--params-file", "v", "-p", "PASSWORD=123") == (0, OBJECTS, "")


def test_standard_input_is_not_two_files_at_once():
    came = typed("process", "-", "--params-file", "-", stdin=TEMPLATE)
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith(
        "error: standard input can be only one of template, --params-file and @FILE; name files for the others\n"
    )


def test_values_can_come_from_standard_input(folder):
    assert typed("process", "t.yaml", "--params-file", "-", stdin="MEMORY=4Gi\nPASSWORD=123\n").out == OBJECTS


def test_unknown_parameter_of_a_file_has_its_line(folder):
    (folder / "v").write_text("# mine\nMEMORI=4Gi\n")
    came = typed("process", "t.yaml", "--params-file", "v", "-p", "PASSWORD=x")
    assert came.status == 1
    assert came.err.splitlines()[0] == "error: v, line 2: the template has no parameter MEMORI; did you mean MEMORY?"


def test_all_wrong_parameters_are_reported(folder):
    came = typed("process", "t.yaml", "-p", "MEMORI=1Gi", "-p", "X=1")
    assert (came.status, came.out) == (1, "")
    assert came.err == (
        "error: t.yaml: the template has no parameter MEMORI; did you mean MEMORY?\n"
        "error: t.yaml: the template has no parameter X\n"
        "error: t.yaml: the parameter PASSWORD is required and has no value; add -p PASSWORD=VALUE or "
        "PASSWORD=@FILE\n"
        "See the template's parameters with --print-params.\n"
    )


def test_invalid_assignment_is_wrong_usage(folder):
    came = typed("process", "t.yaml", "-p", "MEMORY")
    assert (came.status, came.err.splitlines()[0]) == (2, "error: argument -p/--param: 'MEMORY' is not NAME=VALUE")


def test_the_parameters_can_be_shown(folder):
    came = typed("process", "t.yaml", "--print-params", "-p", "MEMORY=4Gi")
    assert (came.status, came.err) == (0, "")
    assert came.out == (
        "NAME       VALUE        MEANING\n"
        "MEMORY     4Gi          How much\n"
        "CORES      2\n"
        "PASSWORD   (required)\n"
    )  # fmt: skip


def test_reference_without_a_parameter_is_a_warning():
    template = TEMPLATE.replace("${MEMORY}", "${MEMORI} ${MEMORY} ${HOME}").replace("${{CORES}}", "${{CPU}}")
    template = template.replace("    generateName", "    labels: {'${KEY}': a}\n    generateName")
    came = typed("process", "-", "-p", "PASSWORD=123", stdin=template)
    assert came.status == 0
    assert "memory: ${MEMORI} 1Gi ${HOME}\n" in came.out
    assert [line.split()[3] for line in came.err.splitlines()] == ["${HOME}", "${KEY}", "${MEMORI}", "${{CPU}}"]
    assert "did you mean MEMORY?" in came.err


MESSAGE = 'message: "User admin,\\tpassword ${PASSWORD}, ${HOME}.\\nSee\\e[31m /docs.\\n"\n'
SHOWN_MESSAGE = "# Message of the template:\n#   User admin,     password {}, ${{HOME}}.\n#   See\\u001b[31m /docs.\n"


def test_message_of_the_template_is_printed():
    came = typed("process", "-", "-p", "MEMORY=4Gi", "-p", "PASSWORD=123", stdin=TEMPLATE + MESSAGE)
    assert came == (0, OBJECTS, SHOWN_MESSAGE.format("123"))


def test_message_with_generated_values_follows_them():
    template = TEMPLATE.replace("  required: true", "  generate: expression\n  from: abc") + MESSAGE
    came = typed("process", "-", stdin=template)
    _, _, rest = came.err.partition("\n")
    assert (came.status, rest) == (0, f"PASSWORD=abc\n{SHOWN_MESSAGE.format('abc')}")


def test_what_process_reports_is_a_params_file(folder):
    template = TEMPLATE.replace("  required: true", "  generate: expression\n  from: '[a-z]{9}'") + MESSAGE
    made = typed("process", "-", "-p", "OLD=1", "--ignore-unknown-parameters", stdin=template)
    (folder / "v").write_text(made.err)
    came = typed("process", "-", "--params-file", "v", stdin=template)
    assert (came.status, came.out) == (0, made.out)


def test_parameters_come_with_the_message_of_the_template():
    came = typed("process", "-", "--print-params", stdin=TEMPLATE + MESSAGE)
    assert (came.status, came.err) == (0, SHOWN_MESSAGE.format("${PASSWORD}"))


def test_the_parameters_can_be_had_as_data(folder):
    assert json.loads(typed("process", "t.yaml", "--print-params", "-o", "json").out) == [
        {"name": "MEMORY", "displayName": "Memory", "description": "How much", "value": "1Gi"},
        {"name": "CORES", "value": "2"},
        {"name": "PASSWORD", "required": True},
    ]


def test_print_params_rejects_an_unknown_parameter(folder):
    assert typed("process", "t.yaml", "--print-params", "-p", "X=1").status == 1


@pytest.mark.parametrize("value", ["foo", '{"a": 1}', '{"a": "b", "c": 1}', "[]", '"x"'])
@pytest.mark.parametrize(
    ("target", "comes"), [("openshift", "OpenShift ignores it"), ("native", "the cluster rejects it")]
)
def test_invalid_labels_are_a_warning(target, comes, value):
    template = typed("render", "--format", target, stdin=VM.format(name="web")).out
    came = typed("process", "-", "-p", f"LABELS={value}", stdin=template)
    assert came.status == 0
    assert came.err == (
        "warning: standard input: the parameter LABELS is not a JSON object of strings, "
        f'such as {{"team": "db"}}: {comes}\n'
    )


@pytest.mark.parametrize("value", ["{}", '{"a": "b"}', "", "null"])
def test_valid_labels_are_no_warning(value):
    template = typed("render", stdin=VM.format(name="web")).out
    came = typed("process", "-", "-p", f"LABELS={value}", stdin=template)
    assert (came.status, came.err) == (0, "")


def test_another_parameter_need_not_be_labels(folder):
    assert "LABELS" not in typed("process", "t.yaml", "-p", "CORES=4", "-p", "PASSWORD=x").err


REFUSED = {
    "a virtual machine": (
        "kind: VirtualMachine",
        "this is a VirtualMachine; give a Template or a VirtualMachineTemplate; `atmpl render` makes one from a VirtualMachine",
    ),
    "another object": ("kind: Pod", "this is a Pod; give a Template or a VirtualMachineTemplate"),
    "an object without a kind": (
        "a: 1",
        "this is an object without a kind; give a Template or a VirtualMachineTemplate",
    ),
    "no object": ("- 1", "this is not an object; give a Template or a VirtualMachineTemplate"),
    "two templates": (
        "kind: Template\n---\nkind: Template",
        "2 templates found; choose one with --template: (without a name), (without a name)",
    ),
    "nothing": ("", "no object found"),
    "a parameter of a wrong type": (
        "{apiVersion: v1, kind: Template, parameters: [{name: 1}]}",
        "parameters[0].name is a number, not a string; put quotes around it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_object_that_is_no_template_is_an_error(case):
    text, why = REFUSED[case]
    came = typed("process", "-", stdin=text)
    assert (came.status, came.out, came.err) == (1, "", f"error: standard input: {why}\n")


def test_invalid_yaml_is_reported_with_its_line():
    came = typed("process", "-", stdin="a: 1\na: 2")
    assert (came.status, came.err) == (1, "error: standard input, line 2: the key a occurs twice\n")


@needs_shared
@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("target", ["openshift", "native"])
def test_every_corpus_vm_comes_back(form, target):
    """What `render` writes, in any form and format, `process` reads, and the virtual machine is back."""
    for file in corpus()[::4]:
        rendered = typed("render", file, "--identity", "Preserve", "--format", target, "-o", form)
        if rendered.status:
            continue  # the corpus holds VMs without a name
        came = typed("process", "-", "-o", form, stdin=rendered.out)
        assert (came.status, came.err.partition("# Message of the template:")[0]) == (0, "")
        before, after = yaml.load(file.read_text(), yaml.BaseLoader), yaml.load(came.out, yaml.BaseLoader)
        assert after["spec"]["template"]["spec"]["domain"].keys() == before["spec"]["template"]["spec"]["domain"].keys()
        assert after["metadata"]["generateName"] == before["metadata"]["name"] + "-"


def test_vm_name_names_the_vm_and_removes_its_generate_name(folder):
    [vm, _] = yaml.safe_load_all(typed("process", "t.yaml", "-p", "PASSWORD=x", "--vm-name", "db-2").out)
    assert vm["metadata"] == {"name": "db-2"}


NAMED = """\
apiVersion: v1
kind: Template
objects:
- {apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: "${NAME}"}}
- {apiVersion: v1, kind: Service, metadata: {name: "${NAME}"}}
parameters: [{name: NAME, generate: expression, from: "web-[a-z]{5}"}]
"""


def test_vm_name_is_the_value_of_the_parameter_name():
    came = typed("process", "-", "--vm-name", "web-2", stdin=NAMED)
    assert [each["metadata"]["name"] for each in yaml.safe_load_all(came.out)] == ["web-2", "web-2"]


def test_vm_name_beside_the_parameter_name_is_wrong_usage():
    assert typed("process", "-", "--vm-name", "a", "-p", "NAME=b", stdin=NAMED).status == 2


def test_vm_name_is_no_value_of_a_name_for_something_else():
    template = """
apiVersion: template.openshift.io/v1
kind: Template
objects: [{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: "${VM}", labels: {owner: "${NAME}"}}}]
parameters: [{name: NAME, required: true}, {name: VM, required: true}]
"""
    came = typed("process", "-", "--vm-name", "a", "-p", "NAME=b", stdin=template)
    assert (came.status, came.err) == (0, "")
    assert yaml.safe_load(came.out)["metadata"] == {"name": "a", "labels": {"owner": "b"}}


@pytest.mark.parametrize("objects", ["[]", "[{apiVersion: v1, kind: Service}]"])
def test_vm_name_without_a_vm_is_an_error(objects):
    came = typed("process", "-", "--vm-name", "a", stdin=f"{{apiVersion: v1, kind: Template, objects: {objects}}}")
    assert (came.status, came.out) == (1, "")


def test_value_can_be_the_content_of_a_file(folder):
    (folder / "secret").write_bytes("a: é\r\nb\n".encode())
    objects = list(yaml.safe_load_all(typed("process", "t.yaml", "-p", "PASSWORD=@secret").out))
    assert objects[1]["stringData"]["password"] == "a: é\r\nb\n"
    assert "@x" in typed("process", "t.yaml", "-p", "PASSWORD=@@x").out


@pytest.mark.parametrize("value", ["@none", "@", "@bad"])
def test_value_of_a_file_that_cannot_be_read_is_an_error(folder, value):
    (folder / "bad").write_bytes(b"a\xff")
    came = typed("process", "t.yaml", "-p", f"PASSWORD={value}")
    assert (came.status, came.out) == (1, "")


def test_at_sign_in_a_params_file_is_literal(folder):
    (folder / "v").write_text("PASSWORD=@secret\n")
    assert "'@secret'" in typed("process", "t.yaml", "--params-file", "v").out


def test_later_params_file_overrides_an_earlier_one(folder):
    (folder / "one").write_text("MEMORY=1Mi\nPASSWORD=123\n")
    (folder / "two").write_text("MEMORY=4Gi\n")
    assert typed("process", "t.yaml", "--params-file", "one", "--params-file", "two").out == OBJECTS


def test_unknown_parameters_can_be_ignored(folder):
    (folder / "old").write_text("DISK=1Gi\n")
    came = typed(
        "process", "t.yaml", "--params-file", "old", "-p", "MEMORI=7", "-p", "PASSWORD=x", "--ignore-unknown-parameters"
    )
    assert came.status == 0
    assert came.err == (
        "# ignored: old, line 1: the template has no parameter DISK\n"
        "# ignored: t.yaml: the template has no parameter MEMORI; did you mean MEMORY?\n"
    )


def test_unknown_parameter_of_a_file_can_be_ignored(folder):
    (folder / "old").write_text("DISK=1Gi\n")
    came = typed("process", "t.yaml", "--params-file", "old", "-p", "PASSWORD=x")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith(
        "error: old, line 1: the template has no parameter DISK; remove the line, or add --ignore-unknown-parameters\n"
    )


NUMBERS = {"one VM": ("VirtualMachine", "--vm-name NAME"), "none": ("Pod", "-p NAME=VALUE or NAME=@FILE")}


@pytest.mark.parametrize("case", NUMBERS)
def test_name_of_the_only_vm_is_given_by_its_option(case):
    kind, option = NUMBERS[case]
    required = NAMED.replace('generate: expression, from: "web-[a-z]{5}"', "required: true")
    came = typed("process", "-", stdin=required.replace("VirtualMachine", kind))
    assert came.status == 1
    assert f"the parameter NAME is required and has no value; add {option}\n" in came.err


SEVERAL = NAMED.replace("kind: Template", "kind: Template\nmetadata: {name: a}") + "---\n" + TEMPLATE


def test_template_is_chosen_by_its_name():
    assert "web-2" in typed("process", "-", "--template", "a", "--vm-name", "web-2", stdin=SEVERAL).out
    for words in ([], ["--template", "c"]):
        came = typed("process", "-", *words, stdin=SEVERAL)
        assert (came.status, came.out) == (1, "")


def test_objects_beside_the_template_are_skipped():
    came = typed("process", "-", "--vm-name", "web-2", stdin=f"{NAMED}---\nkind: Secret\n")
    assert came.status == 0
    assert "Secret skipped" in came.err


def test_value_that_changes_the_type_of_its_leaf_is_a_warning(folder):
    came = typed("process", "t.yaml", "-p", "CORES=two", "-p", "PASSWORD=1")
    assert came.status == 0
    assert came.err.startswith("warning: t.yaml: the parameter CORES ")


def test_label_that_loses_against_the_template_is_a_warning():
    template = typed(
        "render", stdin=VM.format(name="web").replace("  name: web", "  name: web\n  labels: {tier: a}")
    ).out
    came = typed("process", "-", "-p", 'LABELS={"tier": "b", "team": "x"}', stdin=template)
    assert "tier" in came.err
    assert yaml.safe_load(came.out)["metadata"]["labels"] == {
        "tier": "a", "team": "x", "vm.kubevirt.io/template": "web-template"
    }  # fmt: skip


def test_inline_data_that_kubevirt_rejects_is_a_warning():
    data = yaml.safe_load(VM.format(name="web"))
    data["spec"]["template"]["spec"]["volumes"] = [{"name": "i", "cloudInitNoCloud": {"userData": "#!/bin/sh\n"}}]
    template = typed("render", stdin=json.dumps(data)).out
    came = typed("process", "-", "-p", f"VOLUME0_USER_DATA={'#' * 2049}", stdin=template)
    assert "2,048" in came.err
    assert "2,048" not in typed("process", "-", "-p", f"VOLUME0_USER_DATA={'#' * 2048}", stdin=template).err


@pytest.mark.parametrize("words", [[], ["--print-params"], ["-o", "json"]])
def test_half_of_a_surrogate_pair_is_an_error(words):
    template = '{"apiVersion": "v1", "kind": "Template", "objects": [{"kind": "A", "\\ud800": 1}]}'
    came = typed("process", "-", *words, stdin=template)
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: standard input: objects[0]")


PASSWORDS = {
    "0123": True,
    "a: b": True,
    "yes": True,
    "'x": True,
    "1e3": False,
    "a #b": True,
    "good-one": False,
    "A b": False,
}


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("quote", ["", '"'])
def test_value_that_changes_inside_a_cloud_config_is_a_warning(password, quote):
    text = f"#cloud-config\npassword: {quote}${{SECRET}}{quote}\n"
    volumes = [{"name": "i", "cloudInitNoCloud": {"userData": text}}]
    template = {
        "apiVersion": "v1",
        "kind": "Template",
        "objects": [{"kind": "VirtualMachine", "spec": {"template": {"spec": {"volumes": volumes}}}}],
        "parameters": [{"name": "SECRET", "required": True}],
    }
    came = typed("process", "-", "-p", f"SECRET={password}", stdin=json.dumps(template))
    assert came.status == 0
    assert ("SECRET" in came.err) == (PASSWORDS[password] and not quote)


def test_two_values_that_break_a_cloud_config_are_two_warnings():
    text = "#cloud-config\npassword: ${ONE}\nhostname: ${TWO}\nfqdn: ${THREE}\n"
    volumes = [{"name": "i", "cloudInitNoCloud": {"userData": text}}]
    template = {
        "apiVersion": "v1",
        "kind": "Template",
        "objects": [{"kind": "VirtualMachine", "spec": {"template": {"spec": {"volumes": volumes}}}}],
        "parameters": [{"name": "ONE"}, {"name": "TWO", "value": "[b"}, {"name": "THREE", "value": "c"}],
    }
    came = typed("process", "-", "-p", "ONE={a", stdin=json.dumps(template))
    assert [name in came.err for name in ("ONE", "TWO", "THREE")] == [True, True, False]


def cloud_config_template(text, *names):
    volumes = [{"name": "i", "cloudInitNoCloud": {"userData": text}}]
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Template",
            "objects": [{"kind": "VirtualMachine", "spec": {"template": {"spec": {"volumes": volumes}}}}],
            "parameters": [{"name": name, "required": True} for name in names],
        }
    )


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_file_inside_a_text_loses_one_line_break(end, tmp_path):
    (tmp_path / "k.pub").write_bytes(b"ssh-ed25519 AAAA me@x" + end.encode())
    template = cloud_config_template("#cloud-config\npackages: ['${KEY}', b]\n", "KEY")
    came = typed("process", "-", "-p", f"KEY=@{tmp_path}/k.pub", stdin=template)
    left = "\n" if end == "\n\n" else ""
    assert user_data(came) == f"#cloud-config\npackages: ['ssh-ed25519 AAAA me@x{left}', b]\n"
    assert ("warning" in came.err) == bool(left)


def test_file_as_a_complete_value_is_unchanged(tmp_path):
    (tmp_path / "data").write_bytes(b"#cloud-config\n{}\n")
    came = typed("process", "-", "-p", f"DATA=@{tmp_path}/data", stdin=cloud_config_template("${DATA}", "DATA"))
    assert (user_data(came), came.err) == ("#cloud-config\n{}\n", "")


def test_line_break_of_the_command_line_stays():
    template = cloud_config_template("#!/bin/sh\n${CODE}", "CODE")
    assert user_data(typed("process", "-", "-p", "CODE=a\n", stdin=template)) == "#!/bin/sh\na\n"


def user_data(came):
    return yaml.safe_load(came.out)["spec"]["template"]["spec"]["volumes"][0]["cloudInitNoCloud"]["userData"]


def test_two_keys_for_one_parameter_are_a_warning_about_lines():
    template = cloud_config_template("#cloud-config\nssh_authorized_keys:\n- ${KEY}\n", "KEY")
    came = typed("process", "-", "-p", "KEY=ssh-rsa A a\nssh-rsa B b", stdin=template)
    assert came.status == 0
    assert "one line" in came.err


def test_value_that_is_no_text_is_an_error(folder):
    came = typed("process", "t.yaml", "-p", "PASSWORD=\udcff")  # as Python decodes the byte FF of an argument
    assert (came.status, came.out) == (1, "")
