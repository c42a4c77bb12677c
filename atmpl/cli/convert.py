"""`atmpl convert`: OpenShift templates to KubeVirt's VirtualMachineTemplates, without a cluster.

A conversion is verified: both templates are processed with the same values, and the virtual machines must be equal.
"""

import argparse
import copy
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import orjson

import atmpl
from atmpl.cli import manifests, options, terminal
from atmpl.cli.errors import CommandError
from atmpl.cli.manifests import Document, InvalidDocument, documents
from atmpl.cli.output import Output, add_output
from atmpl.cli.process import Template, complete_template_names, open_template
from atmpl.cli.unknown_fields import unknown_template_fields
from atmpl.template import FORMATS, generators
from atmpl.template.formats.native import LABELS
from atmpl.template.substitution import STRING_REF, TYPED_REF

SOURCE, TARGET = FORMATS["openshift"], FORMATS["native"]

DESCRIPTION = """\
Convert OpenShift Templates to KubeVirt VirtualMachineTemplates. Needs no
cluster.

Labels, parameters, message and metadata are carried over. The template's labels,
such as vm.kubevirt.io/template, become labels of the virtual machine. A
parameter LABELS has all labels as its default in the converted template, and its
value replaces them all. In the OpenShift template its value adds labels.

KubeVirt rejects a reference that no parameter defines, such as ${HOME} in a
script. So the text becomes the default of a parameter LITERAL0, LITERAL1 and so
on; give these parameters no other value. Each conversion is verified by
processing both templates.

A VirtualMachineTemplate holds one virtual machine and no other object; a
template with others is an error.
"""

EPILOG = """\
examples:
  # one template, or all of a file
  atmpl convert web-template.yaml

  # one in a cluster
  kubectl get template web-template -o yaml | atmpl convert - |
    kubectl apply -f -

exit status:
  0  at least one template was converted, and no error occurred
  1  an error; standard error names the template and the problem
  2  wrong usage
"""

_METADATA = ("name", "namespace", "labels", "annotations")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FROM = re.compile(r"\[([a-zA-Z0-9\-\\]+)\](\{(\w+)\})")  # the pattern of `from` in KubeVirt's CRD
_SAMPLE = "sample"  # value of a required parameter, for the verification


class Converted(NamedTuple):
    """A VirtualMachineTemplate, and what the user should know about the conversion."""

    template: dict[str, Any]
    notes: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl convert` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("file", metavar="FILE", help="the templates; - is standard input")
    template = parser.add_argument(
        "--template", type=options.name, metavar="NAME", help="convert only this one of the templates in FILE"
    )
    template.completer = complete_template_names  # type: ignore[attr-defined] # argcomplete's attribute
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Convert all templates of the file; return 1 if there was an error."""
    output = Output(args.output, args.output_file)
    converted = failed = 0
    names = []
    for each in documents(args.file):
        if isinstance(each, Document) and manifests.kind_of(each.value) == SOURCE.kind:
            names.append(manifests.name_of(each.value) or "(without a name)")
        if isinstance(each, Document) and _is_skipped(each, args.template):
            continue
        try:
            result = _convert_document(each)
        except CommandError as error:
            terminal.error(str(error))
            failed += 1
            continue
        converted += 1
        output.write(result.template)
        for note in result.notes:
            terminal.warning(f"{each.where}: {note}")
    if not converted and not failed:
        raise CommandError(f"{manifests.display_name(args.file)}: {_none_found(args.template, names)}")
    if failed:
        return 1
    output.commit()
    return 0


def convert(template: Template) -> Converted:
    """Return the VirtualMachineTemplate of an OpenShift template. Raises CommandError if it cannot be converted."""
    try:
        values = _sample_values(template)
        expected = atmpl.process(template.content, values)  # the types of all fields are right after this
        result = _Conversion(template.content).convert()
        _verify(expected, result.template, values)
    except _ConversionError as error:
        raise CommandError(f"{template.where}: {error}") from None
    except atmpl.ProcessError as error:
        raise CommandError(f"{template.where}: {'; '.join(error.errors)}") from None
    except ValueError as error:  # of a generator
        raise CommandError(f"{template.where}: {error}") from None
    except RecursionError:
        raise CommandError(f"{template.where}: nested too deep") from None
    return result


class _ConversionError(Exception):
    """The native format cannot express something; the message names it."""


class _Conversion:
    """The conversion of one template."""

    def __init__(self, template: dict[str, Any]) -> None:
        self._template = template
        self._notes: list[str] = []
        self._parameters = [
            {key: value for key, value in each.items() if value not in (None, "") or key == "name"}
            for each in template.get("parameters") or ()
            if isinstance(each, dict)
        ]
        self._names = {str(each.get("name")) for each in self._parameters}
        self._literals: dict[str, str] = {}  # text of a reference without a parameter: its LITERAL<n>

    def convert(self) -> Converted:
        template = self._template
        if path := next(unknown_template_fields(template), None):
            raise _ConversionError(f"{path}: not a known field; check its spelling and its indentation, or remove it")
        for index, parameter in enumerate(self._parameters):
            self._check(f"parameters[{index}]", parameter)
        vm = self._vm()
        self._merge_labels(vm)
        spec: dict[str, Any] = {"virtualMachine": self._with_literals(vm)}
        message = self._with_literals(template["message"]) if template.get("message") else None
        spec["parameters"] = [
            *self._parameters,
            *(
                {"name": name, "displayName": name, "description": f"{name.lower()}: keep it", "value": text}
                for text, name in self._literals.items()
            ),
        ]
        if message:
            spec["message"] = message
        for text, name in self._literals.items():
            self._notes.append(f"{text} has no parameter; it became the parameter {name}")
        metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key in _METADATA}
        if isinstance(metadata.get("annotations"), dict):
            metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != _LAST_APPLIED}
        identity = {"apiVersion": TARGET.api_version, "kind": TARGET.kind}
        return Converted({**identity, "metadata": metadata, "spec": spec}, self._notes)

    def _check(self, where: str, parameter: dict[str, Any]) -> None:
        name, expression = parameter.get("name"), parameter.get("from", "")
        if parameter.get("generate") not in (None, "expression"):
            raise _ConversionError(f"{where}.generate: KubeVirt has the generator expression only")
        if parameter.get("generate") and not parameter.get("value") and not _FROM.search(str(expression)):
            raise _ConversionError(
                f"{where}.from: KubeVirt requires an expression such as [a-z0-9]{{5}} in parameter {name}"
            )
        if sum(each.get("name") == name for each in self._parameters) > 1:
            raise _ConversionError(f"{where}: the parameter {name} occurs twice; remove one")

    def _vm(self) -> dict[str, Any]:
        """Return a copy of the template's only object, the virtual machine."""
        objects = self._template.get("objects") or []
        kinds = [manifests.kind_of(each) for each in objects] if isinstance(objects, list) else []
        if kinds.count("VirtualMachine") != 1:
            raise _ConversionError(f"has {kinds.count('VirtualMachine') or 'no'} virtual machines; one is required")
        for index, kind in enumerate(kinds):
            if kind != "VirtualMachine":
                name = manifests.name_of(objects[index])
                raise _ConversionError(
                    f"objects[{index}]: a {TARGET.kind} cannot contain a {kind or 'object without a kind'} {name}; "
                    "create it separately"
                )
        vm = objects[0]
        if not str(vm.get("apiVersion")).startswith("kubevirt.io/"):
            raise _ConversionError("objects[0].apiVersion: not one of kubevirt.io; use kubevirt.io/v1")
        return copy.deepcopy({**vm, "apiVersion": "kubevirt.io/v1"})

    def _merge_labels(self, vm: dict[str, Any]) -> None:
        """Merge the template's labels into the virtual machine's, as OpenShift's processor does."""
        top = {key: value or "" for key, value in (self._template.get("labels") or {}).items()}
        metadata = vm.get("metadata")
        if not isinstance(metadata, dict):
            metadata = vm["metadata"] = {}
        labels = metadata.get("labels")
        reference = TYPED_REF.match(labels) if isinstance(labels, str) else None
        parameter = next((each for each in self._parameters if reference and each.get("name") == reference[1]), None)
        if parameter is None:
            if labels is None or isinstance(labels, dict):
                if merged := {**(labels or {}), **top}:
                    metadata["labels"] = merged
                return
            raise _ConversionError("objects[0].metadata.labels: neither labels nor a reference to a parameter")
        try:
            own = orjson.loads(parameter.get("value") or "{}")
        except orjson.JSONDecodeError:
            own = None
        if not isinstance(own, dict):
            own = {}
        if any("$" in text for text in (*top, *top.values())):
            metadata["labels"] = {**own, **top}
            self._parameters.remove(parameter)
            self._notes.append(
                f"the parameter {parameter['name']} was removed: the template's labels refer to other parameters, and "
                "KubeVirt merges no labels"
            )
            return
        try:
            parameter["value"] = orjson.dumps({**own, **top}).decode()
        except TypeError:
            raise _ConversionError(f"the value of the parameter {parameter['name']} is not labels") from None
        if parameter["name"] == LABELS["name"]:
            parameter["description"] = LABELS["description"]  # it explains that a value replaces all labels
            return
        self._notes.append(f"a value of {parameter['name']} replaces all labels of the template")

    def _with_literals(self, value: Any) -> Any:
        """Return `value`, with a LITERAL<n> for each reference that no parameter defines."""
        if isinstance(value, dict):
            return {self._text(key): self._with_literals(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._with_literals(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if "$" not in text:
            return text
        if whole := TYPED_REF.match(text):
            return text if whole[1] in self._names else f"${{{self._literal(text)}}}"
        return STRING_REF.sub(
            lambda part: part[0] if part[1] in self._names else f"${{{self._literal(part[0])}}}", text
        )

    def _literal(self, reference: str) -> str:
        if reference not in self._literals:
            taken = self._names | set(self._literals.values())
            number = next(n for n in range(len(taken) + 1) if f"LITERAL{n}" not in taken)
            self._literals[reference] = f"LITERAL{number}"
        return self._literals[reference]


def _convert_document(each: Document | InvalidDocument) -> Converted:
    if isinstance(each, InvalidDocument):
        raise CommandError(f"{each.where}: {each.reason}")
    return convert(open_template(*each))


def _none_found(name: str | None, names: Sequence[str]) -> str:
    """Return the sentence for a file without a template to convert; `names` are those of its templates."""
    if not names:
        return f"no {SOURCE.kind} found; give one"
    return f"no {SOURCE.kind} is named {name}; the file has: {', '.join(names)}"


def _is_skipped(each: Document, name: str | None) -> bool:
    """Return True if a document is not to be converted, after a note about an object of another kind."""
    kind = manifests.kind_of(each.value)
    if kind == SOURCE.kind:
        return name is not None and manifests.name_of(each.value) != name
    if kind == TARGET.kind:
        terminal.info(f"{each.where}: skipped: this is a {TARGET.kind} already")
    elif kind:
        terminal.info(f"{each.where}: {kind} skipped: not a {SOURCE.kind}; it needs no conversion")
    return bool(kind)


def _sample_values(template: Template) -> dict[str, str]:
    """Return a value for each parameter without a default. Raises ValueError if a processor rejects an expression."""
    random = Random(0)  # noqa: S311 - samples, not secrets
    values = {}
    for parameter in template.declared:
        if parameter.value:
            continue
        if parameter.generate:
            values[parameter.name] = generators.openshift(parameter.from_, random)
            generators.native(parameter.from_, random)
        elif parameter.required:
            values[parameter.name] = _SAMPLE
    return values


def _verify(expected: list[dict[str, Any]], target: dict[str, Any], values: dict[str, str]) -> None:
    """Raise an error unless `target` gives the virtual machine `expected`.

    Raises _ConversionError that names the path of a difference, and ProcessError.
    """
    known = {each["name"] for each in target["spec"]["parameters"]}
    [actual] = atmpl.process(target, {name: value for name, value in values.items() if name in known})
    [vm] = expected
    vm["apiVersion"] = actual["apiVersion"]
    if path := next(_differences(vm, actual, ""), None):
        raise _ConversionError(f"objects[0].{path}: KubeVirt's processor gives another value; change that field")


def _differences(one: Any, other: Any, path: str) -> Iterator[str]:
    """Yield the paths at which two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            if key in one and key in other:
                yield from _differences(one[key], other[key], f"{path}.{key}".lstrip("."))
            else:
                yield f"{path}.{key}".lstrip(".")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (item, counterpart) in enumerate(zip(one, other, strict=True)):
            yield from _differences(item, counterpart, f"{path}[{index}]")
    elif isinstance(one, bool) != isinstance(other, bool) or one != other:
        yield path
