"""Values inside the cloud-init data of a template: what cloud-init reads, and what to write if that is not the value.

cloud-init parses a cloud-config as YAML after the values are in it. So `0123` is the number 83 there, and `a: b` or a
quote changes the structure of the text. What a parameter stands for, such as an SSH key, is known from its place.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from atmpl.cli.manifests import STDIN, display_name, field_at
from atmpl.cli.ssh_keys import count_keys, is_public_key
from atmpl.template.cloud_config import (
    KEY_LISTS,
    PASSWORD,
    PASSWORD_HASH,
    SSH_KEY,
    is_broken_yaml,
    is_cloud_config,
    is_in_limits,
    load_yaml,
    parse_cloud_config,
)
from atmpl.template.parameters import Parameter
from atmpl.template.references import is_json
from atmpl.template.rules import IGNITION
from atmpl.template.substitution import STRING_REF, TYPED_REF

MAX_CHECKED_VALUES = 20  # in one cloud-config, because each takes two readings of the text
HASH_ADVICE = "give what openssl passwd -6 prints"
SECOND_KEY_ADVICE = (
    "add a line to the cloud-config that atmpl process prints, before kubectl create; or make the template from a "
    "virtual machine with two keys"
)
MIME_BYTES = 4096  # of user data, in which cloud-init looks for a MIME header
COMPLETE_TEXT = "text"  # kind of a parameter that is a complete text, in addition to those of cloud_config.py

_LITERAL = re.compile(r"LITERAL[0-9]+")
_MARKER = "zqvalue"  # a plain word for YAML, in no cloud-config
_KEY_NAME = re.compile(r"SSH_(AUTHORIZED|PUBLIC)_KEY(?P<is_one>\d*\Z)?")
_HASH = re.compile(  # of crypt(5), the last two DES and BSDi; or of a locked account. Quotes are YAML's
    r"""\s*['"]?(\$\w+\$.|[!*]|([./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19})['"]?\s*\Z)"""
)
_USER_DATA_START = re.compile(  # in lower case: of cloud-init, of cloudbase-init, of Ignition
    r"#!|#cloud-(config|boothook)|#include|#part-handler|#upstart-job|## template: jinja"
    r"|#ps1|<|rem cmd\s|-----begin certificate-----|content-type: multipart"
    r"|\{"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|PuTTY-User-Key-File-")
_OTHER_KEY = re.compile(r"---- ?-?BEGIN [A-Z0-9 ]*PUBLIC KEY")  # RFC 4716, PEM
_READINGS = (  # the type of what cloud-init reads: how to say it
    (type(None), "cloud-init reads no value (null)"),
    (bool, "cloud-init reads it as true or false, not as text"),
    (int | float, "cloud-init reads it as a number, not as text"),
    (dict | list, "cloud-init reads it as a collection, not as text"),
    (str, "cloud-init reads another text"),
)


class Value(NamedTuple):
    """A value for a parameter, and its place for messages: `small.env, line 3`, empty for the command line."""

    text: str
    where: str
    file: str = ""  # the file whose content it is, which usually ends in a line break
    is_file_name: bool = False  # a file of that name exists, perhaps of that name without its @

    @property
    def path(self) -> str:
        """Return the name of a file that the text can be; a params file has no @FILE, so @ is dropped there."""
        return self.text.strip().removeprefix("@" if self.where else "")

    def with_file_name(self) -> "Value":
        """Return the value with `is_file_name`, which reads the file system."""
        return self._replace(is_file_name=not self.file and _is_file(self.path))


class AlteredValue(NamedTuple):
    """A value that cloud-init does not read as the same string, or cannot use."""

    name: str
    problem: str  # and its fix
    is_refused: bool  # by `instantiate`: it breaks the whole text, or a secret would not be the one that was given


@dataclass(frozen=True)
class _Place:
    """The place of one parameter in a cloud-config, with the values of the others."""

    text: str
    name: str
    values: Mapping[str, str]

    @cached_property
    def marked(self) -> str:
        """The text with a plain word instead of the value."""
        return self.filled(_MARKER)

    @cached_property
    def expected(self) -> Any:
        """What cloud-init reads of `marked`. Raises ValueError if it cannot be read."""
        return load_yaml(self.marked)

    def filled(self, value: str) -> str:
        """Return the text with `value`. Other parameters have a plain word, so that their values change nothing."""
        filled = {each: self.values[each] if _LITERAL.fullmatch(each) else each for each in self.values}
        filled[self.name] = value
        return STRING_REF.sub(lambda part: filled.get(part[1], part[0]), self.text)

    def arrives(self, value: str, meant: str) -> bool:
        """Return True if cloud-init reads `meant` if `value` is written, or if that cannot be checked.

        With a plain word instead of the value, the text must have the same structure.
        """
        final = self.filled(value)
        if not is_in_limits(self.marked) or not is_in_limits(final):
            return True
        try:
            expected = self.expected
        except ValueError:
            return True
        try:
            return _same(_replace(expected, meant), load_yaml(final))
        except ValueError:
            return False

    def takes(self, value: str, kind: str | None) -> bool:
        """Return True if cloud-init reads public keys, or the hash without YAML's quotes and the spaces around it."""
        if kind not in (SSH_KEY, PASSWORD_HASH) or not is_in_limits(final := self.filled(value)):
            return False
        stripped = value.strip()
        meant = {value, stripped, _unquoted(stripped) or stripped}

        def is_usable(text: str) -> bool:
            if kind == SSH_KEY:
                return is_public_key(text) and count_keys(text) == 1
            return text in meant and bool(_HASH.match(text))

        try:
            return _has_secrets(self.expected, load_yaml(final), is_usable, meant)
        except ValueError:
            return False

    def takes_number(self, value: str) -> bool:
        """Return True if `value` is a number that is the password of the default user: cc_set_passwords calls str()."""
        try:
            expected, read = self.expected, load_yaml(self.filled(value))
        except ValueError:
            return False
        number = field_at(read, "password")
        return (
            type(number) is int
            and str(number) == value
            and _same(_replace(expected, value), read | {"password": value})
        )

    def is_broken_by(self, value: str) -> bool:
        """Return True if cloud-init cannot read the text with `value`."""
        text = self.filled(value)
        return is_in_limits(text) and is_broken_yaml(text)

    def is_escaped(self, value: str) -> bool:
        """Return True if `value` has quotes or escapes of YAML for a text that would not arrive without them."""
        return any(self.arrives(value, meant) and not self.arrives(meant, meant) for meant in _meanings(value))

    def reading(self, value: str) -> str:
        """Return a clause about what cloud-init reads instead of `value`."""
        try:
            read = _at_marker(self.expected, load_yaml(self.filled(value)))
        except ValueError:  # an anchor, a tag
            read = ""
        return next(
            (clause for kind, clause in _READINGS if isinstance(read, kind)), "cloud-init does not read it as text"
        )

    def fix(self, value: str, given: Value | None) -> str:
        """Return what to write instead of `value`: the one rule of YAML that applies here."""
        doubled = value.replace("'", "''")
        rules = {
            f"'{doubled}'": "in single quotes" + (", with each ' in it twice" if "'" in value else ""),
            doubled: "with each ' twice",
            re.sub(r'(["\\])', r"\\\1", value): 'with a \\ before each " and \\',
        }
        rule = next((rule for text, rule in rules.items() if text != value and self.arrives(text, value)), None)
        if rule is None:
            return "choose a value of letters, digits, - and ."
        if not rule.startswith("in"):
            return f"write it {rule}"
        if given and given.file:
            return f"write it {rule} into {display_name(given.file)}"
        in_params_file = bool(given and given.where)
        advice = f"write it {rule}: " + (f"{self.name}='VALUE'" if in_params_file else f"-p \"{self.name}='VALUE'\"")
        if value.startswith("@"):
            advice += "; a --params-file has no @FILE" if in_params_file else "; with the quotes, @ is not doubled"
        if (inner := _unquoted(value)) is not None and self.arrives(inner, inner):
            return f"leave the quotes out; if they are a part of the value, {advice}"
        return advice


def parameter_kinds(objects: Iterable[Any], names: Iterable[str]) -> dict[str, str]:
    """Return what the parameters in the cloud-init data of a template are: COMPLETE_TEXT or a kind of cloud_config.py.

    `objects` are the template's, `names` those of its parameters. A parameter that is known for neither is left out.
    """
    named = {name: SSH_KEY for name in names if (match := _KEY_NAME.search(name)) and match["is_one"] is not None}
    return named | _kinds_by_place(objects)


def _kinds_by_place(objects: Iterable[Any]) -> dict[str, str]:
    kinds = {}
    for vm in objects:
        for text in _cloud_init_data(vm):
            if whole := STRING_REF.fullmatch(text) or TYPED_REF.match(text):
                kinds[whole[1]] = COMPLETE_TEXT
                continue
            known = set(STRING_REF.findall(text))
            config = parse_cloud_config(STRING_REF.sub(lambda part: part[1], text)) if known else None
            if config is None:
                continue
            for secret in config.secrets:
                if (name := config.text[secret.start : secret.end]) in known:
                    kinds[name] = secret.kind
    return kinds


def names_in_cloud_configs(objects: Iterable[Any]) -> set[str]:
    """Return the names of all parameters in cloud-configs of a template, where quotes can be YAML's."""
    return {name for each in objects for text in _cloud_configs(each) for name in STRING_REF.findall(text)}


def private_keys(kinds: Mapping[str, str], given: Mapping[str, Value]) -> Iterator[str]:
    """Yield a sentence, without the value, for each private key that is given for an SSH public key."""
    for name, value in given.items():
        if (kinds.get(name) == SSH_KEY or _KEY_NAME.search(name)) and _PRIVATE_KEY.search(value.text):
            is_named = value.file not in ("", STDIN)
            public = f"{value.file}.pub" if is_named and not value.file.endswith(".pub") else "FILE"
            yield (
                f"the parameter {name}: {value.file if is_named else 'the value'} is a private SSH key, which must "
                f"stay secret; give the public key: -p {shlex.quote(f'{name}=@{public}')}"
            )


def forgotten_files(kinds: Mapping[str, str], given: Mapping[str, Value]) -> dict[str, str]:
    """Return a sentence, by parameter, for each secret but SSH keys that is probably the name of a file without its @.

    In a params file, a value that begins with @ is literal.
    """
    sentences = {}
    for name, value in given.items():
        kind = kinds.get(name)
        in_params_file = bool(value.where) and value.text.startswith("@")
        if kind == SSH_KEY or value.file or not (in_params_file or kind):
            continue
        if value.is_file_name:
            advice = "if the name itself is the value, write it into a file, and give that"
            sentences[name] = f"the parameter {name} is {_explain_file_name(name, value.path, value)}; {advice}"
    return sentences


def altered_values(
    objects: Iterable[Any],
    declared: Sequence[Parameter],
    values: Mapping[str, str],
    given: Mapping[str, Value],
) -> Iterator[AlteredValue]:
    """Yield each value inside a cloud-config that cloud-init does not read as the same string, or not as a key.

    `values` override the defaults of the parameters `declared`; `given` are those of the user.
    """
    objects = list(objects)
    defaults = {each.name: each.value for each in declared}
    effective = defaults | dict(values)
    kinds = _kinds_by_place(objects)
    keys = [each.name for each in declared if kinds.get(each.name) == SSH_KEY]
    expressions = {each.name: each.from_ for each in declared if each.generate}
    for text in (text for each in objects for text in _cloud_configs(each)):
        names = [name for name in dict.fromkeys(STRING_REF.findall(text)) if name in effective]
        checked = [name for name in names if not _LITERAL.fullmatch(name)]
        for name in checked:
            place, value, kind = _Place(text, name, effective), effective[name], kinds.get(name)
            is_generated = name in expressions and name in values and (name not in given or given[name].text != value)
            problem = _explain_secret(name, kind, given[name], keys) if name in given else ""
            if value or name not in given or kind not in (PASSWORD, PASSWORD_HASH):
                is_unchecked = len(checked) > MAX_CHECKED_VALUES
                if not problem and (is_unchecked or place.arrives(value, value) or place.is_escaped(value)):
                    continue
                if place.takes(value, kind):
                    continue
            is_broken = place.is_broken_by(value)
            if is_generated:
                problem = _explain_generated(place, value, expressions[name])
            elif not problem:
                problem = _explain_altered(place, value, given.get(name), is_generated=name in expressions)
            is_refused = (
                name in values
                and not is_generated
                and (is_broken or (kind is not None and _is_usable(place, kind, defaults[name])))
                and not (kind == PASSWORD and place.takes_number(value))
            )
            yield AlteredValue(name, f"the parameter {name} {problem}", is_refused)


def unread_texts(
    objects: Iterable[Any], declared: Iterable[Parameter], given: Mapping[str, Value]
) -> Iterator[AlteredValue]:
    """Yield each value of the user that is all of a VM's cloud-init data, and that cloud-init ignores.

    A value that begins like the default of its parameter, for a guest without cloud-init, is not reported.
    """
    defaults = {each.name: each.value for each in declared}
    found: dict[str, AlteredValue] = {}
    for vm in objects:
        for field, text in _inline_data(vm):
            string = STRING_REF.fullmatch(text)
            whole = string or TYPED_REF.match(text)
            if whole is None or whole[1] not in given:
                continue
            name, is_typed = whole[1], string is None
            value = _text_of(given[name].text, is_typed=is_typed).lstrip()
            if field == "networkData" or (field == "userData" and is_cloud_config(value)):
                # JSON with tabs, which is not valid YAML, can be on a config drive.
                if is_in_limits(value) and not is_json(value) and is_broken_yaml(value):
                    problem = "is not valid YAML, so cloud-init ignores all of it; correct it"
                    found[name] = AlteredValue(name, f"the parameter {name} {problem}", is_refused=True)
            elif field == "userData" and value and not _is_recognised(value):
                default = _text_of(defaults.get(name, ""), is_typed=is_typed).lstrip()
                if not default or _is_recognised(default):
                    problem = (
                        "does not begin with a line such as #cloud-config or #!/bin/sh, so cloud-init ignores it; add "
                        "that line, unless another program reads the text"
                    )
                    found.setdefault(name, AlteredValue(name, f"the parameter {name} {problem}", is_refused=False))
    yield from found.values()


def _is_recognised(user_data: str) -> bool:
    """Return True if cloud-init, cloudbase-init or Ignition knows what the text is."""
    start = user_data[:MIME_BYTES].lower()
    return bool(_USER_DATA_START.match(start)) or "mime-version:" in start


def _text_of(value: str, *, is_typed: bool) -> str:
    """Return the text that a VM gets of a value: of `${{P}}`, the string in its JSON; empty if that is not a string."""
    if not is_typed:
        return value
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return decoded if isinstance(decoded, str) else ""


def _is_usable(place: _Place, kind: str, default: str) -> bool:
    """Return True unless the default of a secret has a problem itself: then values of that form are intended."""
    if not default:
        return True
    is_valid = not _explain_secret(place.name, kind, Value(default, ""), ())
    return is_valid and (place.arrives(default, default) or place.is_escaped(default))


def _explain_secret(name: str, kind: str | None, value: Value, keys: Sequence[str]) -> str:
    """Return why a value is not a secret of its kind, and the fix; nothing if it is one, or if that is unknown."""
    if kind == SSH_KEY and value.text:
        return _explain_key(name, value, keys)
    if kind == PASSWORD_HASH and value.text and not _HASH.match(value.text):
        quotes = "" if value.where else ", in single quotes"
        return f"is not the hash of a password, so no password fits it; {HASH_ADVICE}{quotes}"
    return ""


def _explain_key(name: str, value: Value, keys: Sequence[str]) -> str:
    """Return what is wrong with the value of an SSH public key, and the fix; nothing if it is one key."""
    text = value.text.strip()
    found = count_keys(text)
    lines = len(text.splitlines())
    if found < 2 and any(map(is_public_key, (text, *_meanings(text)))):
        return ""
    if found > 1 or (found and lines > 1):
        others = ", ".join(each for each in keys if each != name)
        number = f"{found} SSH keys" if found > 1 else f"an SSH key in {lines} lines"
        more = f"; for another key, {f'use {others}' if others else SECOND_KEY_ADVICE}" if found > 1 else ""
        return f"has {number}, and takes one key in one line; write it into a file of its own: -p {name}=@FILE{more}"
    if value.is_file_name or (not value.file and lines == 1 and text.endswith(".pub")):
        return f"is {_explain_file_name(name, value.path, value)}"
    if _OTHER_KEY.search(text):
        return "is a public key in another format than OpenSSH's; convert it with ssh-keygen -i"
    return (
        "is not a complete SSH public key in one line, such as ssh-ed25519 AAAA...; give the file of one: "
        f"-p {name}=@FILE"
    )


def _explain_file_name(name: str, path: str, value: Value) -> str:
    fix = f"give the content of the file: -p {shlex.quote(f'{name}=@{path}')}"
    if value.where:
        return f"the name of a file ({value.where}), and a --params-file has no @FILE; remove it there, and {fix}"
    return f"the name of a file; {fix}"


def _explain_altered(place: _Place, value: str, given: Value | None, *, is_generated: bool) -> str:
    """Return what happens to a value that does not arrive, and the one fix that applies."""
    if not value:
        way_out = f"; or leave {place.name} out, and it is generated" if is_generated else ""
        read = "an empty text" if place.arrives(value, value) else "no value (null)"
        return f"is empty, so cloud-init reads {read} there; give a value{way_out}"
    problem = _explain_reading(place, value)
    if (lines := len(value.splitlines())) > 1:
        return f"{problem}; give one line instead of {lines}"
    return f"{problem}; {place.fix(value, given)}"


def _explain_generated(place: _Place, value: str, expression: str) -> str:
    """Return what happens to a generated value that does not arrive, with the expression as the cause."""
    problem = _explain_reading(place, value, "generated")
    return f"{problem}; the expression {expression} of the template can generate such values, change it there"


def _explain_reading(place: _Place, value: str, origin: str = "given") -> str:
    if place.is_broken_by(value):
        return "breaks the cloud-config, so cloud-init ignores all of it"
    return f"does not arrive in the cloud-config as it was {origin}: {place.reading(value)}"


def _meanings(value: str) -> Iterator[str]:
    """Yield each other text that `value` can mean with the quotes and escapes of YAML."""
    for text in (_unquoted(value), value.replace("''", "'"), re.sub(r'\\(["\\])', r"\1", value)):
        if text and text != value:
            yield text


def is_quoted(text: str) -> bool:
    """Return True if `text` begins and ends with the same quote."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def _unquoted(value: str) -> str | None:
    """Return the text in the quotes of YAML that a value has around it, None if it has none."""
    if not is_quoted(value):
        return None
    try:
        text = load_yaml(value)
    except ValueError:
        return None
    return text if isinstance(text, str) else None


def _is_file(path: str) -> bool:
    """Return True if `path`, which can be any text, is a file. A shell expands ~ at the beginning of a word only."""
    return path.isprintable() and os.path.isfile(os.path.expanduser(path))  # noqa: PTH111, PTH113 - pathlib's raise


def _cloud_init_data(vm: Any) -> Iterator[str]:
    """Yield each text of a template's virtual machine that cloud-init or Ignition reads."""
    for _, text in _inline_data(vm):
        yield text
    if isinstance(text := field_at(vm, "spec", "template", "metadata", "annotations", IGNITION), str):
        yield text


def _inline_data(vm: Any) -> Iterator[tuple[str, str]]:
    """Yield each field of a virtual machine of a template that has data for cloud-init, and its text."""
    volumes = field_at(vm, "spec", "template", "spec", "volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        for source in ("cloudInitNoCloud", "cloudInitConfigDrive"):
            for field in ("userData", "networkData", "userDataBase64", "networkDataBase64"):
                if isinstance(text := field_at(volume, source, field), str):
                    yield field, text


def _cloud_configs(vm: Any) -> Iterator[str]:
    """Yield each cloud-config of a virtual machine of a template."""
    return filter(is_cloud_config, _cloud_init_data(vm))


def _replace(value: Any, text: str) -> Any:
    """Return `value` with `text` instead of the marker in each string."""
    if isinstance(value, dict):
        return {_replace(key, text): _replace(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, text) for item in value]
    return value.replace(_MARKER, text) if isinstance(value, str) else value


def _has_secrets(
    expected: Any, final: Any, is_usable: Callable[[str], bool], meant: Iterable[str], *, is_key_list: bool = False
) -> bool:
    """Return True if `final` is `expected` with usable secrets instead of the marker.

    A list of keys can have any number of them there. In a longer text, the marker is replaced by a text of `meant`.
    """
    if expected == _MARKER and isinstance(final, str):
        return is_usable(final)
    if isinstance(expected, str) and isinstance(final, str):
        return any(expected.replace(_MARKER, each) == final for each in meant)
    if isinstance(expected, dict) and isinstance(final, dict):
        return list(expected) == list(final) and all(
            _has_secrets(expected[key], final[key], is_usable, meant, is_key_list=_is_key_list(key)) for key in expected
        )
    if not isinstance(final, list):
        return _same(expected, final)
    if is_key_list:
        expected = [expected] if expected == _MARKER else expected
        if isinstance(expected, list) and _MARKER in expected and len(final) > len(expected):
            index = expected.index(_MARKER)
            expected = [*expected[:index], *[_MARKER] * (len(final) - len(expected)), *expected[index:]]
    return (
        isinstance(expected, list)
        and len(expected) == len(final)
        and all(_has_secrets(*pair, is_usable, meant) for pair in zip(expected, final, strict=True))
    )


def _is_key_list(key: Any) -> bool:
    return isinstance(key, str) and key.replace("-", "_") in KEY_LISTS


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


def _at_marker(expected: Any, final: Any) -> Any:
    """Return what `final` has where `expected` has the marker; a text if the structures differ elsewhere."""
    if expected == _MARKER:
        return final
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(expected, dict) and isinstance(final, dict):
        pairs = ((expected[key], final[key]) for key in expected if key in final)
    elif isinstance(expected, list) and isinstance(final, list):
        pairs = zip(expected, final, strict=False)
    found = (_at_marker(*pair) for pair in pairs)
    return next((each for each in found if not isinstance(each, str)), "")
