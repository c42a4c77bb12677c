"""JSON patches of templates: the content whole, of the metadata only our own keys. Design section 3.

Our own keys are those that the wanted template has, and those that an earlier render copied from the VM (rule 12) and
this one does not: the VM has lost them since. Which these were, the template says itself, for the VM's labels and
annotations stand in its content as well. A key that is not there too was added by a user, whatever family it is of.
"""

from collections.abc import Collection
from typing import Any

import orjson

from atmpl.controller.cluster import TemplateMeta
from atmpl.template import Format
from atmpl.template.rules import COPIED_ANNOTATIONS, copies_label
from atmpl.template.template_metadata import PROVENANCE, REFRESH

Patch = list[dict[str, Any]]


def difference(there: dict[str, Any], wanted: dict[str, Any], format: Format, *, adopt_orphan: bool = False) -> Patch:
    """Return the patch that makes `there` say what `wanted` says; empty where nothing but provenance differs.

    What users added to labels and annotations stays. `take_over` takes a stray, provenance and all.
    """
    metadata = there["metadata"]
    steps = [
        *_content(there, wanted, format),
        *_keys(metadata, wanted["metadata"], "labels", _copied_labels(there, format)),
        *_keys(metadata, wanted["metadata"], "annotations", _copied_annotations(there)),
    ]
    if adopt_orphan and REFRESH in (metadata.get("labels") or {}) and REFRESH not in wanted["metadata"]["labels"]:
        steps.append(_remove("labels", REFRESH))
    provenance = _path("annotations", PROVENANCE)
    if not (adopt_orphan or any(not step["path"].startswith(provenance) for step in steps)):
        return []
    return [*_guard(metadata["uid"], metadata["resourceVersion"]), *steps]


def release_patch(meta: TemplateMeta) -> Patch:
    """Return the patch that lets a template go: the label that has it kept in step comes off."""
    return [*_guard(meta.uid, meta.version), _remove("labels", REFRESH)]


def _guard(uid: str, version: str) -> Patch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
    ]


def _content(there: dict[str, Any], wanted: dict[str, Any], format: Format) -> Patch:
    steps: Patch = []
    for field in format.content:
        if field in wanted:
            if not _same(_stored(there.get(field)), _stored(wanted[field])):
                steps.append({"op": "add", "path": f"/{field}", "value": wanted[field]})
        elif there.get(field):
            steps.append({"op": "remove", "path": f"/{field}"})
    return steps


def _stored(value: Any) -> Any:
    """Return `value` without what an API server leaves out of a parameter: OpenShift's keeps no empty value."""
    if isinstance(value, dict) and "parameters" in value:
        return value | {"parameters": _stored(value["parameters"])}
    if isinstance(value, list):
        return [
            {key: field for key, field in item.items() if field not in ("", False, None)}
            if isinstance(item, dict) and "name" in item
            else item
            for item in value
        ]
    return value


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same. Numbers compare by value, and booleans are never numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _keys(there: dict[str, Any], wanted: dict[str, Any], field: str, copied: Collection[str]) -> Patch:
    has, wants = there.get(field) or {}, wanted.get(field) or {}
    changed = [
        {"op": "add", "path": _path(field, key), "value": value}
        for key, value in wants.items()
        if has.get(key) != value
    ]
    lost = [_remove(field, key) for key in has if key in copied and key not in wants]
    map_first = [{"op": "add", "path": f"/metadata/{field}", "value": {}}] if changed and not has else []
    return [*map_first, *changed, *lost]


def _copied_labels(template: dict[str, Any], format: Format) -> set[str]:
    """Return the labels that the VM had when `template` was made of it, and that rule 12 copies.

    They stand in OpenShift's top-level labels, and in the native format in what LABELS defaults to.
    """
    found = set(_mapping(template.get("labels")))
    for parameter in _objects(format.parameters(template)):
        if parameter.get("name") == "LABELS":
            found |= _mapping(_decoded(parameter.get("value"))).keys()
    return {key for key in found if copies_label(key)}


def _copied_annotations(template: dict[str, Any]) -> set[str]:
    """Return the annotations that the VM had when `template` was made of it, and that rule 12 copies."""
    vms = [*_objects(template.get("objects")), _mapping(_mapping(template.get("spec")).get("virtualMachine"))]
    found = {key for vm in vms for key in _mapping(_mapping(vm.get("metadata")).get("annotations"))}
    return found & COPIED_ANNOTATIONS.keys()


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
    return {"op": "remove", "path": _path(field, key)}


def _path(field: str, key: str) -> str:
    """Return the JSON pointer of a label or an annotation."""
    return f"/metadata/{field}/{key.replace('~', '~0').replace('/', '~1')}"
