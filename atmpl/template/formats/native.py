"""KubeVirt's own VirtualMachineTemplate."""

from collections.abc import Mapping
from random import Random, SystemRandom
from typing import Any, Final

import msgspec

from atmpl.template import generators, go_json
from atmpl.template.errors import ProcessError
from atmpl.template.formats.format import Draft, Format
from atmpl.template.parameters import Declared, Metadata, present, typed
from atmpl.template.substitution import NAME, STRING_REF, TYPED_REF, Processed, ProcessorRules, Substitution

LABELS: Final = {
    "name": "LABELS",
    "displayName": "Labels",
    "description": (
        'labels: the labels of the VM, a JSON object of strings such as {"team": "db"}; another value replaces the '
        "source VM's own. The cluster rejects any other value."
    ),
}

_UNDEFINED = 'Invalid value: "{name}": references undefined parameter {name}'
_ERROR = "spec.parameters: error processing template: {text}: "
_ENGINE = ProcessorRules(
    undefined="spec.virtualMachine: " + _UNDEFINED,
    null_in_list=_ERROR + "cannot assign nil value to target type interface {{}}",
    null_in_map=_ERROR + "cannot assign nil value to target type interface {{}}",
    null_key=_ERROR + "cannot assign nil value to target type string",
    typed_key=_ERROR + "substituted value type {type} is not assignable to target type string",
    exact=False,
)
_MESSAGE = _ENGINE._replace(undefined="spec.message: " + _UNDEFINED)
_FORCED_FIELDS = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine"}  # the engine ignores the template's own


class _Spec(msgspec.Struct, rename={"virtual_machine": "virtualMachine"}):
    virtual_machine: Any = None
    parameters: list[Declared | None] | None = None
    message: str | None = None


class _Template(msgspec.Struct):
    metadata: Metadata | None = None
    spec: _Spec | None = None


def assemble(draft: Draft) -> dict[str, Any]:
    """Return the VirtualMachineTemplate. Rule 6: LABELS are the VM's own labels as JSON; the engine merges none."""
    spec: dict[str, Any] = {"virtualMachine": draft.vm}
    spec["parameters"] = draft.all_parameters(LABELS | {"value": go_json.encode(draft.vm_labels)})
    if draft.message:
        spec["message"] = draft.message
    return {"apiVersion": draft.api_version, "kind": FORMAT.kind, "metadata": draft.metadata(), "spec": spec}


def parameters(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of `template`, a VirtualMachineTemplate."""
    result: list[dict[str, Any]] = template["spec"].get("parameters") or []
    return result


def process(
    template: dict[str, Any], values: Mapping[str, str] | None = None, *, random: Random | None = None
) -> list[dict[str, Any]]:
    """Return the one VM that KubeVirt's engine makes of `template`, before it is decoded into Go's types.

    Raises ProcessError.
    """
    return processed(template, values, random=random).objects


def processed(
    template: dict[str, Any], values: Mapping[str, str] | None = None, *, random: Random | None = None
) -> Processed:
    """Return all that KubeVirt's engine makes of `template`. Raises ProcessError with all errors."""
    spec = typed(go_json.normalize(template), _Template).spec or _Spec()
    known, errors = _values(present(spec.parameters), values or {}, random)
    vm = spec.virtual_machine
    if vm is None:
        errors.append("spec.virtualMachine: Invalid value: null: virtualMachine is required and cannot be empty")
    elif type(vm) is not dict:
        why = f"json: cannot unmarshal {go_json.json_type(vm)} into Go value of type map[string]interface {{}}"
        errors.append(
            f"spec.virtualMachine.raw: Invalid value: {go_json.encode(vm)}: error decoding virtualMachine: {why}"
        )
    if errors:
        raise ProcessError(errors)
    if not NAME.fullmatch("".join(known)):  # such names are valid here, but no reference can name them
        known = {name: value for name, value in known.items() if NAME.fullmatch(name)}
    substitution = Substitution(known, _ENGINE)
    new = substitution.tree(_without_namespace(vm))
    message = spec.message or ""
    if "$" in message:
        text = Substitution(known, _MESSAGE)
        message = text.text(message)
        substitution.errors.update(text.errors)
    if substitution.errors:
        raise ProcessError(list(substitution.errors))
    new.update(_FORCED_FIELDS)
    return Processed([new], message)


def unreferenced(template: dict[str, Any]) -> list[str]:
    """Return the warnings of KubeVirt's admission: one for each parameter without a reference.

    Raises ProcessError if the template cannot be read.
    """
    spec = typed(go_json.normalize(template), _Template).spec or _Spec()
    pending: list[Any] = [spec.virtual_machine, spec.message]
    names: set[str] = set()
    while pending:
        value = pending.pop()
        if type(value) is str:
            names.update(STRING_REF.findall(value), TYPED_REF.findall(value))
        elif type(value) is dict:
            pending += value
            pending += value.values()
        elif type(value) is list:
            pending += value
    return [
        f"spec.parameters[{index}].name: {declared.name} is defined but never referenced"
        for index, declared in enumerate(present(spec.parameters))
        if declared.name not in names
    ]


def _values(
    declared: list[Declared], supplied: Mapping[str, str], random: Random | None
) -> tuple[dict[str, str], list[str]]:
    """Return each parameter's value (supplied, else the default, else generated) and the errors."""
    values: dict[str, str] = {}
    errors = []
    for index, parameter in enumerate(declared):
        name = parameter.name or ""
        value = parameter.value or ""
        where = f"spec.parameters[{index}]"
        if not name:
            errors.append(f'{where}.name: Invalid value: "": parameter name is empty')
        elif name in values:
            errors.append(f"{where}.name: Duplicate value: {go_json.encode(name)}")
        if name in supplied:
            if type(supplied[name]) is not str:
                errors.append(f"the value of parameter {name} must be a string, not {type(supplied[name]).__name__}")
            else:
                value = go_json.text(supplied[name])
        if not value:
            try:
                value = _generated(where, parameter, random)
            except ValueError as error:
                errors.append(str(error))
        values[name] = value
    errors += [f"parameter {name} not found in template" for name in supplied if name not in values]
    return values, errors


def _generated(where: str, parameter: Declared, random: Random | None) -> str:
    """Return the value of a parameter without a default. Raises ValueError in KubeVirt's words."""
    name, generator, expression = parameter.name or "", parameter.generate, parameter.from_ or ""
    value = ""
    if generator and generator != "expression":
        raise ValueError(
            f"{where}.generate: Invalid value: {go_json.encode(generator)}: "
            f"unknown generator name '{generator}' for parameter '{name}'"
        )
    if generator:
        why = f"from cannot be empty for parameter '{name}' using generator '{generator}'"
        try:
            value = generators.native(expression, random or SystemRandom())
        except ValueError as error:
            why = str(error)
        if not value:
            raise ValueError(f"{where}.from: Invalid value: {go_json.encode(expression)}: {why}")
    if not value and parameter.required:
        raise ValueError(f"{where}.value: Required value: parameter '{name}' is required and a value must be specified")
    return value


def _without_namespace(vm: dict[str, Any]) -> dict[str, Any]:
    """Return the VM without its namespace, unless the namespace holds a `${P}`. `vm` is not changed."""
    metadata = vm.get("metadata")
    if type(metadata) is not dict:
        return vm
    namespace = metadata.get("namespace")
    if not namespace or type(namespace) is not str or STRING_REF.search(namespace):
        return vm
    return {**vm, "metadata": {key: value for key, value in metadata.items() if key != "namespace"}}


FORMAT = Format(
    name="native",
    target="virtualMachineTemplate",
    api_version="template.kubevirt.io/v1beta1",
    kind="VirtualMachineTemplate",
    plural="virtualmachinetemplates",
    content=("spec",),
    assemble=assemble,
    process=process,
    parameters=parameters,
    forced_fields=_FORCED_FIELDS,
    aliases=("template.kubevirt.io/v1alpha1",),
)
