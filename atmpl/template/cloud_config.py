"""The secrets inside a cloud-config. `secrets: Extract`, rule 9.

Positions come from PyYAML's marks, and the text is never written by a YAML library: that would lose comments, quotes
and the header. A text that this module does not handle exactly is required as a whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from atmpl.template.json_path import Path

# Bytes of UTF-8 of all texts of one VM that are parsed: up to 0.1 s (measured). KubeVirt accepts 2,048 per text.
MAX_BYTES: Final = 4096
MAX_OPEN_COLLECTIONS: Final = 50  # PyYAML needs 0.9 s for 2 KiB of `[` otherwise (measured)
HEADER: Final = "#cloud-config"

GENERATED: Final = "[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}"  # as in the common templates
HASH: Final = re.compile(r"\$(1|2a|2y|5|6)(\$.+){2}")

# What a secret is to the person who sets it.
PASSWORD: Final = "password"  # noqa: S105 # a kind
PASSWORD_HASH: Final = "hash"  # noqa: S105 # a kind
SSH_KEY: Final = "key"
OTHER: Final = "other"
DEFAULT_USER: Final = "the default user"  # cloud-init's, if the text names none

# Lists that hold keys and passwords of users, and scalars that are required. `*` is any key.
KEY_LISTS: Final = ("ssh_authorized_keys",)
HASHES: Final = ("passwd", "hashed_passwd")
PLAIN_PASSWORD: Final = "plain_text_passwd"  # noqa: S105 # a key
REQUIRED: Final[tuple[tuple[str, ...], ...]] = (
    ("rh_subscription", "password"),
    ("rh_subscription", "activation_key"),
    ("spacewalk", "activation_key"),
    ("landscape", "client", "registration_key"),
    ("ubuntu_pro", "token"),
    ("ubuntu_advantage", "token"),
    ("lxd", "init", "trust_password"),
    ("reporting", "*", "consumer_key"),
    ("reporting", "*", "token_key"),
    ("reporting", "*", "token_secret"),
    ("reporting", "*", "consumer_secret"),
)
SEVERAL_LINES: Final[tuple[tuple[str, ...], ...]] = (  # keys and certificates; `[]` is any list index
    ("ssh_keys", "*_private"),
    ("salt_minion", "private_key"),
    ("mcollective", "conf", "private_cert"),
    ("chef", "validation_cert"),
    ("wireguard", "interfaces", "[]", "content"),
)
NETWORK_SECRETS: Final = frozenset(("password", "auth", "key", "keys", "client-key", "client-key-password"))

HARMLESS_KEYS: Final = frozenset(
    (
        *("user", "users", "password", "chpasswd", "groups", "ssh_pwauth", "ssh_authorized_keys", "ssh_deletekeys"),
        *("ssh_genkeytypes", "disable_root", "hostname", "fqdn", "prefer_fqdn_over_hostname", "create_hostname_file"),
        *("preserve_hostname", "manage_etc_hosts", "timezone", "locale", "keyboard", "packages", "package_update"),
        *("package_upgrade", "package_reboot_if_required", "growpart", "resize_rootfs", "disk_setup", "fs_setup"),
        *("swap", "ntp", "final_message", "power_state", "output", "rh_subscription", "ca_certs", "ca-certs"),
    )
)
_LOOKS_SECRET: Final = re.compile(
    r"""(?imx)
    (?<![\w-]) (?! (?:chpasswd|lock[_-]passwd|ssh[_-]pwauth) (?![\w-]) )
    [\w-]* (?:pass|secret|token|private[_\ -]?key|credential) [\w-]* ["']? [ \t]* [:=] [ \t]*+
    (?! \r?$ | \#
      | (?: ''|"" | null | ~ | true | false | yes | no | on | off ) [ \t]* (?: [,}\]#\r] | $ )
      | ["']? \$\{ \w+ \}
      | [\[{]
    )
    | :// [^\s/:@]+ : [^\s/@]+ @
    """
)

_SPECIAL_BREAKS: Final = re.compile("\r(?!\n)|[\x85\u2028\u2029]")  # line breaks for PyYAML
_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
_STRING: Final = "tag:yaml.org,2002:str"
_LOCKED: Final = re.compile(r"[!*]*")
_BLOCK_HEADER: Final = re.compile(r"\|[-+]?[ \t]*\r?\n")
_BRACKETS: Final = re.compile(r"[\[\]{}]")
_RANDOM: Final = frozenset(("R", "RANDOM"))


class WholeTextError(Exception):
    """The text is not handled exactly."""


@dataclass(frozen=True, slots=True)
class TextSecret:
    """One secret of a text: `text[start:end]`."""

    path: Path
    start: int
    end: int
    kind: str  # PASSWORD, PASSWORD_HASH, SSH_KEY or OTHER
    user: str = ""  # whose it is; empty if unknown
    note: str = ""

    @property
    def generated(self) -> str:
        """Return the expression of its generator; empty if the parameter is required."""
        return GENERATED if self.kind == PASSWORD else ""


@dataclass(slots=True)
class CloudConfig:
    """A cloud-config that is handled."""

    text: str
    secrets: list[TextSecret] = field(default_factory=list)
    top_keys: tuple[str, ...] = ()
    imports_keys: bool = False  # ssh_import_id: the owner's keys by another way

    def suspicious(self, readable: str) -> tuple[str, ...] | None:
        """Return None if `readable`, the text without its secrets, holds no others as far as this module knows.

        Otherwise the top-level keys that can hold more; empty if another part looks like a secret.
        """
        keys = tuple(key for key in self.top_keys if key not in HARMLESS_KEYS)
        if keys or self.imports_keys or _LOOKS_SECRET.search(readable):
            return (*keys, "ssh_import_id") if self.imports_keys and "ssh_import_id" not in keys else keys
        return None


class ParsingBudget:
    """Limits how much of one VM is parsed as YAML, so that many texts do not block the controller's event loop."""

    def __init__(self) -> None:
        self._left = MAX_BYTES

    def admits(self, text: str) -> bool:
        """Return True if `text` can be parsed too."""
        size = len(text.encode())
        if size > self._left:
            return False
        self._left -= size
        return True


def parse_cloud_config(text: str, budget: ParsingBudget | None = None) -> CloudConfig | None:
    """Return the secrets of `text`, in the order of the text; None if it must be required as a whole."""
    if not is_cloud_config(text) or not is_in_limits(text):
        return None
    if not (budget or ParsingBudget()).admits(text):
        return None
    try:
        root = _load(text)
        config = CloudConfig(text)
        if root is not None:
            _Finder(config).mapping(root)
            config.secrets.sort(key=lambda secret: secret.start)
    except (WholeTextError, yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError, AttributeError):
        return None
    return config


def is_cloud_config(text: str) -> bool:
    """Return True if the first line of `text` is the header of a cloud-config."""
    return text.partition("\n")[0].strip().lower() == HEADER


def is_in_limits(text: str) -> bool:
    """Return True if `text` is short enough to parse and has ordinary line breaks."""
    return len(text.encode()) <= MAX_BYTES and not _SPECIAL_BREAKS.search(text)


def is_readable_network_data(text: Any, budget: ParsingBudget | None = None) -> bool:
    """Return True if network data holds no secret as far as its keys show, so that it may stay readable."""
    if type(text) is not str or not (budget or ParsingBudget()).admits(text):
        return False
    try:
        root = _load(text)
        return root is not None and not any(key.replace("_", "-") in NETWORK_SECRETS for key in _all_keys(root))
    except (WholeTextError, yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError, AttributeError):
        return False


def load_yaml(text: str) -> Any:
    """Return the value of a text in the limits of this module. Raises ValueError for any other one."""
    if len(text.encode()) > MAX_BYTES:
        raise ValueError("the text is too long")
    try:
        loader = _Loader(list(_events(text)))
        node = loader.get_single_node()
        return None if node is None else loader.construct_document(node)
    except (WholeTextError, yaml.YAMLError, TypeError, OverflowError, RecursionError, AttributeError) as error:
        raise ValueError("the text is not simple YAML") from error


def is_broken_yaml(text: str) -> bool:
    """Return True if PyYAML, which is cloud-init's parser, cannot read `text`; False also if that is not checked."""
    try:
        _check_brackets(text)
        yaml.safe_load(text)
    except (WholeTextError, RecursionError):
        return False
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError):
        return True
    return False


class _Loader(Composer, SafeConstructor, Resolver):
    """Composes and constructs from events that were parsed before, as yaml.SafeLoader does."""

    def __init__(self, events: list[yaml.Event]) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._events = events
        self._next = 0

    def check_event(self, *choices: type[yaml.Event]) -> bool:
        if self._next >= len(self._events):
            return False
        return not choices or isinstance(self._events[self._next], choices)

    def peek_event(self) -> yaml.Event | None:
        return self._events[self._next] if self._next < len(self._events) else None

    def get_event(self) -> yaml.Event:
        self._next += 1
        return self._events[self._next - 1]


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield the events of `text`. Raises WholeTextError at too many levels, and at an anchor, alias or tag."""
    _check_brackets(text)
    level = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
        if level > MAX_OPEN_COLLECTIONS or isinstance(event, yaml.AliasEvent):
            raise WholeTextError
        if isinstance(event, yaml.NodeEvent) and (event.anchor is not None or getattr(event, "tag", None) is not None):
            raise WholeTextError
        yield event


def _check_brackets(text: str) -> None:
    """Raise WholeTextError if too many brackets are open. PyYAML's scanner reads far ahead of its events."""
    level = 0
    for bracket in _BRACKETS.findall(text):
        level = level + 1 if bracket in "[{" else max(level - 1, 0)
        if level > MAX_OPEN_COLLECTIONS:
            raise WholeTextError


def _load(text: str) -> MappingNode | None:
    """Return the root of `text`, a mapping; None if the text is empty. Raises WholeTextError for any other text."""
    loader = _Loader(list(_events(text)))
    node = loader.get_single_node()
    if node is None:
        return None
    for _ in _all_keys(node):  # before construction, which replaces merge keys
        pass
    data = loader.construct_document(node)  # what cloud-init would read; raises if it cannot
    if data is None:
        return None
    if not isinstance(node, MappingNode):
        raise WholeTextError
    return node


def _all_keys(node: Node) -> Iterator[str]:
    """Yield the keys of all mappings. Raises WholeTextError for a merge key, a repeated one and one not a scalar."""
    if isinstance(node, MappingNode):
        known: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag == _MERGE or _normal(key.value) in known:
                raise WholeTextError
            known.add(_normal(key.value))
            yield key.value
            yield from _all_keys(value)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _all_keys(item)


def _normal(key: str) -> str:
    return key.replace("-", "_")


def _is_empty(node: Node | None) -> bool:
    return node is None or (isinstance(node, ScalarNode) and (node.tag == _NULL or node.value == ""))


class _Finder:
    """Finds the secrets of the table in the nodes of one text. Raises WholeTextError."""

    def __init__(self, config: CloudConfig) -> None:
        self.config = config

    def mapping(self, root: MappingNode) -> None:
        top = self._fields(root)
        self.config.top_keys = tuple(key.value for key, _ in root.value)
        self.config.imports_keys = "ssh_import_id" in top
        chpasswd = top.get("chpasswd")
        self._chpasswd(chpasswd)
        note = "cloud-init ignores it, because chpasswd sets passwords" if self._has_entries(chpasswd) else ""
        default_user = self._default_user(top.get("user"))
        self._scalar(top.get("password"), ("password",), PASSWORD, default_user, note)
        for key in KEY_LISTS:
            self._keys(top.get(key), (key,), default_user)
        self._users(top.get("users"))
        user = top.get("user")
        if isinstance(user, MappingNode):
            self._user(user, ("user",))
        elif isinstance(user, SequenceNode):
            raise WholeTextError
        for pattern in REQUIRED:
            for path, node in self._at(root, pattern, ()):
                self._scalar(node, path, OTHER)
        for pattern in SEVERAL_LINES:
            for _, node in self._at(root, pattern, ()):
                if not _is_empty(node):
                    raise WholeTextError

    def _fields(self, node: MappingNode) -> dict[str, Node]:
        """Return the fields of a mapping whose keys are strings; `-` and `_` are equal in keys."""
        return {_normal(key.value): value for key, value in node.value if key.tag == _STRING}

    def _at(self, node: Node, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Node]]:
        """Yield the nodes at `pattern` below `node`."""
        if not pattern:
            yield path, node
            return
        if _is_empty(node):
            return
        key, rest = pattern[0], pattern[1:]
        if key == "[]":
            if not isinstance(node, SequenceNode):
                raise WholeTextError
            for index, item in enumerate(node.value):
                yield from self._at(item, rest, (*path, index))
            return
        if not isinstance(node, MappingNode):
            raise WholeTextError
        for name, value in self._fields(node).items():
            if name == key or (key[0] == "*" and name.endswith(key[1:])):
                if key == "*" and not isinstance(value, MappingNode):
                    continue
                yield from self._at(value, rest, (*path, name))

    def _users(self, node: Node | None) -> None:
        if node is None or _is_empty(node):
            return
        if isinstance(node, SequenceNode):
            entries: list[tuple[str | int, Node]] = list(enumerate(node.value))
        elif isinstance(node, MappingNode):
            entries = [(key.value, value) for key, value in node.value]
        else:
            raise WholeTextError
        for key, entry in entries:
            if isinstance(entry, MappingNode):
                self._user(entry, ("users", key))
            elif not isinstance(entry, ScalarNode):
                raise WholeTextError

    def _user(self, node: MappingNode, path: Path) -> None:
        fields = self._fields(node)
        name = fields.get("name")
        if isinstance(name, ScalarNode):
            user = name.value
        elif path == ("user",):
            user = DEFAULT_USER
        else:
            user = path[-1] if isinstance(path[-1], str) else ""
        self.config.imports_keys |= "ssh_import_id" in fields
        self._scalar(fields.get(PLAIN_PASSWORD), (*path, PLAIN_PASSWORD), PASSWORD, user)
        for key in HASHES:
            self._scalar(fields.get(key), (*path, key), PASSWORD_HASH, user)
        for key in KEY_LISTS:
            self._keys(fields.get(key), (*path, key), user)

    def _default_user(self, node: Node | None) -> str:
        if isinstance(node, MappingNode):
            node = self._fields(node).get("name")
        return node.value if isinstance(node, ScalarNode) and not _is_empty(node) else DEFAULT_USER

    def _keys(self, node: Node | None, path: Path, user: str) -> None:
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self._scalar(item, (*path, index), SSH_KEY, user)
        elif isinstance(node, MappingNode):
            for key, item in node.value:
                self._scalar(item, (*path, key.value), SSH_KEY, user)
        else:
            self._scalar(node, path, SSH_KEY, user)

    def _chpasswd(self, node: Node | None) -> None:
        if node is None or _is_empty(node):
            return
        if not isinstance(node, MappingNode):
            raise WholeTextError
        fields = self._fields(node)
        users = fields.get("users")
        if users is not None and not _is_empty(users):
            if not isinstance(users, SequenceNode):
                raise WholeTextError
            for index, entry in enumerate(users.value):
                if not isinstance(entry, MappingNode):
                    raise WholeTextError
                self._chpasswd_user(self._fields(entry), ("chpasswd", "users", index))
        self._chpasswd_list(fields.get("list"))

    def _chpasswd_user(self, fields: dict[str, Node], path: Path) -> None:
        name, kind = fields.get("name"), fields.get("type")
        user = name.value if isinstance(name, ScalarNode) else ""
        if kind is not None and not isinstance(kind, ScalarNode):
            raise WholeTextError
        is_clear = kind is not None and kind.value == "text"
        self._scalar(fields.get("password"), (*path, "password"), PASSWORD if is_clear else PASSWORD_HASH, user)

    def _has_entries(self, node: Node | None) -> bool:
        """Return True if chpasswd sets passwords, so that cloud-init ignores the top-level one."""
        fields = self._fields(node) if isinstance(node, MappingNode) else {}
        return any(not _is_empty(fields.get(key)) and fields[key].value for key in ("list", "users"))

    def _chpasswd_list(self, node: Node | None) -> None:
        path: Path = ("chpasswd", "list")
        if node is None or _is_empty(node):
            return
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self._entry(*self._span(item), (*path, index), quoted=item.style == '"')
        elif isinstance(node, ScalarNode) and node.style == "|":
            for index, (start, end) in enumerate(self._lines(node)):
                self._entry(start, end, (*path, index), quoted=False)
        else:
            self._entry(*self._span(node), (*path, 0), quoted=isinstance(node, ScalarNode) and node.style == '"')

    def _lines(self, node: ScalarNode) -> list[tuple[int, int]]:
        """Return the positions of the lines of a literal block."""
        text = self.config.text
        header = _BLOCK_HEADER.match(text, node.start_mark.index)
        if not header:
            raise WholeTextError
        lines: list[tuple[int, int]] = []
        position = header.end()
        expected = node.value.rstrip("\n").split("\n")
        first = text[position:].split("\n", 1)[0]
        indent = len(first) - len(first.lstrip(" "))
        for line in expected:
            start = position + indent
            end = start + len(line)
            if text[position:start] != " " * indent or text[start:end] != line:
                raise WholeTextError
            rest = re.compile(r"\r?\n|\Z").match(text, end)
            if not rest:
                raise WholeTextError
            lines.append((start, end))
            position = rest.end()
        return lines

    def _entry(self, start: int, end: int, path: Path, *, quoted: bool) -> None:
        """Add the password of one entry of chpasswd.list, `user:password`."""
        entry = self.config.text[start:end]
        user, colon, password = entry.partition(":")
        if not colon or not user or entry[0] in " \t#" or (quoted and "\\" in entry):
            raise WholeTextError
        if password not in _RANDOM:
            self._add(TextSecret(path, start + len(user) + 1, end, PASSWORD, user))

    def _scalar(self, node: Node | None, path: Path, kind: str, user: str = "", note: str = "") -> None:
        """Add the scalar `node` unless it holds no secret."""
        if node is None or _is_empty(node):
            return
        start, end = self._span(node)
        self._add(TextSecret(path, start, end, kind, user, note))

    def _span(self, node: Node) -> tuple[int, int]:
        """Return the position of a plain or quoted scalar of one line, without its quotes."""
        if (
            not isinstance(node, ScalarNode)
            or node.style not in (None, "", "'", '"')
            or node.start_mark.line != node.end_mark.line
        ):
            raise WholeTextError
        start, end = node.start_mark.index, node.end_mark.index
        return (start + 1, end - 1) if node.style else (start, end)

    def _add(self, secret: TextSecret) -> None:
        value = self.config.text[secret.start : secret.end]
        if _LOCKED.fullmatch(value):
            return
        if secret.kind == PASSWORD and HASH.match(value):
            secret = replace(secret, kind=PASSWORD_HASH)
        self.config.secrets.append(secret)
