"""Verification before publishing: `process(template, defaults)` is the VM.

The expected VM is made from the source VM, the options and the tables in rules.py, not from what the renderer did. The
template is processed by the format's own processor.
"""

from typing import Any, Final

import orjson

from atmpl.template.data_volumes import FIELD, copies_sibling, data_volume_names, names_data_volume
from atmpl.template.errors import ProcessError, RenderError
from atmpl.template.formats.format import Format
from atmpl.template.json_path import Path, dotted
from atmpl.template.options import RenderOptions
from atmpl.template.rules import (
    DATA_VOLUME_METADATA,
    DROPPED_DATA_VOLUME_ANNOTATIONS,
    HOSTNAME,
    IDENTITY,
    REVISIONS,
    PathPattern,
    is_identity_annotation,
    kept_annotations,
    kept_labels,
)
from atmpl.template.selection import ExpectedParameters
from atmpl.template.source_vm import SourceVM
from atmpl.template.template_metadata import TEMPLATE_LABEL

GENERATED: Final = "00000"  # what the verification uses instead of the random characters of SUFFIX and NAME


def verify_round_trip(
    template: dict[str, Any],
    format: Format,
    source: SourceVM,
    options: RenderOptions,
    required_values: dict[str, str],
) -> None:
    """Raise RenderError, with the path in the VM, unless `template` makes the VM again.

    `required_values` are the VM's own values of the parameters that have no default.
    """
    values = dict(required_values)
    if options.data_volumes == "Unique" and data_volume_names(source.spec):
        values["SUFFIX"] = GENERATED
    if options.has_name_parameter:
        values["NAME"] = new_name(source.name)
    try:
        (processed,) = format.process(template, values)
    except ProcessError as error:
        # The processor's message quotes the template and so the VM. The cause is for debugging, never for a status.
        raise RenderError("", f"its {format.kind} cannot be processed; this is a bug of atmpl") from error
    expected = expected_vm(source, options) | dict(format.forced_fields)
    if _same_text(expected, _without_own_label(processed)):  # much the fastest; what differs here can still be equal
        return
    path = _first_difference(expected, processed, ())
    if path is not None:
        raise RenderError(dotted(path), _explain(expected, path, format))


def new_name(name: str) -> str:
    """Return the name of a new VM with fixed characters instead of random ones. Rule 5."""
    return f"{name}-"[:58] + GENERATED


def expected_vm(source: SourceVM, options: RenderOptions) -> dict[str, Any]:
    """Return the VM that the template must make. It shares with the source VM what is not different."""
    fresh = options.identity == "Fresh"
    metadata: dict[str, Any] = (
        {"name": new_name(source.name)} if options.has_name_parameter else {"generateName": f"{source.name}-"}
    )
    metadata["labels"] = kept_labels(source.labels)
    if annotations := kept_annotations(source.annotations, fresh=fresh):
        metadata["annotations"] = annotations
    spec = _expected_spec(source, options)
    return {"apiVersion": source.api_version, "kind": "VirtualMachine", "metadata": metadata, "spec": spec}


def _expected_spec(source: SourceVM, options: RenderOptions) -> dict[str, Any]:
    spec = dict(source.spec)
    for field, key in REVISIONS:
        if isinstance(spec.get(field), dict):
            spec[field] = {name: value for name, value in spec[field].items() if name != key}
    unique = data_volume_names(spec) if options.data_volumes == "Unique" else frozenset[str]()
    if isinstance(spec.get(FIELD), list):
        spec[FIELD] = [_expected_data_volume(template, unique, source.namespace) for template in spec[FIELD]]
    instance = source.instance
    if options.identity == "Fresh":
        parameters = ExpectedParameters(options)
        for pattern in IDENTITY:
            instance = _cleared(instance, pattern, (), parameters)
        if instance.get("hostname") == source.name:
            instance = _cleared(instance, HOSTNAME, (), parameters)
    if unique:
        instance = _suffixed(instance, unique, ())
    instance = _without_memory_dumps(instance)
    template = _expected_metadata(spec["template"], options)
    spec["template"] = template | {"spec": instance}
    if options.console == "Complete" and isinstance(spec.get("running"), bool):
        spec = _with_run_strategy(spec)
    return spec


def _with_run_strategy(spec: dict[str, Any]) -> dict[str, Any]:
    if "runStrategy" in spec:
        return {key: value for key, value in spec.items() if key != "running"}
    strategy = "Always" if spec["running"] else "Halted"
    return {
        "runStrategy" if key == "running" else key: strategy if key == "running" else value
        for key, value in spec.items()
    }


def _expected_metadata(template: dict[str, Any], options: RenderOptions) -> dict[str, Any]:
    """Return spec.template with its expected metadata. Rule 8, and what `console: Complete` adds."""
    metadata = template.get("metadata")
    if metadata is None and options.console == "Complete":
        return {"metadata": {}, **{key: value for key, value in template.items() if key != "metadata"}}
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not annotations or options.identity != "Fresh":
        return template
    kept = {key: value for key, value in annotations.items() if not is_identity_annotation(key)}
    return template | {"metadata": _replaced(metadata, "annotations", kept)}


def _replaced(metadata: dict[str, Any], key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return `metadata` with another map at `key`, and without it if the map has become empty."""
    if value or not metadata[key]:
        return metadata | {key: value}
    return {name: item for name, item in metadata.items() if name != key}


def _cleared(value: Any, pattern: PathPattern, path: Path, parameters: ExpectedParameters) -> Any:
    """Return `value` with the scalar at `pattern` empty if it is a parameter, and without it otherwise. Rule 8."""
    key, rest = pattern[0], pattern[1:]
    if not isinstance(key, str):
        if not isinstance(value, list):
            return value
        return [_cleared(item, rest, (*path, index), parameters) for index, item in enumerate(value)]
    if not isinstance(value, dict) or key not in value:
        return value
    if rest:
        cleared = _cleared(value[key], rest, (*path, key), parameters)
        return value if cleared is value[key] else value | {key: cleared}
    if not isinstance(value[key], str | bool | int | float):
        return value
    if (*path, key) in parameters:
        return value | {key: ""}
    return {name: item for name, item in value.items() if name != key}


def _without_memory_dumps(instance: dict[str, Any]) -> dict[str, Any]:
    """Return the instance without volumes of the type memoryDump and their disks. Rule 10."""
    volumes = instance.get("volumes")
    if not isinstance(volumes, list):
        return instance
    dumps = [each for each in volumes if isinstance(each, dict) and each.get("memoryDump") is not None]
    if not dumps:
        return instance
    names = {each.get("name") for each in dumps if isinstance(each.get("name"), str)}
    instance = instance | {"volumes": [each for each in volumes if not any(each is dump for dump in dumps)]}
    domain = instance.get("domain")
    devices = domain.get("devices") if isinstance(domain, dict) else None
    disks = devices.get("disks") if isinstance(devices, dict) else None
    if not isinstance(domain, dict) or not isinstance(devices, dict) or not isinstance(disks, list):
        return instance
    kept = [
        each
        for each in disks
        if not (isinstance(each, dict) and isinstance(each.get("name"), str) and each["name"] in names)
    ]
    return instance | {"domain": domain | {"devices": devices | {"disks": kept}}}


def _suffixed(value: Any, unique: frozenset[str], path: Path) -> Any:
    """Return `value` with the suffix at each reference to one of the data volumes `unique`. Rule 7."""
    if isinstance(value, list):
        return [_suffixed(item, unique, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    return {
        key: f"{item}-{GENERATED}"
        if isinstance(item, str) and item in unique and names_data_volume(path, key)
        else _suffixed(item, unique, (*path, key))
        for key, item in value.items()
    }


def _expected_data_volume(template: Any, unique: frozenset[str], namespace: str | None) -> Any:
    """Return a data volume template with its expected metadata and suffixes. Rule 7."""
    if not isinstance(template, dict):
        return template
    metadata = template.get("metadata")
    if isinstance(metadata, dict):
        metadata = {key: value for key, value in metadata.items() if key in DATA_VOLUME_METADATA}
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict):
            kept = {key: value for key, value in annotations.items() if key not in DROPPED_DATA_VOLUME_ANNOTATIONS}
            metadata = _replaced(metadata, "annotations", kept)
        if isinstance(metadata.get("name"), str) and metadata["name"] in unique:
            metadata["name"] = f"{metadata['name']}-{GENERATED}"
        template = template | {"metadata": metadata}
    spec = template.get("spec")
    source = spec.get("source") if isinstance(spec, dict) else None
    claim = source.get("pvc") if isinstance(source, dict) else None
    if (
        isinstance(spec, dict)
        and isinstance(source, dict)
        and isinstance(claim, dict)
        and copies_sibling(claim, unique, namespace)
    ):
        copied = {key: value for key, value in claim.items() if key != "namespace"}
        copied["name"] = f"{claim['name']}-{GENERATED}"
        template = template | {"spec": spec | {"source": source | {"pvc": copied}}}
    return template


def _without_own_label(processed: dict[str, Any]) -> dict[str, Any]:
    """Return `processed`, changed in place: labels exist, and without the one that rule 6 adds."""
    labels = processed["metadata"].setdefault("labels", {})
    if isinstance(labels, dict):
        labels.pop(TEMPLATE_LABEL, None)
    return processed


def _same_text(expected: Any, processed: Any) -> bool:
    try:
        return orjson.dumps(expected) == orjson.dumps(processed)
    except orjson.JSONEncodeError:  # a large float came back as an integer beyond 64 bits
        return False


def _first_difference(expected: Any, processed: Any, path: Path) -> Path | None:
    """Return the path of the first difference. Numbers compare by value, and booleans are never numbers."""
    if isinstance(expected, dict) and isinstance(processed, dict):
        for key in (*expected, *(key for key in processed if key not in expected)):
            if key not in expected or key not in processed:
                return (*path, key)
            difference = _first_difference(expected[key], processed[key], (*path, key))
            if difference is not None:
                return difference
        return None
    if isinstance(expected, list) and isinstance(processed, list) and len(expected) == len(processed):
        for index, (one, other) in enumerate(zip(expected, processed, strict=True)):
            difference = _first_difference(one, other, (*path, index))
            if difference is not None:
                return difference
        return None
    if isinstance(expected, float) and type(processed) is int:
        processed = float(processed)  # a reader of a float reads Go's text of it in the same way
    same = expected == processed and isinstance(expected, bool) == isinstance(processed, bool)
    return None if same else path


def _explain(expected: dict[str, Any], path: Path, format: Format) -> str:
    value: Any = expected
    for key in path:
        value = value[key] if isinstance(key, int) or key in value else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"a {format.kind} cannot carry this number exactly; use a smaller one, or another format"
    return f"does not come back from its {format.kind} unchanged; this is a bug of atmpl"
