"""The typed request. The flat form becomes the canonical one here and nowhere else. Design section 1.

The CRD refuses what is not of this shape, but a cluster may serve another version's CRD, so nothing is believed:
what this version does not know is Unsupported, never guessed at.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, get_args

import msgspec

from atmpl.controller.key import Key
from atmpl.controller.outcome import Reason, WarningReason
from atmpl.template import FORMATS, Format, Options

TARGETS: dict[str, Format] = {format.target: format for format in FORMATS.values()}
API_VERSIONS: dict[str, Format] = {format.api_version: format for format in FORMATS.values()}

OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {  # field of spec.options: our word for it, and what it may say
    "identity": ("identity", get_args(Options.__annotations__["identity"])),
    "dataVolumes": ("data_volumes", get_args(Options.__annotations__["data_volumes"])),
    "secrets": ("secrets", get_args(Options.__annotations__["secrets"])),
}
SPEC = {"source", "target", "vmName", "templateName", "format", "refreshPolicy", "ttlSecondsAfterFinished", "options"}


class Asked(NamedTuple):
    """A request's spec, in its canonical form."""

    source: Key
    format: Format
    template: str  # the template's name; it stands in the request's namespace
    options: Options
    keep_in_step: bool  # refreshPolicy: OnChange
    ttl: int | None  # seconds from success to the request's deletion; None keeps it


class UnsupportedError(ValueError):
    """The spec asks for what this version cannot do. The message says which field."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a stream showed it: what is asked, and what its status says so far."""

    key: Key
    uid: str
    version: str  # resourceVersion
    generation: int
    created: str  # RFC 3339, seconds
    deleting: bool
    asked: Asked | None  # None where `unsupported` says why
    unsupported: str
    status: bytes  # the status as JSON, kept encoded: most requests are finished and never looked at again
    told: "Told"

    @property
    def rendered(self) -> bool:
        """Whether the status says that the template is published."""
        return self.told.ready and self.told.reason == Reason.RENDERED

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do but to wait for the TTL: Once, published, and no longer kept in step."""
        return self.rendered and self.asked is not None and not self.asked.keep_in_step and not self.told.digest

    @property
    def needs_access(self) -> bool:
        """Whether its author's right to read the source is yet to be judged: the source is in another namespace."""
        if self.asked is None or self.deleting or self.asked.source.namespace == self.key.namespace:
            return False
        return not self.told.authorized

    def template_key(self, asked: Asked) -> Key:
        """Return where the template goes: the request's namespace."""
        return Key(self.key.namespace, asked.template)


class Told(NamedTuple):
    """What an earlier reconcile wrote in the status, as far as the next one needs it."""

    ready: bool = False
    reason: str = ""  # of the condition Ready
    ready_since: str = ""  # RFC 3339
    generation: int = 0  # observedGeneration
    authorized: bool = False
    digest: str = ""  # of what was rendered; only under OnChange
    template_version: str = ""  # the template's resourceVersion then
    template_uid: str = ""
    source_gone: bool = False  # the warning of that name stands in the status


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


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    lastTransitionTime: str = ""  # noqa: N815


class _Rendered(msgspec.Struct, frozen=True):
    digest: str = ""
    templateResourceVersion: str = ""  # noqa: N815


class _TemplateRef(msgspec.Struct, frozen=True):
    uid: str = ""


class _Warning(msgspec.Struct, frozen=True):
    reason: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] = []
    observedGeneration: int = 0  # noqa: N815
    rendered: _Rendered = _Rendered()
    templateRef: _TemplateRef = _TemplateRef()  # noqa: N815
    warnings: list[_Warning] = []


_decode = msgspec.json.Decoder(_Object).decode
_decode_status = msgspec.json.Decoder(_Status).decode


def read(data: bytes | msgspec.Raw) -> Request:
    """Read a request as the API server wrote it. Raises msgspec.DecodeError where it is not even an object."""
    found = _decode(data)
    meta = found.metadata
    key = Key(meta.namespace, meta.name)
    asked, unsupported = None, ""
    try:
        asked = canonical(found.spec, key)
    except UnsupportedError as error:
        unsupported = str(error)
    status = bytes(found.status)
    return Request(
        key=key,
        uid=meta.uid,
        version=meta.resourceVersion,
        generation=meta.generation,
        created=meta.creationTimestamp,
        deleting=meta.deletionTimestamp is not None,
        asked=asked,
        unsupported=unsupported,
        status=status,
        told=_told(status),
    )


def canonical(spec: Any, key: Key) -> Asked:
    """Return what `spec` asks for, whichever of its two forms it is written in. Raises UnsupportedError."""
    if not isinstance(spec, dict):
        raise UnsupportedError("spec is missing: write spec.source and spec.target")
    if unknown := sorted(spec.keys() - SPEC):
        raise UnsupportedError(f"spec.{unknown[0]} is not known to this version of atmpl: remove it or upgrade atmpl")
    if "source" in spec or "target" in spec:
        source, format, template = _from_source_and_target(spec, key)
    else:
        source, format, template = _from_flat_form(spec, key)
    policy = spec.get("refreshPolicy", "Once")
    if policy not in ("Once", "OnChange"):
        raise UnsupportedError(f"spec.refreshPolicy is {policy!r}: write Once or OnChange")
    ttl = spec.get("ttlSecondsAfterFinished")
    if ttl is not None and (type(ttl) is not int or ttl < 0):
        raise UnsupportedError("spec.ttlSecondsAfterFinished is not a number of seconds: write 0 or more")
    return Asked(
        source=source,
        format=format,
        template=template,
        options=_options(spec.get("options", {})),
        keep_in_step=policy == "OnChange",
        ttl=None if policy == "OnChange" else ttl,
    )


def _from_source_and_target(spec: dict[str, Any], key: Key) -> tuple[Key, Format, str]:
    source, target = spec.get("source"), spec.get("target")
    if not isinstance(source, dict) or not isinstance(target, dict):
        raise UnsupportedError("spec.source and spec.target go together: write both")
    if len(target) != 1 or not (target.keys() <= TARGETS.keys()):
        known = ", ".join(sorted(TARGETS))
        raise UnsupportedError(f"spec.target holds {_names(target)}: write exactly one of {known}")
    [(field, named)] = target.items()
    name = _text(named, "name", f"spec.target.{field}.name", key.name)
    vm = Key(
        _text(source, "vmNamespace", "spec.source.vmNamespace", key.namespace),
        _text(source, "vmName", "spec.source.vmName", None),
    )
    return vm, TARGETS[field], name


def _from_flat_form(spec: dict[str, Any], key: Key) -> tuple[Key, Format, str]:
    word = _text(spec, "format", "spec.format", "template.openshift.io/v1")
    if word not in API_VERSIONS:
        raise UnsupportedError(f"spec.format is {word!r}: write one of {', '.join(sorted(API_VERSIONS))}")
    vm = Key(key.namespace, _text(spec, "vmName", "spec.vmName", None))
    return vm, API_VERSIONS[word], _text(spec, "templateName", "spec.templateName", key.name)


def _text(holder: Any, field: str, path: str, default: str | None) -> str:
    value = holder.get(field, default) if isinstance(holder, dict) else None
    if not isinstance(value, str) or not value:
        raise UnsupportedError(f"{path} is not a name: write one")
    return value


def _names(target: dict[str, Any]) -> str:
    return " and ".join(sorted(target)) or "nothing"


def _options(options: Any) -> Options:
    if not isinstance(options, dict):
        raise UnsupportedError("spec.options is not an object: remove it or write its fields")
    chosen: dict[str, Any] = {}
    for field, value in options.items():
        if field not in OPTIONS:
            raise UnsupportedError(f"spec.options.{field} is not known to this version of atmpl: remove it")
        ours, words = OPTIONS[field]
        if value not in words:
            raise UnsupportedError(f"spec.options.{field} is {value!r}: write one of {', '.join(words)}")
        chosen[ours] = value
    return Options(**chosen)


def _told(status: bytes) -> Told:
    try:
        said = _decode_status(status)
    except msgspec.DecodeError:
        return Told()  # not written by us: judged as if nothing had been said, and then written over
    ready = authorized = None
    for condition in said.conditions:
        if condition.type == "Ready":
            ready = condition
        elif condition.type == "Authorized":
            authorized = condition
    return Told(
        ready=ready is not None and ready.status == "True",
        reason=ready.reason if ready else "",
        ready_since=ready.lastTransitionTime if ready else "",
        generation=said.observedGeneration,
        authorized=authorized is not None and authorized.status == "True",
        digest=said.rendered.digest,
        template_version=said.rendered.templateResourceVersion,
        template_uid=said.templateRef.uid,
        source_gone=any(warning.reason == WarningReason.SOURCE_GONE for warning in said.warnings),
    )


def seconds_between(earlier: str, later: datetime) -> float:
    """Seconds from an RFC 3339 time as the API server writes it to `later`."""
    return (later - datetime.fromisoformat(earlier)).total_seconds()
