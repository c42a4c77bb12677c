"""JSON patches of templates: the whole content, and of the metadata only the controller's own keys.

The own keys are those in the wanted template, and those that an earlier rendering copied from the VM (rule 12) and this
one does not, because the VM lost them. The template's content shows the latter: it contains the VM's labels and
annotations of that rendering. A user added every other key, also one with a prefix that the controller copies.
"""

from collections.abc import Collection
from typing import Any

import orjson

from atmpl.controller.cluster import TemplateMeta
from atmpl.template import Format
from atmpl.template.rules import COPIED_ANNOTATIONS, copies_label
from atmpl.template.template_metadata import PROVENANCE, REFRESH, REQUEST_UID

Patch = list[dict[str, Any]]


def build_patch(existing: dict[str, Any], wanted: dict[str, Any], format: Format, *, take_over: bool = False) -> Patch:
    """Return the patch from `existing` to `wanted`; empty if only provenance differs.

    Labels and annotations of users remain. `take_over` also patches a difference in provenance alone.
    """
    metadata = existing["metadata"]
    steps = [
        *_diff_content(existing, wanted, format),
        *_diff_map(metadata, wanted["metadata"], "labels", _copied_labels(existing, format)),
        *_diff_map(metadata, wanted["metadata"], "annotations", _copied_annotations(existing)),
    ]
    if REFRESH in (metadata.get("labels") or {}) and REFRESH not in wanted["metadata"]["labels"]:
        steps.append(_remove("labels", REFRESH))
    provenance = _pointer("annotations", PROVENANCE)
    if not steps or not (take_over or any(not step["path"].startswith(provenance) for step in steps)):
        return []
    return [*_preconditions(metadata["uid"], metadata["resourceVersion"]), *steps]


def provenance_patch(existing: dict[str, Any], wanted: dict[str, Any]) -> Patch:
    """Return the patch that makes `existing` the template of the request of `wanted`; empty if it is already.

    It writes the labels and annotations that name the request, and no other key: all other metadata remains.
    """
    metadata = existing["metadata"]
    new = {
        "labels": {key: value for key, value in wanted["metadata"]["labels"].items() if key in {REQUEST_UID, REFRESH}},
        "annotations": {
            key: value for key, value in wanted["metadata"]["annotations"].items() if key.startswith(PROVENANCE)
        },
    }
    steps = [
        *_diff_map(metadata, new, "labels", {REFRESH}),
        *_diff_map(metadata, new, "annotations", ()),
    ]
    return [*_preconditions(metadata["uid"], metadata["resourceVersion"]), *steps] if steps else []


def detach_patch(meta: TemplateMeta) -> Patch:
    """Return the patch that removes the refresh label."""
    return [*_preconditions(meta.uid, meta.resource_version), _remove("labels", REFRESH)]


def encode_patch(patch: Patch) -> bytes:
    """Return the JSON of a patch; empty if it has no step."""
    return orjson.dumps(patch) if patch else b""


def has_same_content(existing: dict[str, Any], wanted: dict[str, Any], format: Format) -> bool:
    """Return True if the templates are equal apart from their metadata."""
    return not _diff_content(existing, wanted, format)


def _preconditions(uid: str, version: str) -> Patch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
    ]


def _diff_content(existing: dict[str, Any], wanted: dict[str, Any], format: Format) -> Patch:
    steps: Patch = []
    for field in format.content:
        if field in wanted:
            if not _is_equal(_as_stored(existing.get(field)), _as_stored(wanted[field])):
                steps.append({"op": "add", "path": f"/{field}", "value": wanted[field]})
        elif existing.get(field):
            steps.append({"op": "remove", "path": f"/{field}"})
    return steps


def _as_stored(value: Any) -> Any:
    """Return `value` without the empty fields of parameters, which OpenShift's API server does not store."""
    if isinstance(value, dict) and "parameters" in value:
        return value | {"parameters": _as_stored(value["parameters"])}
    if isinstance(value, list):
        return [
            {key: field for key, field in item.items() if field not in ("", False, None)}
            if isinstance(item, dict) and "name" in item
            else item
            for item in value
        ]
    return value


def _is_equal(one: Any, other: Any) -> bool:
    """Return True if two JSON values are equal. Numbers compare by value; booleans are never numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _diff_map(existing: dict[str, Any], wanted: dict[str, Any], field: str, copied: Collection[str]) -> Patch:
    old, new = existing.get(field) or {}, wanted.get(field) or {}
    changed = [
        {"op": "add", "path": _pointer(field, key), "value": value}
        for key, value in new.items()
        if old.get(key) != value
    ]
    removed = [_remove(field, key) for key in old if key in copied and key not in new]
    map_first = [{"op": "add", "path": f"/metadata/{field}", "value": {}}] if changed and not old else []
    return [*map_first, *changed, *removed]


def _copied_labels(template: dict[str, Any], format: Format) -> set[str]:
    """Return the VM's labels at the time of `template`'s rendering that rule 12 copies.

    OpenShift templates have them in the top-level labels, native templates in the default of LABELS.
    """
    keys = set(_mapping(template.get("labels")))
    for parameter in _objects(format.parameters(template)):
        if parameter.get("name") == "LABELS":
            keys |= _mapping(_decoded(parameter.get("value"))).keys()
    return {key for key in keys if copies_label(key)}


def _copied_annotations(template: dict[str, Any]) -> set[str]:
    """Return the VM's annotations at the time of `template`'s rendering that rule 12 copies."""
    vms = [*_objects(template.get("objects")), _mapping(_mapping(template.get("spec")).get("virtualMachine"))]
    keys = {key for vm in vms for key in _mapping(_mapping(vm.get("metadata")).get("annotations"))}
    return keys & COPIED_ANNOTATIONS.keys()


def _decoded(text: Any) -> Any:
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _remove(field: str, key: str) -> dict[str, Any]:
    return {"op": "remove", "path": _pointer(field, key)}


def _pointer(field: str, key: str) -> str:
    """Return the JSON pointer of a label or an annotation."""
    return f"/metadata/{field}/{key.replace('~', '~0').replace('/', '~1')}"
