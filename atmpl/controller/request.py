"""The typed request. The flat form becomes the canonical one here and nowhere else. Design section 1.

The CRD refuses what is not of this shape, but a cluster may serve another version's CRD, so nothing is believed:
what this version does not know is Unsupported, never guessed at.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import msgspec

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Reason
from atmpl.controller.request_status import RequestStatus, parse_status
from atmpl.template import FORMATS, Format, RenderOptions

TARGETS: dict[str, Format] = {format.target: format for format in FORMATS.values()}
API_VERSIONS: dict[str, Format] = {format.api_version: format for format in FORMATS.values()}

OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {  # field of spec.options: our word for it, and what it may say
    "identity": ("identity", get_args(RenderOptions.__annotations__["identity"])),
    "dataVolumes": ("data_volumes", get_args(RenderOptions.__annotations__["data_volumes"])),
    "secrets": ("secrets", get_args(RenderOptions.__annotations__["secrets"])),
}
CANONICAL = {"source", "target"}
FLAT = {"vmName", "templateName", "format"}
SPEC = CANONICAL | FLAT | {"refreshPolicy", "ttlSecondsAfterFinished", "options"}

# Names end up in the paths of calls, so nothing else may pass for one: a slash would lead a call astray.
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAMESPACE = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
MOST_SECONDS = 2**31 - 1  # of a TTL, as the CRD has it


class RequestSpec(NamedTuple):
    """A request's spec, in its canonical form."""

    source: ObjectKey
    format: Format
    template: str  # the template's name; it stands in the request's namespace
    options: RenderOptions
    refresh_on_change: bool  # refreshPolicy: OnChange
    ttl: int | None  # seconds from success to the request's deletion; None keeps it


class UnsupportedError(ValueError):
    """The spec asks for what this version cannot do. The message says which field."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a stream showed it: what is asked, and what its status says so far."""

    key: ObjectKey
    uid: str
    version: str  # resourceVersion
    generation: int
    created: str  # RFC 3339, seconds
    deleting: bool
    spec: RequestSpec | None  # None where `unsupported` says why
    unsupported: str
    raw_status: bytes  # the status as JSON, kept encoded: most requests are finished and never looked at again
    status: RequestStatus

    @property
    def rendered(self) -> bool:
        """Whether the status says that the template is published."""
        return self.status.ready and self.status.reason == Reason.RENDERED

    @property
    def done(self) -> bool:
        """Whether the template is its user's: published under Once, or about to be let go. Nothing takes that back."""
        return self.rendered and self.spec is not None and not self.spec.refresh_on_change

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do but to wait for the TTL."""
        return self.done and not self.status.digest

    @property
    def needs_authorization(self) -> bool:
        """Whether its author's right to read the source is yet to be judged: the source is in another namespace."""
        if self.spec is None or self.deleting or self.done:
            return False
        return self.spec.source.namespace != self.key.namespace and not self.status.authorized

    def template_key(self, spec: RequestSpec) -> ObjectKey:
        """Return where the template goes: the request's namespace."""
        return ObjectKey(self.key.namespace, spec.template)


class _Metadata(msgspec.Struct):
    name: str
    namespace: str
    uid: str
    resourceVersion: str  # noqa: N815 - the API's name
    generation: int = 0
    creationTimestamp: str = ""  # noqa: N815
    deletionTimestamp: str | None = None  # noqa: N815


class _Object(msgspec.Struct):
    metadata: _Metadata
    spec: Any = None
    status: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(_Object).decode


def read(data: bytes | msgspec.Raw) -> Request:
    """Read a request as the API server wrote it.

    Raises msgspec.DecodeError where it is not even an object, and RecursionError where it is nested too deeply: whoever
    reads the stream cuts it then, so that one such request stops no other.
    """
    try:
        found = _decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None
    meta = found.metadata
    key = ObjectKey(meta.namespace, meta.name)
    spec, unsupported = None, ""
    try:
        spec = canonical(found.spec, key)
    except UnsupportedError as error:
        unsupported = str(error)
    raw_status = bytes(found.status)
    return Request(
        key=key,
        uid=meta.uid,
        version=meta.resourceVersion,
        generation=meta.generation,
        created=meta.creationTimestamp,
        deleting=meta.deletionTimestamp is not None,
        spec=spec,
        unsupported=unsupported,
        raw_status=raw_status,
        status=parse_status(raw_status),
    )


def canonical(spec: Any, key: ObjectKey) -> RequestSpec:
    """Return what `spec` asks for, whichever of its two forms it is written in. Raises UnsupportedError."""
    said = _object(spec, "spec", SPEC)
    if not said.keys() & CANONICAL:
        source, format, template = _from_flat_form(said, key)
    elif said.keys() & FLAT:
        raise UnsupportedError("spec is written in both forms: keep source and target, or vmName and what goes with it")
    else:
        source, format, template = _from_source_and_target(said, key)
    policy = said.get("refreshPolicy", "Once")
    if policy not in ("Once", "OnChange"):
        raise UnsupportedError(f"spec.refreshPolicy is {policy!r:.80}: write Once or OnChange")
    ttl = said.get("ttlSecondsAfterFinished")
    if ttl is not None and (type(ttl) is not int or not 0 <= ttl <= MOST_SECONDS):
        raise UnsupportedError(
            f"spec.ttlSecondsAfterFinished is {ttl!r:.80}: write a whole number of seconds, 0 or more"
        )
    return RequestSpec(
        source=source,
        format=format,
        template=template,
        options=_options(said.get("options", {})),
        refresh_on_change=policy == "OnChange",
        ttl=None if policy == "OnChange" else ttl,
    )


def _from_source_and_target(spec: dict[str, Any], key: ObjectKey) -> tuple[ObjectKey, Format, str]:
    if not spec.keys() >= CANONICAL:
        raise UnsupportedError("spec.source and spec.target go together: write both")
    source = _object(spec["source"], "spec.source", {"vmName", "vmNamespace"})
    target = _object(spec["target"], "spec.target", TARGETS.keys())
    if len(target) != 1:
        held = " and ".join(sorted(target)) or "nothing"
        raise UnsupportedError(f"spec.target holds {held}: write exactly one of {', '.join(sorted(TARGETS))}")
    [(field, named)] = target.items()
    where = f"spec.target.{field}"
    vm = ObjectKey(
        _name(source, "vmNamespace", "spec.source", key.namespace, NAMESPACE),
        _name(source, "vmName", "spec.source", None),
    )
    return vm, TARGETS[field], _name(_object(named, where, {"name"}), "name", where, key.name)


def _from_flat_form(spec: dict[str, Any], key: ObjectKey) -> tuple[ObjectKey, Format, str]:
    word = spec.get("format", "template.openshift.io/v1")
    format = API_VERSIONS.get(word) if isinstance(word, str) else None
    if format is None:
        raise UnsupportedError(f"spec.format is {word!r:.80}: write one of {', '.join(sorted(API_VERSIONS))}")
    return (
        ObjectKey(key.namespace, _name(spec, "vmName", "spec", None)),
        format,
        _name(spec, "templateName", "spec", key.name),
    )


def _object(value: Any, path: str, fields: Collection[str]) -> dict[str, Any]:
    """Return an object without its nulls, which say nothing. Refuse what is none, and what holds other fields."""
    if not isinstance(value, dict):
        raise UnsupportedError(f"{path} is {value!r:.80}: write an object there")
    for field in value:
        if field not in fields:
            raise UnsupportedError(
                f"{path}.{field} is not known to this version of atmpl: remove it, or have atmpl upgraded"
            )
    return {field: held for field, held in value.items() if held is not None}


def _name(holder: dict[str, Any], field: str, path: str, default: str | None, legal: re.Pattern[str] = NAME) -> str:
    value = holder.get(field, default)
    if value is None:
        raise UnsupportedError(f"{path}.{field} is missing: write the name of the virtual machine")
    if not isinstance(value, str) or not legal.fullmatch(value):
        raise UnsupportedError(
            f"{path}.{field} is {value!r:.80}: write a name of lower case letters, digits and '-', such as fedora-1"
        )
    return value


def _options(options: Any) -> RenderOptions:
    chosen: dict[str, Any] = {}
    for field, value in _object(options, "spec.options", OPTIONS.keys()).items():
        ours, words = OPTIONS[field]
        if value not in words:
            raise UnsupportedError(f"spec.options.{field} is {value!r:.80}: write {' or '.join(words)}")
        chosen[ours] = value
    return RenderOptions(**chosen)
