"""Values inside cloud-init data: what is reported, and that the fix that is named works."""

import json
import re

import pytest
import yaml

from atmpl.cli.ssh_keys import is_public_key
from atmpl.cli.text_values import COMPLETE_TEXT, parameter_kinds
from atmpl.template.cloud_config import OTHER, PASSWORD, PASSWORD_HASH, SSH_KEY
from tests.support.cli_runner import typed

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@x"
RSA = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQCBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGio6SlpqeoqaqrrK2ur7CxsrO0tba3u"
    "Lm6u7y9vr/A b"
)
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR"
    "4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
)
SECURITY_KEY = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4"
    "fAAAABHNzaDo= x y"
)
CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAAAAAAAA="
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
TEXTS = {
    "openshift": lambda vm, parameters: {
        "apiVersion": "template.openshift.io/v1", "kind": "Template", "objects": [vm], "parameters": parameters
    },
    "native": lambda vm, parameters: {
        "apiVersion": "template.kubevirt.io/v1beta1", "kind": "VirtualMachineTemplate",
        "spec": {"virtualMachine": vm, "parameters": parameters},
    },
}  # fmt: skip


def template(text, format="openshift", **parameters):
    """Return a template whose VM has the user data `text`; `parameters` are fields by name."""
    volumes = [{"name": "i", "cloudInitNoCloud": {"userData": text}}]
    vm = {
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"volumes": volumes}}},
    }  # fmt: skip
    return TEXTS[format](vm, [{"name": name, **fields} for name, fields in parameters.items()])


def process(made, *words):
    return typed("process", "-", *words, stdin=json.dumps(made))


def user_data(came):
    return yaml.safe_load(came.out)["spec"]["template"]["spec"]["volumes"][0]["cloudInitNoCloud"]["userData"]


REQUIRED = {"required": True}
GENERATED = {"generate": "expression", "from": "[a-z]{9}"}
WITH_KEY = template("#cloud-config\nssh_authorized_keys:\n- ${KEY}\n", KEY=REQUIRED)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.pub").write_text(f"{KEY}\n")
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "id").write_text(PRIVATE)
    (tmp_path / "two").write_text(f"{KEY}\n{RSA}\n")
    return tmp_path


KINDS = {
    "ssh_authorized_keys: ['${A}', '${B}']": {"A": SSH_KEY, "B": SSH_KEY},
    "users: [{name: a, ssh-authorized-keys: [${A}], passwd: ${B}}]": {"A": SSH_KEY, "B": PASSWORD_HASH},
    'password: "${A}"': {"A": PASSWORD},
    "chpasswd: {list: ['root:${A}']}": {"A": PASSWORD},
    "rh_subscription: {activation_key: ${A}}": {"A": OTHER},
    "runcmd: [echo ${A}]": {},
    "ssh_authorized_keys: &a\n- ${A}\nb: *a": {},
}


@pytest.mark.parametrize("text", KINDS)
def test_parameters_are_known_by_their_places(text):
    made = template(f"#cloud-config\n{text}\n")
    assert parameter_kinds(made["objects"], ["A", "B"]) == KINDS[text]


@pytest.mark.parametrize("text", ["${A}", "${{A}}"])
def test_parameter_can_be_a_complete_text(text):
    assert parameter_kinds(template(text)["objects"], ["A"]) == {"A": COMPLETE_TEXT}


@pytest.mark.parametrize("words", [[], ["--print-params", "-o", "yaml"]])
@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("value", ["@id", "@../{}/id", PRIVATE, PRIVATE.replace("\n", " "), "PuTTY-User-Key-File-3: x"])
def test_private_key_is_refused_and_not_printed(value, format, words, folder):
    made = template("#cloud-config\nssh_authorized_keys:\n- ${KEY}\n", format, KEY=REQUIRED)
    came = process(made, "-p", f"KEY={value.format(folder.name)}", *words)
    assert (came.status, came.out) == (1, "")
    assert "c2VjcmV0" not in came.err
    assert "private SSH key" in came.err


@pytest.mark.parametrize("name", ["MY_SSH_AUTHORIZED_KEY0", "SSH_AUTHORIZED_KEYS", "SSH_PUBLIC_KEY"])
def test_private_key_is_refused_by_name_in_a_text_that_is_not_parsed(name, folder):
    made = template(f"#cloud-config\na: &a 1\nssh_authorized_keys:\n- ${{{name}}}\n", **{name: {}})
    assert process(made, "-p", f"{name}=@id").status == 1


def test_name_of_several_keys_or_of_their_url_takes_any_text():
    made = template("#cloud-config\na: &a 1\nruncmd: ['${SSH_PUBLIC_KEY_URL}']\n", SSH_PUBLIC_KEY_URL={})
    assert process(made, "-p", "SSH_PUBLIC_KEY_URL=https://x").err == ""


GOOD_KEYS = [
    KEY,
    RSA,
    RSA.removesuffix(" b"),
    f"restrict {RSA}",
    f'from="10.0.0.0/8",command="say \\"a b\\"" {KEY}',
    ECDSA,
    SECURITY_KEY,
    CERTIFICATE,
]
BAD_KEYS = {
    "a name": "hello",
    "a path": "/tmp/x/id.pub",
    "a type alone": "ssh-ed25519",
    "a truncated key": KEY[:60],
    "a truncated key with valid base64": KEY[:64],
    "a key without its last field": RSA[:36],
    "a type that is not that of the data": KEY.replace("ssh-ed25519", "ssh-rsa"),
    "an unknown type": KEY.replace("ssh-ed25519", "ssh-ed25520"),
    "another format": "-----BEGIN PUBLIC KEY-----",
    "two keys with a comma": f"{KEY},{RSA}",
    "two keys without comments": f"{KEY.removesuffix(' me@x')},{RSA}",
    "a list": f"[{KEY}, {RSA}]",
    "two lines": f"{KEY}\n{RSA}",
    "options without a key": 'command="ls" hello',
    "an invalid character": KEY.replace("AAAAC3", "AAA!C3"),
}


@pytest.mark.parametrize("key", GOOD_KEYS)
def test_public_key_is_no_warning(key):
    assert process(WITH_KEY, "-p", f"KEY={key}").err == ""


@pytest.mark.parametrize("name", ["my.pub", "key", "~/my.pub", "other.pub"])
def test_name_of_a_file_without_its_at_sign_is_a_warning(name, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    came = process(WITH_KEY, "-p", f"KEY={name}")
    assert came.status == 0
    assert re.search(rf"^warning: .* -p '?KEY=@{name}'?\n\Z", came.err)


@pytest.mark.parametrize("phrase", BAD_KEYS)
def test_value_that_is_no_key_is_a_warning(phrase):
    came = process(WITH_KEY, "-p", f"KEY={BAD_KEYS[phrase]}")
    assert (came.status, came.err.count("warning: ")) == (0, 1)
    assert "quotes" not in came.err


def test_second_key_for_one_parameter_has_a_way():
    for keys in (f"{KEY},{RSA}", f"[{KEY}, {RSA}]", f"{KEY}\n{RSA}"):
        assert "for another key, add a line to the cloud-config" in process(WITH_KEY, "-p", f"KEY={keys}").err


def test_key_in_quotes_of_yaml_is_a_key():
    assert process(WITH_KEY, "-p", f"KEY='{KEY} #1'").err == ""
    made = template('#cloud-config\nssh_authorized_keys: ["${KEY}"]\n', KEY=REQUIRED)
    assert process(made, "-p", f'KEY=from=\\"10.0.0.1\\" {KEY}').err == ""


@pytest.mark.parametrize("value", ["$6$salt$abc", "$y$j9T$salt$abc", "$2b$10$abc", "hunter2", "$ecret"])
def test_clear_password_instead_of_a_hash_is_a_warning(value):
    made = template("#cloud-config\nusers: [{name: a, passwd: ${P}}]\n", P=REQUIRED)
    came = process(made, "-p", f"P={value}")
    assert came.status == 0
    assert came.err.count("warning: ") == (value in ("hunter2", "$ecret"))
    assert value not in came.err


def test_advice_for_a_hash_in_a_params_file_has_no_quotes(folder):
    made = template("#cloud-config\nusers: [{name: a, passwd: '${P}'}]\n", P=REQUIRED)
    (folder / "v").write_text("P=hunter2\n")
    assert process(made, "--params-file", "v").err.endswith("give what openssl passwd -6 prints\n")
    assert process(made, "-p", "P=hunter2").err.endswith("prints, in single quotes\n")


@pytest.mark.parametrize("value", ["~a\0b", "a\0b", "~nobody/x"])
def test_any_text_of_a_params_file_is_a_value(value, folder):
    (folder / "v").write_text(f"DATA={value}\n")
    assert process(template("${DATA}", DATA=REQUIRED), "--params-file", "v").status == 0


def test_large_file_for_a_key_is_not_parsed_as_yaml(folder, monkeypatch):
    monkeypatch.setattr("atmpl.cli.text_values.is_broken_yaml", None)
    (folder / "big").write_text(f"{RSA}\n" * 1000)
    came = process(WITH_KEY, "-p", "KEY=@big")
    assert (came.status, "1000 SSH keys" in came.err) == (0, True)


@pytest.mark.parametrize("quote", ["", '"'])
def test_two_keys_name_the_parameters_for_them(quote, folder):
    text = f"#cloud-config\nssh_authorized_keys:\n- {quote}${{ONE}}{quote}\n- ${{TWO}}\n"
    came = process(template(text, ONE=REQUIRED, TWO=REQUIRED), "-p", "ONE=@two", "-p", "TWO=@key")
    assert came.status == 0
    assert re.search(r"^warning: .*ONE has 2 SSH keys, .*ONE=@FILE.*TWO\n\Z", came.err)


def test_complete_text_that_is_the_name_of_a_file_is_a_warning(folder):
    made = template("${DATA}", DATA=REQUIRED)
    (folder / "data").write_text("#cloud-config\n")
    assert "-p DATA=@data;" in process(made, "-p", "DATA=data").err
    [warning] = process(made, "-p", "DATA=nothing").err.splitlines()
    assert "the parameter DATA does not begin with" in warning
    assert process(made, "-p", "DATA=@data").err == ""


IGNITION = '{"ignition": {"version": "3.5.0"}}'
READ_TEXTS = (
    "#cloud-config\nuser: a", "#!/bin/sh\n", "\n#cloud-config\nuser: a", "## template: jinja\n#cloud-config\n[",
    "Content-Type: multipart/mixed", "X-Mailer: a\nMIME-Version: 1.0\n", "#include\nhttps://a", "#ps1\n", "rem cmd\n",
    "<powershell>", "-----BEGIN CERTIFICATE-----\n", IGNITION, "",
)  # fmt: skip
UNREAD_TEXTS = {  # the text: a part of the warning
    "bob": "does not begin with a line such as #cloud-config",
    "user: bob\npassword: x": "does not begin with a line such as #cloud-config",
    "# cloud-config\nuser: bob": "does not begin with a line such as #cloud-config",
    "# mine\n#cloud-config\nuser: bob": "does not begin with a line such as #cloud-config",
    "#cloud-config\npassword: [x": "is not valid YAML",
    "\n#cloud-config\npassword: [x": "is not valid YAML",
}
FORMS = {"the text": ("${DATA}", str), "the text as JSON": ("${{DATA}}", json.dumps)}


@pytest.mark.parametrize("text", READ_TEXTS)
@pytest.mark.parametrize("form", FORMS)
def test_complete_text_that_cloud_init_reads_is_no_warning(form, text):
    reference, encode = FORMS[form]
    assert process(template(reference, DATA={}), "-p", f"DATA={encode(text)}").err == ""


@pytest.mark.parametrize("text", UNREAD_TEXTS)
@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("form", FORMS)
def test_complete_text_that_cloud_init_ignores_is_a_warning(form, format, text):
    reference, encode = FORMS[form]
    came = process(template(reference, format, DATA=REQUIRED), "-p", f"DATA={encode(text)}")
    assert (came.status, user_data(came)) == (0, text)
    assert re.search(rf"^warning: [^\n]*: the parameter DATA {UNREAD_TEXTS[text]}[^\n]*\n\Z", came.err)


def test_complete_text_in_two_volumes_is_one_warning():
    made = template("${DATA}", DATA=REQUIRED)
    made["objects"][0]["spec"]["template"]["spec"]["volumes"] *= 2
    assert process(made, "-p", "DATA=bob").err.count("warning: ") == 1


def test_complete_text_like_its_default_is_no_warning():
    made = template("${DATA}", DATA={"value": "config system global"})
    assert process(made, "-p", "DATA=config system interface").err == ""
    assert "the parameter DATA is not valid YAML" in process(made, "-p", "DATA=#cloud-config\n[").err


def network_template(source):
    """Return a template whose parameter DATA is the network data."""
    made = template("#cloud-config", DATA={})
    volume = {"name": "i", source: {"networkData": "${DATA}"}}
    made["objects"][0]["spec"]["template"]["spec"]["volumes"] = [volume]
    return made


@pytest.mark.parametrize("source", ["cloudInitNoCloud", "cloudInitConfigDrive"])
def test_network_data_is_yaml_or_json(source):
    for text in ("version: 2\n", '{\n\t"links": []\n}'):
        assert process(network_template(source), "-p", f"DATA={text}").err == ""
    assert "the parameter DATA is not valid YAML" in process(network_template(source), "-p", "DATA={").err


@pytest.mark.parametrize(("line", "is_file"), [("KEY=@my.pub", True), ("KEY=my.pub", True), (f"KEY={KEY}", False)])
def test_params_file_has_no_at_file(line, is_file, folder):
    (folder / "v").write_text(f"{line}\n")
    came = process(WITH_KEY, "--params-file", "v")
    assert came.status == 0
    assert ("-p KEY=@my.pub\n" in came.err) == is_file
    assert ("v, line 1" in came.err) == is_file


def test_at_sign_of_a_params_file_is_one_warning_for_a_password(folder):
    made = template("#cloud-config\npassword: ${P}\n", P={})
    (folder / "v").write_text("P=@key\n")
    assert process(made, "--params-file", "v").err.count("warning: ") == 1


ADVICE = {  # (line of the cloud-config, value): what the advice makes of the value
    ("password: ${P}", "12345"): "'12345'",
    ("password: ${P}", "true"): "'true'",
    ("password: ${P}", "null"): "'null'",
    ("password: ${P}", "2020-01-01"): "'2020-01-01'",
    ("password: ${P}", "a: b"): "'a: b'",
    ("password: ${P}", "a #b"): "'a #b'",
    ("password: ${P}", "@@foo"): "'@foo'",
    ("password: ${P}", "*x"): "'*x'",
    ("password: ${P}", "[a"): "'[a'",
    ("password: ${P}", "it's: x"): "'it''s: x'",
    ("password: '${P}'", "it's"): "it''s",
    ('password: "${P}"', 'a"b\\'): 'a\\"b\\\\',
}
RULES = {"'": "in single quotes", "''": "twice", "\\": "\\ before"}


@pytest.mark.parametrize(("line", "value"), ADVICE)
def test_advice_is_the_one_rule_that_works(line, value):
    made = template(f"#cloud-config\n{line}\n", P=REQUIRED)
    came = process(made, "-p", f"P={value}")
    assert (came.status, came.err.count("warning: ")) == (0, 1)
    written = ADVICE[line, value]
    rules = {sign for sign, rule in RULES.items() if rule in came.err}
    assert rules == {sign for sign in RULES if (sign in written[1:-1] if sign != "'" else written[0] == sign)}
    again = process(made, "-p", f"P={written}")
    assert (again.status, again.err) == (0, "")
    assert yaml.safe_load(user_data(again))["password"] == value.removeprefix("@" if value[:2] == "@@" else "")


def test_quotes_that_are_not_needed_are_a_warning():
    came = process(template("#cloud-config\npassword: ${P}\n", P={}), "-p", "P='hello'")
    assert "leave the quotes out" in came.err


def test_value_inside_a_longer_word_gets_no_advice_about_quotes():
    came = process(template("#cloud-config\nruncmd: [echo ${P}]\n", P={}), "-p", "P=a]")
    assert came.err.count("warning: ") == 1
    assert "quotes" not in came.err


@pytest.mark.parametrize(("fields", "is_generated"), [(GENERATED, True), ({}, False)])
def test_empty_password_is_a_warning_about_no_value(fields, is_generated):
    came = process(template("#cloud-config\npassword: ${P}\n", P=fields), "-p", "P=")
    assert came.status == 0
    assert re.match(r"warning: .* P is empty, .*null", came.err)
    assert ("leave P out" in came.err) == is_generated


@pytest.mark.parametrize("format", TEXTS)
def test_generated_values_are_printed_beside_the_objects(format, tmp_path):
    made = template("#cloud-config\npassword: ${P}\n", format, P=GENERATED)
    for words in ([], ["--output-file", str(tmp_path / "vm.yaml")]):
        came = process(made, *words)
        text = came.out or (tmp_path / "vm.yaml").read_text()
        [value] = re.fullmatch(r"#.*\nP=([a-z]{9})\n", came.err).groups()
        assert f"password: {value}\n" in text
        (tmp_path / "again").write_text(came.err)
        assert (
            user_data(process(made, "--params-file", str(tmp_path / "again"))) == f"#cloud-config\npassword: {value}\n"
        )
    assert process(made, "-p", "P=given").err == ""
    assert process(made, "--print-params").err == ""


def test_empty_value_that_kubevirt_replaces_is_printed():
    came = process(template("#cloud-config\npassword: ${P}\n", "native", P=GENERATED), "-p", "P=")
    [value] = re.fullmatch(r"#.*\nP=([a-z]{9})\n", came.err).groups()
    assert f"password: {value}\n" in user_data(came)


SURROUNDED = {  # (place, default, line of the params file): is it a warning?
    ("cores: ${V}", "", 'V="4"'): True,
    ("cores: ${V}", "", "V='4'"): True,
    ("cores: ${V}", "", "V= 4"): True,
    ("cores: ${V}", "", "V=4\t"): True,
    ("cores: ${V}", "", "V=4"): False,
    ("cores: ${V}", "", 'V="'): False,
    ("cores: ${V}", '"2"', 'V="4"'): False,
    ("cores: ${V}", " 4", "V= 4"): False,
    ("#cloud-config\npassword: ${V}", "", "V='4'"): False,
}


@pytest.mark.parametrize(("text", "default", "line"), SURROUNDED)
def test_quotes_and_spaces_of_a_params_file_are_a_warning(text, default, line, folder):
    (folder / "prod.env").write_text(f"# x\n\n{line}\n")
    came = process(template(text, V={"value": default}), "--params-file", "prod.env")
    assert came.status == 0
    assert came.err.startswith("warning: prod.env, line 3: ") == SURROUNDED[text, default, line]
    assert came.err.count("warning: ") == SURROUNDED[text, default, line]


def test_needless_quotes_of_a_params_file_are_one_warning(folder):
    (folder / "v").write_text("V='hello'\n")
    assert process(template("#cloud-config\npassword: ${V}\n", V={}), "--params-file", "v").err.count("warning: ") == 1


def test_open_quote_before_a_key_takes_no_exponential_time():
    assert not is_public_key('command="' + '\\"' * 200)
    assert is_public_key(f'command="echo \\"a\\"" {KEY}')
