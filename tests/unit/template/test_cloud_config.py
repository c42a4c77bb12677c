"""`secrets: Extract`: which texts are handled, what is taken out of them, and what stays suspicious."""

import pytest

from atmpl.template.cloud_config import GENERATED, is_readable_network_data, parse_cloud_config

HEAD = "#cloud-config\n"
HASH = "$6$rounds=4096$salt$abc"
G, R = GENERATED, ""  # generated, required

SECRETS = {  # text below the header: (path, value, generator) of each secret
    "a password": ("password: abc\n", [("password", "abc", G)]),
    "a hash as the password": (f"password: {HASH}\n", [("password", HASH, R)]),
    "a quoted password": ("password: 'a''b'\n", [("password", "a''b", G)]),
    "a password with escapes": ('password: "a\\"b"  # c\n', [("password", 'a\\"b', G)]),
    "a number": ("password: 12345\n", [("password", "12345", G)]),
    "flow style": ("{password: abc, user: x}\n", [("password", "abc", G)]),
    "the last line without an end": ("password: abc", [("password", "abc", G)]),
    "CRLF": ("user: x\r\npassword: abc\r\nlocale: C\r\n", [("password", "abc", G)]),
    "beyond the BMP": ("# \U0001f600\npassword: \U0001f600x\n", [("password", "\U0001f600x", G)]),
    "a header with spaces": ("password: abc\n", [("password", "abc", G)]),
    "no password": ("password:\n", []),
    "null": ("password: ~\n", []),
    "an empty password": ("password: ''\n", []),
    "a locked account": ("users: [{name: a, passwd: '!*'}]\n", []),
    "nothing": ("", []),
    "only a comment": ("# password: x\n", []),
    "users": (
        "users:\n- default\n- name: a\n  passwd: h\n  hashed-passwd: i\n  plain-text-passwd: j\n",
        [("users[1].passwd", "h", R), ("users[1].hashed_passwd", "i", R), ("users[1].plain_text_passwd", "j", G)],
    ),
    "users by name": ("users:\n  a: {passwd: h}\n  b:\n", [("users.a.passwd", "h", R)]),
    "the user": ("user: {name: a, passwd: h}\n", [("user.passwd", "h", R)]),
    "keys": (
        "ssh_authorized_keys:\n- ssh-rsa A\n- ssh-rsa B\n",
        [("ssh_authorized_keys[0]", "ssh-rsa A", R), ("ssh_authorized_keys[1]", "ssh-rsa B", R)],
    ),
    "one key": ("ssh-authorized-keys: ssh-rsa A\n", [("ssh_authorized_keys", "ssh-rsa A", R)]),
    "keys by name": ("ssh_authorized_keys: {a: ssh-rsa A}\n", [("ssh_authorized_keys.a", "ssh-rsa A", R)]),
    "keys of a user": (
        "users: [{name: a, ssh_authorized_keys: [ssh-rsa A]}]\n",
        [("users[0].ssh_authorized_keys[0]", "ssh-rsa A", R)],
    ),
    "chpasswd users": (
        (
            "chpasswd:\n  users:\n  - {name: a, password: x, type: text}\n  - {name: b, password: y}\n"
            "  - {name: c, password: z, type: hash}\n"
        ),
        [
            ("chpasswd.users[0].password", "x", G),
            ("chpasswd.users[1].password", "y", R),
            ("chpasswd.users[2].password", "z", R),
        ],
    ),
    "a chpasswd list": (
        f"chpasswd:\n  list: |\n    a:x\n    b:R\n    c:{HASH}\n    d:x:y z \n    e:\n  expire: false\n",
        [("chpasswd.list[0]", "x", G), ("chpasswd.list[2]", HASH, R), ("chpasswd.list[3]", "x:y z ", G)],
    ),
    "a chpasswd list that keeps lines": ("chpasswd:\n  list: |+\n    a:x\n\n", [("chpasswd.list[0]", "x", G)]),
    "a chpasswd list with CRLF": (
        "chpasswd:\r\n  list: |\r\n    a:x\r\n    b:y\r\n",
        [("chpasswd.list[0]", "x", G), ("chpasswd.list[1]", "y", G)],
    ),
    "a chpasswd list of items": (
        "chpasswd: {list: [a:x, 'b:RANDOM', \"c:z\"]}\n",
        [("chpasswd.list[0]", "x", G), ("chpasswd.list[2]", "z", G)],
    ),
    "a chpasswd list of one line": ("chpasswd: {list: a:x}\n", [("chpasswd.list[0]", "x", G)]),
    "subscriptions": (
        (
            "rh_subscription: {username: u, password: p, activation-key: k}\nubuntu_pro: {token: t}\n"
            "landscape: {client: {registration_key: l}}\nreporting: {x: {type: webhook, token_key: r}, y: 5}\n"
        ),
        [
            ("rh_subscription.password", "p", R),
            ("rh_subscription.activation_key", "k", R),
            ("ubuntu_pro.token", "t", R),
            ("landscape.client.registration_key", "l", R),
            ("reporting.x.token_key", "r", R),
        ],
    ),
    "empty private keys": ("ssh_keys: {rsa_private: '', rsa_public: a}\nchef:\n", []),
}


def written(path):
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)[1:]


@pytest.mark.parametrize("phrase", SECRETS)
def test_secrets_are_found(phrase):
    text, expected = SECRETS[phrase]
    text = HEAD + text
    config = parse_cloud_config(text)
    found = [(written(each.path), text[each.start : each.end], each.generated) for each in config.secrets]
    assert found == expected


WHOLE = {
    "a script": "#!/bin/sh\n",
    "no header": "password: x\n",
    "a multipart header": "#cloud-config-archive\n- a\n",
    "too long": HEAD + "password: x\n#" + "x" * 4096,
    "a list": HEAD + "- password: x\n",
    "two documents": HEAD + "a: 1\n---\npassword: x\n",
    "an anchor": HEAD + "a: &x 1\npassword: y\n",
    "an alias": HEAD + "a: &x 1\npassword: *x\n",
    "a tag": HEAD + "password: !!str 5\n",
    "a merge key": HEAD + "<<: {password: x}\n",
    "a key twice": HEAD + "password: x\npassword: y\n",
    "two spellings of a key": HEAD + "users: [{name: a, plain_text_passwd: x, plain-text-passwd: y}]\n",
    "no YAML": HEAD + "password: [\n",
    "a date that does not exist": HEAD + "a: 2026-02-31\npassword: x\n",
    "51 levels": HEAD + "a: " + "[" * 50 + "]" * 50 + "\npassword: x\n",
    "a carriage return": HEAD + "password: x\ra: b\n",
    "NEL": HEAD + "password: x\x85\n",
    "a line separator": HEAD + "password: x\u2028\n",
    "a folded password": HEAD + "password: >\n  x\n",
    "a password of two lines": HEAD + "password: a\n  b\n",
    "a quoted password of two lines": HEAD + "password: 'a\n  b'\n",
    "a password that is a list": HEAD + "password: [x]\n",
    "a list entry without a colon": HEAD + "chpasswd: {list: [abc]}\n",
    "a list entry that is a mapping": HEAD + "chpasswd:\n  list:\n  - a: x\n",
    "a list entry with a comment": HEAD + "chpasswd:\n  list: |\n    # a:x\n    b:y\n",
    "an indented list entry": HEAD + "chpasswd:\n  list: |\n    a:x\n     b:y\n",
    "a blank line in a list": HEAD + "chpasswd:\n  list: |\n    a:x\n\n    b:y\n",
    "a list with an indentation indicator": HEAD + "chpasswd:\n  list: |2\n    a:x\n",
    "a folded list": HEAD + "chpasswd:\n  list: >\n    a:x\n",
    "two entries in quotes": HEAD + 'chpasswd:\n  list: "a:x\\nb:y"\n',
    "chpasswd as text": HEAD + "chpasswd: a:x\n",
    "users as text": HEAD + "users: a\n",
    "a private key of the host": HEAD + "ssh_keys:\n  rsa_private: x\n",
    "a private key of salt": HEAD + "salt_minion: {private_key: x}\n",
    "a private certificate": HEAD + "mcollective: {conf: {private-cert: x}}\n",
    "a tunnel": HEAD + "wireguard: {interfaces: [{name: wg0, content: x}]}\n",
}


@pytest.mark.parametrize("phrase", WHOLE)
def test_other_text_is_required_as_a_whole(phrase):
    assert parse_cloud_config(WHOLE[phrase]) is None


def test_50_levels_are_handled():
    assert parse_cloud_config(HEAD + "a: " + "[" * 49 + "]" * 49 + "\npassword: x\n").secrets


SUSPICIOUS = {  # the readable text below the header: keys; None if nothing is suspicious
    "nothing": ("user: a\npackages: [b]\n", None),
    "references": ("password: ${P}\nchpasswd: {list: 'a:${Q}', expire: false}\n", None),
    "an unknown key": ("runcmd: [a]\n", ("runcmd",)),
    "two unknown keys": ("write_files: []\nruncmd: [a]\n", ("write_files", "runcmd")),
    "imported keys": ("ssh_import_id: [a]\n", ("ssh_import_id",)),
    "imported keys of a user": ("users: [{name: a, ssh_import_id: [gh:a]}]\n", ("ssh_import_id",)),
    "a comment": ("user: a\n#password: old\n", ()),
    "a wrong key": ("users: [{name: a}]\ngroups:\n- a:\n    passwd: x\n", ()),
    "a list": ("packages: ['username=u,password=p']\n", ()),
    "a URL": ("ntp: {servers: ['http://user:pw@host/']}\n", ()),
    "a token": ("final_message: 'api_token = abc'\n", ()),
    "a private key": ("final_message: 'private key: abc'\n", ()),
    "flags": ("users: [{name: a, lock_passwd: false}]\nssh_pwauth: true\nchpasswd: {expire: False}\n", None),
    "an empty value": ("#password:\nuser: a\n", None),
    "a boolean": ("#password: true\nuser: a\n", None),
    "a collection": ("#passwords: [a]\nuser: a\n", None),
}


@pytest.mark.parametrize("phrase", SUSPICIOUS)
def test_suspicious_text_is_reported(phrase):
    text, expected = SUSPICIOUS[phrase]
    config = parse_cloud_config(HEAD + text)
    assert config.suspicious(config.text) == expected


NETWORK = {
    "version 2": ("version: 2\nethernets: {e: {dhcp4: true}}\n", True),
    "version 1": ("version: 1\nconfig: [{type: physical, name: eth0}]\n", True),
    "a password": ("wifis: {w: {access-points: {a: {password: x}}}}\n", False),
    "keys in a list": ("tunnels: [{keys: {private: x}}]\n", False),
    "an authentication": ("ethernets: {e: {auth: {method: x}}}\n", False),
    "a client's key": ("a: {client-key: x}\n", False),
    "a list": ("- a\n", False),
    "nothing": ("# nothing\n", False),
    "an anchor": ("a: &x 1\n", False),
    "too long": ("a: b\n#" + "x" * 4096, False),
    "no YAML": ("[", False),
    "a number": (5, False),
}


@pytest.mark.parametrize("phrase", NETWORK)
def test_network_data_stays_readable_without_secrets(phrase):
    text, expected = NETWORK[phrase]
    assert is_readable_network_data(text) is expected
