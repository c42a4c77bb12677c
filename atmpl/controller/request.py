"""The parsed request. This module alone converts the short form of a spec to the long one.

The CRD rejects specs of another shape, but the cluster can have the CRD of another version. A field or value that is
unknown to this version is Unsupported.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import Reason
from atmpl.controller.request_status import RequestStatus, parse_status
from atmpl.template import FORMATS, Format, RenderOptions, TemplateMetadata
from atmpl.template.template_metadata import metadata_error

TARGETS: dict[str, Format] = {format.target: format for format in FORMATS.values()}
API_VERSIONS: dict[str, Format] = {format.api_version: format for format in FORMATS.values()}

OPTIONS = {"identity", "dataVolumes", "secrets", "naming", "console", "parameters"}
PARAMETERS = {"profile", "include", "exclude"}
LONG_FORM = {"source", "target"}
SHORT_FORM = {"vmName", "templateName", "format"}
SPEC = LONG_FORM | SHORT_FORM | {"refreshPolicy", "ttlSecondsAfterFinished", "options", "templateMetadata", "requester"}

# Names become parts of URL paths. Nothing else is accepted: a slash would change the path.
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAMESPACE = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
MAX_TTL_SECONDS = 2**31 - 1  # the CRD's limit

_REMEDY = "create the request again without it, or have a newer version of atmpl installed"


@dataclass(frozen=True, slots=True)
class Requester:
    """The user who created a request, as the API server authenticated them."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class RequestSpec(NamedTuple):
    """A request's spec in the long form."""

    source: ObjectKey
    format: Format
    template_name: str  # the template is in the request's namespace
    options: RenderOptions
    refresh_on_change: bool  # refreshPolicy: OnChange
    ttl_seconds: int | None  # from success to the deletion of the request; None keeps it
    metadata: TemplateMetadata = TemplateMetadata()
    requester: Requester | None = None


class UnsupportedError(ValueError):
    """This version cannot do what the spec requests. The message names the field."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a watch event showed it."""

    key: ObjectKey
    uid: str
    resource_version: str
    generation: int
    created: str  # creationTimestamp, RFC 3339 in seconds
    is_deleting: bool
    spec: RequestSpec | None  # None if `unsupported` is set
    unsupported: str
    raw_status: bytes  # JSON, decoded only when a status is written: most requests are finished
    status: RequestStatus

    @property
    def is_rendered(self) -> bool:
        """Return True if the status reports that the template is published."""
        return self.status.ready and self.status.reason == Reason.RENDERED

    @property
    def is_published_once(self) -> bool:
        """Return True if the template belongs to its user: it is published, and the policy is Once.

        A failure after that is not reported in the status.
        """
        return self.is_rendered and self.spec is not None and not self.spec.refresh_on_change

    @property
    def is_finished(self) -> bool:
        """Return True if nothing but the deletion after its TTL remains to be done."""
        return self.is_published_once and not self.status.digest

    @property
    def crosses_namespaces(self) -> bool:
        """Return True if the source is in another namespace."""
        return self.spec is not None and self.spec.source.namespace != self.key.namespace

    def template_key(self, spec: RequestSpec) -> ObjectKey:
        """Return the key of the template: it is in the request's namespace."""
        return ObjectKey(self.key.namespace, spec.template_name)


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


def parse_request(data: bytes | msgspec.Raw) -> Request:
    """Return the request in a watch event or a list.

    Raises msgspec.DecodeError if it is not an object with metadata, and RecursionError if it is nested too deeply; the
    stream then prunes it, so one such request does not block the others.
    """
    try:
        decoded = _decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None
    meta = decoded.metadata
    key = ObjectKey(meta.namespace, meta.name)
    spec, unsupported = None, ""
    try:
        spec = parse_spec(decoded.spec, key)
    except UnsupportedError as error:
        unsupported = str(error)
    raw_status = bytes(decoded.status)
    return Request(
        key=key,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        generation=meta.generation,
        created=meta.creationTimestamp,
        is_deleting=meta.deletionTimestamp is not None,
        spec=spec,
        unsupported=unsupported,
        raw_status=raw_status,
        status=parse_status(raw_status),
    )


def parse_spec(spec: Any, key: ObjectKey) -> RequestSpec:
    """Return the long form of a spec in either form. Raises UnsupportedError."""
    fields = _object(spec, "spec", SPEC)
    if not fields.keys() & LONG_FORM:
        source, format, template = _from_short_form(fields, key)
    elif fields.keys() & SHORT_FORM:
        raise UnsupportedError("spec has both forms: keep source and target, or vmName, templateName and format")
    else:
        source, format, template = _from_source_and_target(fields, key)
    policy = fields.get("refreshPolicy", "Once")
    if policy not in ("Once", "OnChange"):
        raise UnsupportedError(f"spec.refreshPolicy is {policy!r:.80}: write Once or OnChange")
    ttl = fields.get("ttlSecondsAfterFinished")
    if ttl is not None and (type(ttl) is not int or not 0 <= ttl <= MAX_TTL_SECONDS):
        raise UnsupportedError(f"spec.ttlSecondsAfterFinished is {ttl!r:.80}: write an integer of 0 or more seconds")
    return RequestSpec(
        source=source,
        format=format,
        template_name=template,
        options=_options(fields.get("options", {}), format),
        refresh_on_change=policy == "OnChange",
        ttl_seconds=None if policy == "OnChange" else ttl,
        metadata=_metadata(fields.get("templateMetadata", {})),
        requester=_requester(fields["requester"]) if "requester" in fields else None,
    )


def _from_source_and_target(spec: dict[str, Any], key: ObjectKey) -> tuple[ObjectKey, Format, str]:
    if not spec.keys() >= LONG_FORM:
        raise UnsupportedError("spec.source and spec.target require each other: write both")
    source = _object(spec["source"], "spec.source", {"vmName", "vmNamespace"})
    target = _object(spec["target"], "spec.target", TARGETS.keys())
    if len(target) != 1:
        fields = " and ".join(sorted(target)) or "nothing"
        raise UnsupportedError(f"spec.target has {fields}: write exactly one of {', '.join(sorted(TARGETS))}")
    [(field, template)] = target.items()
    path = f"spec.target.{field}"
    vm = ObjectKey(
        _name(source, "vmNamespace", "spec.source", key.namespace, NAMESPACE),
        _name(source, "vmName", "spec.source", None),
    )
    return vm, TARGETS[field], _name(_object(template, path, {"name"}), "name", path, key.name)


def _from_short_form(spec: dict[str, Any], key: ObjectKey) -> tuple[ObjectKey, Format, str]:
    api_version = spec.get("format", "template.openshift.io/v1")
    format = API_VERSIONS.get(api_version) if isinstance(api_version, str) else None
    if format is None:
        raise UnsupportedError(f"spec.format is {api_version!r:.80}: write one of {', '.join(sorted(API_VERSIONS))}")
    return (
        ObjectKey(key.namespace, _name(spec, "vmName", "spec", None)),
        format,
        _name(spec, "templateName", "spec", key.name),
    )


def _object(value: Any, path: str, fields: Collection[str]) -> dict[str, Any]:
    """Return an object without its null fields. Raises UnsupportedError if it has fields other than `fields`."""
    if not isinstance(value, dict):
        raise UnsupportedError(f"{path} is {value!r:.80}: write an object")
    for field in value:
        if field not in fields:
            raise UnsupportedError(f"{path}.{field:.80} is unknown to this version of atmpl: {_REMEDY}")
    return {field: item for field, item in value.items() if item is not None}


def _name(fields: dict[str, Any], field: str, path: str, default: str | None, legal: re.Pattern[str] = NAME) -> str:
    value = fields.get(field, default)
    if value is None:
        raise UnsupportedError(f"{path}.{field} is missing: write the name of the virtual machine")
    if not isinstance(value, str) or not legal.fullmatch(value):
        raise UnsupportedError(
            f"{path}.{field} is {value!r:.80}: write a name of lower case letters, digits and '-', such as fedora-1"
        )
    return value


def _options(options: Any, format: Format) -> RenderOptions:
    fields = _object(options, "spec.options", OPTIONS)
    if "parameters" in fields:
        fields["parameters"] = _object(fields["parameters"], "spec.options.parameters", PARAMETERS)
    try:
        chosen = RenderOptions.from_spec(fields)
    except ValueError as error:
        raise UnsupportedError(f"spec.options: {error}; {_REMEDY}") from None
    if chosen.console == "Complete" and not format.has_console:
        raise UnsupportedError(
            "spec.options.console is Complete, which requires target openshiftTemplate: write Listed"
        )
    return chosen


def _metadata(value: Any) -> TemplateMetadata:
    fields = _object(value, "spec.templateMetadata", {"labels", "annotations"})
    metadata = TemplateMetadata(**fields)
    if error := metadata_error(metadata):
        raise UnsupportedError(f"spec.templateMetadata: {error}")
    return metadata


def _requester(value: Any) -> Requester:
    fields = _object(value, "spec.requester", {"username", "uid", "groups", "extra"})
    username, uid, groups, extra = (
        fields.get("username"),
        fields.get("uid", ""),
        fields.get("groups", []),
        fields.get("extra", {}),
    )
    if not (
        isinstance(username, str)
        and username
        and isinstance(uid, str)
        and _is_strings(groups)
        and isinstance(extra, dict)
        and all(map(_is_strings, extra.values()))
    ):
        raise UnsupportedError("spec.requester is not a user: create the request again without it")
    return Requester(username, uid, tuple(groups), tuple((key, tuple(texts)) for key, texts in extra.items()))


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
