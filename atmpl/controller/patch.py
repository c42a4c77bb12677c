"""JSON patches of templates: the content whole, of the metadata only our own keys. Design section 3."""

from typing import Any

from atmpl.controller.cluster import TemplateMeta
from atmpl.template import Format
from atmpl.template.provenance import PROVENANCE, REFRESH

Patch = list[dict[str, Any]]


def difference(there: dict[str, Any], wanted: dict[str, Any], format: Format, *, take_over: bool = False) -> Patch:
    """Return the patch that makes `there` say what `wanted` says; empty where nothing but provenance differs.

    What users added to labels and annotations stays. `take_over` takes a stray, provenance and all.
    """
    metadata = there["metadata"]
    content = _content(there, wanted, format)
    labels = _keys(metadata, wanted["metadata"], "labels")
    annotations = _keys(metadata, wanted["metadata"], "annotations")
    if take_over and REFRESH in (metadata.get("labels") or {}) and REFRESH not in wanted["metadata"]["labels"]:
        labels.append({"op": "remove", "path": f"/metadata/labels/{_escaped(REFRESH)}"})
    provenance = f"/metadata/annotations/{_escaped(PROVENANCE)}"
    if not (take_over or content or labels or any(not step["path"].startswith(provenance) for step in annotations)):
        return []
    return [*_guard(metadata["uid"], metadata["resourceVersion"]), *content, *labels, *annotations]


def release_patch(meta: TemplateMeta) -> Patch:
    """Return the patch that lets a template go: the label that has it kept in step comes off."""
    return [*_guard(meta.uid, meta.version), {"op": "remove", "path": f"/metadata/labels/{_escaped(REFRESH)}"}]


def _guard(uid: str, version: str) -> Patch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
    ]


def _content(there: dict[str, Any], wanted: dict[str, Any], format: Format) -> Patch:
    steps: Patch = []
    for field in format.content:
        if field in wanted:
            if _stored(there.get(field)) != _stored(wanted[field]):
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


def _keys(there: dict[str, Any], wanted: dict[str, Any], field: str) -> Patch:
    has, wants = there.get(field), wanted.get(field) or {}
    steps: Patch = [] if has else [{"op": "add", "path": f"/metadata/{field}", "value": {}}]
    for key, value in wants.items():
        if not has or has.get(key) != value:
            steps.append({"op": "add", "path": f"/metadata/{field}/{_escaped(key)}", "value": value})
    return steps if has or wants else []


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
