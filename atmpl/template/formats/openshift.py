"""OpenShift's Template."""

from collections.abc import Mapping
from random import Random, SystemRandom
from typing import Any, Final

import msgspec

from atmpl.template import generators, go_json
from atmpl.template.errors import ProcessError
from atmpl.template.formats.format import Draft, Format
from atmpl.template.parameters import Declared, Metadata, present, typed
from atmpl.template.substitution import NAME, STRING_REF, Processed, ProcessorRules, Substitution
from atmpl.template.template_metadata import TEMPLATE_LABEL, label_value

LABELS: Final = {
    "name": "LABELS",
    "displayName": "Labels",
    "description": (
        'labels: more labels for the VM, a JSON object of strings such as {"team": "db"}; the source VM\'s own labels '
        "stay and win. The cluster ignores or rejects any other value."
    ),
    "value": "{}",
}

_PANICS = "OpenShift's processor panics here: "
_ENGINE = ProcessorRules(
    undefined=None,
    null_in_list="{text}: " + _PANICS + "reflect: call of reflect.Value.Set on zero Value",
    null_in_map=None,
    null_key="{text}: " + _PANICS + "reflect: call of reflect.Value.SetMapIndex on zero Value",
    typed_key="{text}: " + _PANICS + "reflect.Value.SetMapIndex: value of type {type} is not assignable to type string",
    exact=True,
)


class _Template(msgspec.Struct):
    metadata: Metadata | None = None
    message: str | None = None
    objects: list[Any] | None = None
    parameters: list[Declared | None] | None = None
    labels: dict[str, str | None] | None = None


def assemble(draft: Draft) -> dict[str, Any]:
    """Return the Template. Rule 6: the processor merges its top-level labels into the VM's, which are LABELS.

    They are never empty, because the processor discards a LABELS that is not an object only if there are top-level
    labels (measured).
    """
    literals, labels = draft.literals, dict[str, str]()
    if draft.labels_parameter:
        labels = {literals.key(key, draft.vm_labels): literals.label(value) for key, value in draft.vm_labels.items()}
    labels[TEMPLATE_LABEL] = label_value(draft.name)
    template: dict[str, Any] = {"apiVersion": draft.api_version, "kind": FORMAT.kind, "metadata": draft.metadata()}
    if draft.message:
        template["message"] = draft.message
    template["labels"] = labels
    template["objects"] = [draft.vm]
    template["parameters"] = draft.all_parameters(dict(LABELS))
    return template


def parameters(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of `template`, a Template."""
    result: list[dict[str, Any]] = template.get("parameters") or []
    return result


def process(
    template: dict[str, Any], values: Mapping[str, str] | None = None, *, random: Random | None = None
) -> list[dict[str, Any]]:
    """Return the objects that OpenShift's processor makes of `template`. Raises ProcessError."""
    return processed(template, values, random=random).objects


def processed(
    template: dict[str, Any], values: Mapping[str, str] | None = None, *, random: Random | None = None
) -> Processed:
    """Return all that OpenShift's processor makes of `template`. Raises ProcessError."""
    decoded = typed(go_json.normalize(template), _Template)
    substitution = Substitution(_values(present(decoded.parameters), values or {}, random), _ENGINE)
    labels = None if decoded.labels is None else _labels(decoded.labels, substitution)
    objects = []
    errors: list[str] = []
    for index, item in enumerate(decoded.objects or ()):
        try:
            objects.append(_object(index, item, substitution, labels))
        except ProcessError as error:
            errors += error.errors
    if errors or substitution.errors:
        raise ProcessError([*errors, *substitution.errors])
    return Processed(objects, substitution.text(decoded.message or ""), labels)


def _values(declared: list[Declared], supplied: Mapping[str, str], random: Random | None) -> dict[str, str]:
    """Return each parameter's value: supplied, else the default, else generated."""
    errors = []
    first: dict[str | None, Declared] = {}
    for parameter in declared if supplied else ():
        first.setdefault(parameter.name, parameter)
    for name, value in supplied.items():
        if name not in first:
            errors.append(f'unknown parameter name "{name}"')
        elif type(value) is not str:
            errors.append(f"the value of parameter {name} must be a string, not {type(value).__name__}")
        else:
            first[name].value, first[name].generate = go_json.text(value), None  # as `oc`: an empty value counts
    for index, parameter in enumerate(declared):
        if not parameter.value:
            try:
                parameter.value = _generated(index, parameter, random)
            except ValueError as error:
                errors.append(str(error))
    values = {parameter.name or "": parameter.value or "" for parameter in declared}  # the last of equal names counts
    if not NAME.fullmatch("".join(values)) or "" in values:
        errors += [
            _bad_name(index, item.name or "")
            for index, item in enumerate(declared)
            if not NAME.fullmatch(item.name or "")
        ]
    if errors:
        raise ProcessError(errors)
    return values


def _bad_name(index: int, name: str) -> str:
    where = f"parameters[{index}].name"
    if not name:
        return f"{where}: Required value"
    return f"{where}: Invalid value: {go_json.encode(name)}: does not match ^[a-zA-Z0-9_]+$"


def _generated(index: int, parameter: Declared, random: Random | None) -> str:
    """Return the value of a parameter without a default. Raises ValueError in OpenShift's words."""
    where = f"template.parameters[{index}]"
    value = ""
    if parameter.generate and parameter.generate != "expression":
        raise ValueError(
            f"{where}: Invalid value: {go_json.encode(parameter.generate)}: "
            f"Unknown generator name '{parameter.generate}' for parameter {parameter.name or ''}"
        )
    if parameter.generate:
        try:
            value = generators.openshift(parameter.from_ or "", random or SystemRandom())
        except ValueError as error:
            raise ValueError(f"{where}: Invalid value: {go_json.encode(parameter.as_go_json())}: {error}") from None
    if not value and parameter.required:
        raise ValueError(
            f"{where}: Required value: {where}: parameter {parameter.name or ''} is required and must be specified"
        )
    return value


def _labels(labels: dict[str, str | None], substitution: Substitution) -> dict[str, str]:
    """Return the substituted top-level labels. A key that changed wins over one that did not."""
    new = [(substitution.text(key), key, substitution.text(value or "")) for key, value in labels.items()]
    return {name: value for name, _, value in sorted(new, key=lambda label: label[0] != label[1])}


def _object(index: int, item: Any, substitution: Substitution, labels: dict[str, str] | None) -> dict[str, Any]:
    if item is None:
        raise ProcessError(
            [f"objects[{index}]: {_PANICS}runtime error: invalid memory address or nil pointer dereference"]
        )
    if type(item) is not dict:
        kind = go_json.json_type(item)
        raise _unreadable(index, item, f"json: cannot unmarshal {kind} into Go value of type unstructured.detector")
    listed = _listed(index, item) if "items" in item else None
    if not _identity(item)[1]:
        raise _unreadable(index, item, f"Object 'Kind' is missing in '{go_json.encode(item)}'")
    if listed is not None:
        item = {key: value for key, value in item.items() if key != "items"}
    else:
        item = _without_namespace(item)
    new = substitution.tree(item)
    new["apiVersion"], new["kind"] = _identity(new)
    if listed is not None:
        new["items"] = [substitution.tree(each) for each in listed]
    if labels is not None and listed is not None:
        why = "label could not be applied: object does not implement the Object interfaces"
        raise ProcessError([f"item[{index}].labels: Invalid value: {go_json.encode(labels)}: {why}"])
    if labels is not None:
        _merge_labels(new, labels)
    return new


def _listed(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a list, which is any object with `items`. Their namespaces stay."""
    items = item["items"]
    if items is not None and type(items) is not list:
        why = "of type []json.RawMessage"
        kind = go_json.json_type(items)
        raise _unreadable(index, item, f"json: cannot unmarshal {kind} into Go struct field decodeList.items {why}")
    listed = []
    for each in items or ():
        if each is not None and type(each) is not dict:
            kind = go_json.json_type(each)
            raise _unreadable(
                index, item, f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            )
        own = each or {}
        if not any(type(own.get(key)) is str and own[key] for key in ("apiVersion", "kind")):  # then those of the list
            version, kind = (text if type(text) is str else "" for text in (item.get("apiVersion"), item.get("kind")))
            own = {**own, "apiVersion": version, "kind": kind.removesuffix("List")}
        listed.append(own)
    return listed


def _unreadable(index: int, item: Any, why: str) -> ProcessError:
    return ProcessError(
        [f"item[{index}].objects: Invalid value: {go_json.encode(item)}: unable to handle object: {why}"]
    )


def _identity(item: dict[str, Any]) -> tuple[str, str]:
    """Return apiVersion and kind as Kubernetes' `Unstructured` returns them; it never fails."""
    version, kind = item.get("apiVersion"), item.get("kind")
    version = version if type(version) is str else ""
    if version.count("/") > 1:
        return "", ""
    return version.removeprefix("/"), kind if type(kind) is str else ""


def _without_namespace(item: dict[str, Any]) -> dict[str, Any]:
    """Return the object without its namespace, unless the namespace holds a `${P}`. `item` is not changed."""
    metadata = item.get("metadata")
    if type(metadata) is dict and "namespace" in metadata:
        namespace = metadata["namespace"]
        if type(namespace) is str and STRING_REF.search(namespace):
            return item
        kept = {key: value for key, value in metadata.items() if key != "namespace"}
        return {**item, "metadata": kept if namespace and type(namespace) is str else {**kept, "namespace": ""}}
    if "metadata" not in item and "namespace" in item:
        namespace = item["namespace"]
        if type(namespace) is not str or not STRING_REF.search(namespace):
            return {**item, "namespace": ""}
    return item


def _merge_labels(new: dict[str, Any], labels: dict[str, str]) -> None:
    """Merge the template's labels into the object's. The object's own are ignored unless all are strings or null."""
    metadata = new.setdefault("metadata", {})
    if type(metadata) is not dict:
        return
    own = metadata.get("labels")
    if type(own) is dict and all(value is None or type(value) is str for value in own.values()):
        metadata["labels"] = {key: value or "" for key, value in own.items()} | labels
    else:
        metadata["labels"] = dict(labels)


FORMAT = Format(
    name="openshift",
    target="openshiftTemplate",
    api_version="template.openshift.io/v1",
    kind="Template",
    plural="templates",
    content=("objects", "parameters", "labels", "message"),
    assemble=assemble,
    process=process,
    parameters=parameters,
    aliases=("v1",),  # the legacy group
    has_console=True,
)
