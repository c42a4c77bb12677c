"""`secrets: Extract` in templates: names, references of the text itself, and properties of generated cloud-configs."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atmpl
from atmpl.template import cloud_config
from tests.support.template_vms import a_vm

HEAD = "#cloud-config\n"
GENERATED = "[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}"


@pytest.fixture(params=["openshift", "native"])
def format(request):
    return request.param


def vm_with(*texts, **instance):
    volumes = [{"name": f"v{index}", "cloudInitNoCloud": {"userData": text}} for index, text in enumerate(texts)]
    return a_vm({**instance, "volumes": volumes})


def rendered(vm, format="openshift", **options):
    return atmpl.render(vm, format=format, secrets="Extract", **options)


def parameters(template):
    return {each["name"]: each for each in (template.get("parameters") or template["spec"]["parameters"])}


def instance_of(template):
    vm = template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]
    return vm["spec"]["template"]["spec"]


def text_of(template, index=0):
    return instance_of(template)["volumes"][index]["cloudInitNoCloud"]["userData"]


def test_password_is_generated_and_the_text_stays(format):
    template = rendered(vm_with(HEAD + "user: fedora  # c\npassword: 'old'\n"), format).template
    assert text_of(template) == HEAD + "user: fedora  # c\npassword: '${CLOUD_USER_PASSWORD}'\n"
    parameter = parameters(template)["CLOUD_USER_PASSWORD"]
    assert (parameter["generate"], parameter["from"]) == ("expression", GENERATED)
    assert parameter["displayName"] == "Password of fedora"
    assert "value" not in parameter
    assert "old" not in json.dumps(template)


def test_names_follow_the_path_in_the_text(format):
    text = HEAD + (
        "users:\n- name: a\n  passwd: h\n  ssh-authorized-keys: [k]\nssh_authorized_keys: [l]\n"
        "chpasswd:\n  list: |\n    root:R\n    b:x\n"
    )
    template = rendered(vm_with("#!/bin/sh\n", text), format).template
    assert list(parameters(template))[:-1] == [
        "VOLUME0_USER_DATA",
        "VOLUME1_USER_DATA_USER0_PASSWD",
        "VOLUME1_USER_DATA_USER0_SSH_AUTHORIZED_KEY0",
        "VOLUME1_USER_DATA_SSH_AUTHORIZED_KEY0",
        "VOLUME1_USER_DATA_CHPASSWD_LIST1",
    ]
    required = [name for name, each in parameters(template).items() if each.get("required")]
    assert len(required) == 4


def test_equal_names_get_digits(format):
    template = rendered(vm_with(HEAD + "password: a\n", HEAD + "password: b\n", cloudUserPassword="x"), format).template
    names = [name for name in parameters(template) if name.startswith("CLOUD_USER_PASSWORD")]
    assert names[0] == "CLOUD_USER_PASSWORD"  # the leaf of the instance
    assert len(names) == 3
    assert all(len(name) == len("CLOUD_USER_PASSWORD_") + 8 for name in names[1:])


def test_description_says_if_cloud_init_ignores_the_password(format):
    text = HEAD + "password: a\nchpasswd: {list: ['b:c']}\n"
    found = parameters(rendered(vm_with(text), format).template)["CLOUD_USER_PASSWORD"]
    assert "chpasswd" in found["description"]


SHOWN = {  # display names, by the text
    "password: a\n": ["Password of the default user"],
    "password: a\nuser: {name: fedora}\n": ["Password of fedora"],
    "password: $6$a$b\nuser: fedora\n": ["Password hash of fedora"],
    "ssh_authorized_keys: [a, b]\n": ["SSH public key of the default user", "SSH public key 2 of the default user"],
    "users: [{name: ops, passwd: h, ssh_authorized_keys: k}]\n": ["Password hash of ops", "SSH public key of ops"],
    "users: {ops: {plain_text_passwd: x}}\n": ["Password of ops"],
    "users: [{passwd: h}, {name: 'a b', passwd: h}]\n": ["User 0 passwd", "User 1 passwd"],
    "chpasswd: {list: ['root:x'], users: [{name: ops, password: h}]}\n": ["Password of root", "Password hash of ops"],
    "user: {passwd: h}\n": ["Password hash of the default user"],
    "rh_subscription: {activation_key: x}\n": ["Rh subscription activation key"],
}


@pytest.mark.parametrize("text", SHOWN)
def test_display_names_say_what_to_enter(text, format):
    template = rendered(vm_with(HEAD + text), format).template
    assert [each["displayName"] for each in parameters(template).values()][:-1] == SHOWN[text]


def test_descriptions_and_message_say_what_to_set(format):
    text = HEAD + "password: a\nusers: [{name: b, passwd: h}]\nssh_authorized_keys: [k, l]\n"
    result = rendered(vm_with(text), format)
    template, found = result.template, parameters(result.template)
    hints = {"CLOUD_USER_PASSWORD": "letters", "VOLUME0_USER_DATA_USER0_PASSWD": "openssl passwd -6"}
    hints |= {f"VOLUME0_USER_DATA_SSH_AUTHORIZED_KEY{index}": "one line" for index in range(2)}
    assert {name: hint in found[name]["description"] for name, hint in hints.items()} == dict.fromkeys(hints, True)
    message = template.get("message") or template["spec"]["message"]
    assert [name for name in hints if name not in message] == []
    path = "spec.template.spec.volumes[0].cloudInitNoCloud.userData: "
    assert [(each.name, each.path, each.generated) for each in result.secrets] == [
        ("CLOUD_USER_PASSWORD", path + "password", True),
        ("VOLUME0_USER_DATA_USER0_PASSWD", path + "users[0].passwd", False),
        ("VOLUME0_USER_DATA_SSH_AUTHORIZED_KEY0", path + "ssh_authorized_keys[0]", False),
        ("VOLUME0_USER_DATA_SSH_AUTHORIZED_KEY1", path + "ssh_authorized_keys[1]", False),
    ]


def test_secret_that_is_required_as_a_whole_is_listed(format):
    (secret,) = rendered(vm_with("#!/bin/sh\n"), format).secrets
    assert (secret.name, secret.generated) == ("VOLUME0_USER_DATA", False)
    assert secret.path == "spec.template.spec.volumes[0].cloudInitNoCloud.userData"


def test_message_lists_at_most_ten_parameters(format):
    template = rendered(vm_with(HEAD + f"ssh_authorized_keys: [{', '.join('abcdefghijkl')}]\n"), format).template
    message = template.get("message") or template["spec"]["message"]
    assert ("KEY9" in message, "KEY10" in message, "2 more" in message) == (True, False, True)


def test_own_references_are_carried_by_literals(format):
    text = HEAD + "password: x\nruncmd:\n- echo ${HOME} ${HOME} ${HOSTNAME} ${{X}} $$\n"
    template = rendered(vm_with(text, hostname="h"), format).template
    found = parameters(template)
    assert [found[name]["value"] for name in ("LITERAL0", "LITERAL1")] == ["${HOME}", "${HOSTNAME}"]
    assert "echo ${LITERAL0} ${LITERAL0} ${LITERAL1} ${{X}} $$" in text_of(template)
    (vm,) = atmpl.process(template, {"CLOUD_USER_PASSWORD": "x"})
    assert vm["spec"]["template"]["spec"]["volumes"][0]["cloudInitNoCloud"]["userData"] == text


WHOLE = {
    "its own parameter": HEAD + "password: x\n# ${CLOUD_USER_PASSWORD}\n",
    "a literal": HEAD + "password: x\n# ${LITERAL0}\n",
    "a secret that is a reference": HEAD + "password: ${CLOUD_USER_PASSWORD}\n",
    "an alias": HEAD + "a: &x y\nb: *x\npassword: z\n",
}


@pytest.mark.parametrize("phrase", WHOLE)
def test_text_is_required_if_it_cannot_come_back(phrase, format):
    template = rendered(vm_with(WHOLE[phrase]), format).template
    found = parameters(template)
    assert list(found) == ["VOLUME0_USER_DATA", "LABELS"]
    assert found["VOLUME0_USER_DATA"]["required"] is True
    assert text_of(template) == "${VOLUME0_USER_DATA}"


def test_text_is_required_if_the_console_would_break_it():
    text = HEAD + "password: x\n# ${DESCRIPTION}\n"
    template = rendered(vm_with(text, description='a "quote"')).template
    assert parameters(template)["VOLUME0_USER_DATA"]["required"] is True


def test_other_secrets_are_required_as_a_whole(format):
    encoded = base64.b64encode(b"#cloud-config\npassword: x\n").decode()
    wifi = "wifis: {w: {access-points: {a: {password: x}}}}\n"
    source = {"userDataBase64": encoded, "networkData": wifi}
    vm = a_vm({"volumes": [{"name": "a", "cloudInitNoCloud": source}]})
    vm["spec"]["template"]["metadata"] = {"annotations": {"kubevirt.io/ignitiondata": "{}"}}
    result = rendered(vm, format)
    required = {name for name, each in parameters(result.template).items() if each.get("required")}
    assert required == {"VOLUME0_USER_DATA_BASE64", "VOLUME0_NETWORK_DATA", "IGNITION_DATA"}
    assert result.warnings == ()


def test_text_without_secrets_is_an_ordinary_leaf(format):
    result = rendered(vm_with(HEAD + "packages: [a]\n"), format)
    assert parameters(result.template)["VOLUME0_USER_DATA"]["value"] == HEAD + "packages: [a]\n"
    assert result.warnings == ()
    assert text_of(rendered(vm_with(HEAD + "locale: C\n"), format, profile="None").template) == HEAD + "locale: C\n"


def test_texts_beyond_the_budget_are_required_as_a_whole(format):
    text = HEAD + "password: x\n#" + "x" * 1300 + "\n"
    found = parameters(rendered(vm_with(*[text] * 6), format).template)
    assert sum(name.startswith("CLOUD_USER_PASSWORD") for name in found) == 3
    required = [name for name, each in found.items() if each.get("required")]
    assert required == [f"VOLUME{number}_USER_DATA" for number in range(3, 6)]


def test_many_texts_are_parsed_within_the_budget(monkeypatch):
    parsed, parse = [], cloud_config.yaml.parse
    monkeypatch.setattr(cloud_config.yaml, "parse", lambda text, **more: parsed.append(text) or parse(text, **more))
    dhcp = "dhcp4: true\n#" + "x" * 4000
    volumes = [{"name": f"v{index}", "cloudInitNoCloud": {"networkData": dhcp}} for index in range(50)]
    for secrets in ("Preserve", "Extract"):
        atmpl.render(a_vm({"volumes": volumes}), secrets=secrets)
    assert 0 < sum(map(len, parsed)) <= 3 * cloud_config.MAX_BYTES


def test_warning_names_the_keys_that_may_hold_more(format):
    (warning,) = rendered(vm_with(HEAD + "password: x\nruncmd: [a]\nwrite_files: []\n"), format).warnings
    assert warning.reason == "InlineSecret"
    assert "runcmd, write_files" in warning.message
    assert warning.path == "spec.template.spec.volumes[0].cloudInitNoCloud.userData"


# Properties

SECRET_TEXT = st.text("abc1Z é\U0001f600$-", min_size=4, max_size=8).map(lambda text: f"s{text}e")
WORDS = [
    "${HOME}",
    "${{X}}",
    "${HOSTNAME}",
    "${LITERAL0}",
    "${VOLUME0_IMAGE}",
    "${CLOUD_USER_PASSWORD}",
    "é",
    "\U0001f600",
]
FILLER = st.lists(
    st.one_of(
        st.sampled_from(WORDS).map(lambda word: f"# {word}\n"),
        st.sampled_from(
            ["package_update: true\n", "locale: C\n", "\n", "runcmd: [a, '${HOME} b']\n", "timezone: UTC\n"]
        ),
    ),
    max_size=4,
    unique=True,
)


def quoted(value):
    return st.sampled_from([value, f"'{value}'", f'"{value}"'])


PARTS = SECRET_TEXT.flatmap(
    lambda value: quoted(value).flatmap(
        lambda text: st.sampled_from(
            [
                f"password: {text}\n",
                f"users:\n- name: a\n  passwd: {text}  # c\n",
                f"users: [default, {{name: b, plain-text-passwd: {text}}}]\n",
                f"ssh_authorized_keys:\n  - {text}\n",
                f"chpasswd:\n  list: |\n    root:{value}\n    b:R\n  expire: false\n",
                f"rh_subscription: {{username: u, password: {text}}}\n",
            ]
        ).map(lambda part: (part, value))
    )
)


@st.composite
def configs(draw):
    """Return a cloud-config and the secrets in it."""
    parts = draw(st.lists(PARTS, max_size=3, unique_by=lambda part: part[0].partition(":")[0]))
    filler = draw(FILLER)
    pieces = draw(st.permutations([part for part, _ in parts] + filler))
    text = HEAD + "".join(pieces)
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text, [value for _, value in parts]


@given(config=configs(), format=st.sampled_from(["openshift", "native"]), profile=st.sampled_from(["All", "None"]))
def test_text_comes_back_and_no_secret_stays(config, format, profile):
    text, secrets = config
    vm = vm_with(text, hostname="h")
    template = rendered(vm, format, profile=profile).template
    readable = json.dumps(template, ensure_ascii=False)
    assert not any(secret in readable for secret in secrets)
    found = parameters(template)
    if "VOLUME0_USER_DATA" in found:
        return  # required as a whole, or without secrets
    parsed = cloud_config.parse_cloud_config(text)
    own = [name for name, each in found.items() if "value" not in each]
    values = dict(zip(own, [text[each.start : each.end] for each in parsed.secrets], strict=True))
    (processed,) = atmpl.process(template, values)
    assert processed["spec"]["template"]["spec"]["volumes"] == vm["spec"]["template"]["spec"]["volumes"]


@given(config=configs(), format=st.sampled_from(["openshift", "native"]))
def test_another_key_renames_no_parameter(config, format):
    text, _ = config
    more = text + ("" if text.endswith("\n") else "\n") + "keyboard: {layout: de}\n"
    before, after = (parameters(rendered(vm_with(each), format).template) for each in (text, more))
    if ("VOLUME0_USER_DATA" in before) == ("VOLUME0_USER_DATA" in after):
        assert list(before) == list(after)


@given(text=st.one_of(st.text(max_size=60), st.text("#cloud-config\n:-[]{}'\"|>&*! a$", max_size=80)))
def test_no_text_raises(text):
    for each in (text, HEAD + text):
        cloud_config.parse_cloud_config(each)
        cloud_config.is_readable_network_data(each)
        rendered(vm_with(each))
