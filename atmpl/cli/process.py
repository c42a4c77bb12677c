"""`atmpl process`: a template to its objects, as a cluster's own processor makes them, without a cluster.

`instantiate` has the same options and checks; it reads the template from a cluster.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

import orjson

import atmpl
from atmpl.cli import manifests, options, terminal
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.manifests import InvalidDocument, documents, field_at
from atmpl.cli.output import Output, add_output, meaning, table
from atmpl.cli.parser import nearest, repeated
from atmpl.cli.text_values import (
    COMPLETE_TEXT,
    Value,
    altered_values,
    forgotten_files,
    is_quoted,
    names_in_cloud_configs,
    parameter_kinds,
    private_keys,
    unread_texts,
)
from atmpl.cli.unknown_fields import IGNORED, unknown_template_fields
from atmpl.template import FORMATS, generators
from atmpl.template.cloud_config import SSH_KEY
from atmpl.template.parameters import Parameter, parameters
from atmpl.template.substitution import STRING_REF, TYPED_REF

IGNORE_UNKNOWN = "--ignore-unknown-parameters"
MAX_INLINE_BYTES = 2048  # KubeVirt rejects longer userData and networkData inside a VM
KINDS = tuple(format.kind for format in FORMATS.values())

MAX_SHOWN_NAME = 30  # characters of a name in a params file that a message shows
_NAME = re.compile(r"[a-zA-Z0-9_]+")  # what a reference in a template can contain
_LAST_LINE_BREAK = re.compile(r"\r?\n\Z")

DESCRIPTION = """\
Turn a template into its objects, exactly as the cluster's own processor would.
Needs no cluster.

Takes OpenShift's templates and KubeVirt's. The value of a parameter is the one
of -p, else of the last --params-file that has it, else the template's default,
else a generated one. A parameter LITERAL0, LITERAL1 and so on holds text that
looks like a reference, such as ${HOME}: give it no value.

Generated values, such as passwords, are printed on standard error, as lines
for a --params-file. Each run generates others: a virtual machine with another
SUFFIX has other disks, and one with another password has another cloud-config.
So keep the result, or give the same values again. The template's own message
for its users is printed on standard error too.
"""

EPILOG = """\
examples:
  # the parameters and their values
  atmpl process web-template.yaml --print-params

  # a new virtual machine, with more memory
  atmpl process web-template.yaml -p MEMORY_GUEST=8Gi | kubectl create -f -

  # the same, from a template in a cluster
  kubectl get template web-template -o yaml |
    atmpl process - -p MEMORY_GUEST=8Gi | kubectl create -f -

  # for GitOps: with a fixed name, and the generated values of the first run
  atmpl process web-template.yaml --vm-name web-2 --params-file web-2.env |
    kubectl apply -f -

  # many values, one NAME=VALUE per line
  atmpl process web-template.yaml --params-file small.env

exit status:
  0  the objects are on standard output, or in the --output-file
  1  the template cannot be processed; standard error names every reason
  2  wrong usage
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, its place for messages, and its parameters."""

    where: str
    content: dict[str, Any]
    declared: Sequence[Parameter]

    @property
    def objects(self) -> list[Any]:
        """The objects of the template, in the order of the processed ones."""
        return _template_objects(self.content)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl process` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("file", metavar="FILE", help="the template; - is standard input")
    template = parser.add_argument(
        "--template", type=options.name, metavar="NAME", help="which template, if FILE contains several"
    )
    template.completer = complete_template_names  # type: ignore[attr-defined] # argcomplete's attribute
    add_value_options(parser, completer=_complete)
    parser.add_argument(
        "--print-params",
        action="store_true",
        help="print the parameters instead: as a table, or with -o as the template has them",
    )
    add_output(parser, default=None, otherwise="(default: yaml, for parameters a table)")


def add_value_options(parser: argparse.ArgumentParser, *, completer: Any) -> None:
    """Add the options that give parameters their values."""
    param = parser.add_argument(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=parse_assignment,
        help="value of a parameter, repeatable; NAME=@FILE takes the content of FILE, and NAME=@@x is the text @x; the "
        "line break at the end of FILE is left out if the template inserts the value into a longer text, such as a "
        "cloud-config",
    )
    param.completer = completer  # type: ignore[attr-defined] # argcomplete's attribute
    parser.add_argument(
        "--params-file",
        metavar="FILE",
        dest="params_files",
        action="append",
        default=[],
        help="file with one NAME=VALUE per line, each name once, repeatable, taken literally: no quotes, no export, no "
        "@FILE; empty lines and lines that begin with # are ignored; - is standard input",
    )
    parser.add_argument(
        IGNORE_UNKNOWN,
        action="store_true",
        help="ignore values for parameters that the template does not have, and list them on standard error",
    )
    parser.add_argument(
        "--vm-name",
        type=options.name,
        metavar="NAME",
        help="name of the new virtual machine, also as the value of the parameter that names it, usually NAME",
    )


def run(args: argparse.Namespace) -> int:
    """Print the objects of the template, or its parameters."""
    check_value_options(args, args.file)
    template = _read_template(args.file, args.template)
    output = Output(args.output or "yaml", args.output_file)
    given = read_values(args)
    values, problems = match_values(given, template, ignore_unknown=args.ignore_unknown_parameters)
    values |= name_values(template, values, args)
    if not args.print_params:
        problems += [f"{template.where}: {reason}" for reason in missing(values, template)]
    if problems:
        return report_errors(problems, "See the template's parameters with --print-params.")
    if args.print_params:
        print_parameters(template.declared, values, args.output, output)
    else:
        generated = generate_values(template, values)
        values |= generated
        try:
            objects = process(template, values, args.vm_name)
        except atmpl.ProcessError as error:
            return report_errors(f"{template.where}: {reason}" for reason in error.errors)
        for each in objects:
            output.write(each)
        report_warnings(template, values, objects, given)
    output.commit()
    if not args.print_params:
        report_generated(generated)
    report_message(template, values)
    return 0


def check_value_options(args: argparse.Namespace, file: str | None) -> None:
    """Raise UsageError if the options contradict each other; `file` is the template's."""
    names = [name for name, _ in args.param]
    for name, number in repeated(names).items():
        raise UsageError(f"-p {name} is given {number} times; give each parameter one value")
    readers = [file, *args.params_files, *(value[1:] for _, value in args.param if value.startswith("@"))]
    if readers.count(manifests.STDIN) > 1:
        raise UsageError(
            "standard input can be only one of template, --params-file and @FILE; name files for the others"
        )


def read_values(args: argparse.Namespace) -> dict[str, Value]:
    """Return the values of the command line, by parameter. Raises CommandError if a file cannot be read."""
    values: dict[str, Value] = {}
    for path in args.params_files:
        values |= values_in_file(path)
    values |= {name: Value(resolve_value(name, text), "", file_of(text)) for name, text in args.param}
    return {name: value.with_file_name() for name, value in values.items()}


def match_values(
    values: Mapping[str, Value], template: Template, *, ignore_unknown: bool
) -> tuple[dict[str, str], list[str]]:
    """Return the values for the template's parameters, and the problems with the others.

    `ignore_unknown`: report parameters that the template does not have, and ignore them.
    """
    names = {parameter.name for parameter in template.declared}
    objects = template.objects
    has_files = any(value.file for value in values.values())
    inside = _names_inside_texts(objects) if has_files else set()
    advice = "" if ignore_unknown else f"; remove the line, or add {IGNORE_UNKNOWN}"
    problems = [
        f"{values[name].where or template.where}: {reason}"
        for name, reason in unknown(values, template.declared, advice)
    ]
    chosen = {
        name: _LAST_LINE_BREAK.sub("", value.text) if value.file and name in inside else value.text
        for name, value in values.items()
        if name in names
    }
    refused = private_keys(parameter_kinds(objects, names), values) if values else ()
    if ignore_unknown:
        for problem in problems:
            terminal.info(f"# ignored: {problem}")
        problems = []
    return chosen, [*problems, *(f"{template.where}: {reason}" for reason in refused)]


def name_parameters(template: Template) -> list[str]:
    """Return the parameters that name the virtual machine: those that are its whole name, otherwise NAME."""
    texts = [field_at(each, "metadata", "name") for each in template.objects if _is_vm(each)]
    whole = {match[1] for text in texts if isinstance(text, str) and (match := STRING_REF.fullmatch(text))}
    return [each.name for each in template.declared if each.name in (whole or {"NAME"})]


def name_values(template: Template, values: Mapping[str, str], args: argparse.Namespace) -> dict[str, str]:
    """Return the values that `--vm-name` gives. It overrides a NAME of a --params-file, and no other given value.

    Raises UsageError if -p gives NAME too.
    """
    if args.vm_name is None:
        return {}
    names = name_parameters(template)
    if "NAME" in names and "NAME" in dict(args.param):
        raise UsageError("-p NAME and --vm-name both name the virtual machine; use one of them")
    return {name: args.vm_name for name in names if name == "NAME" or name not in values}


def _is_vm(each: Any) -> bool:
    """Return True if an object of a template is its virtual machine; the native format needs no kind."""
    return manifests.kind_of(each) in ("VirtualMachine", "")


def generate_values(template: Template, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of all parameters that are generated; an invalid expression is left to `process`."""
    is_native = template.content["kind"] == FORMATS["native"].kind
    generator = generators.native if is_native else generators.openshift
    generated = {}
    for each in template.declared:
        has_value = values.get(each.name) if is_native else each.name in values  # KubeVirt's replaces an empty one
        if each.generate == "expression" and not each.value and not has_value:
            try:
                generated[each.name] = generator(each.from_, SystemRandom())
            except ValueError:
                continue
    return generated


def process(template: Template, values: dict[str, str], vm_name: str | None) -> list[dict[str, Any]]:
    """Return the objects of a template. Raises ProcessError, and CommandError if `vm_name` has no VM to name."""
    objects = atmpl.process(template.content, values)
    if vm_name is not None:
        vm = only_vm(objects, template.where, "--vm-name names one")
        metadata = vm.setdefault("metadata", {})
        if not isinstance(metadata, dict):
            raise CommandError(f"{template.where}: the metadata of the virtual machine is not an object")
        vm["metadata"] = {"name": vm_name} | {k: v for k, v in metadata.items() if k not in ("name", "generateName")}
    return objects


def only_vm(objects: Iterable[dict[str, Any]], where: str, reason: str) -> dict[str, Any]:
    """Return the only virtual machine of a template's objects. Raises CommandError, with `reason`."""
    vms = [each for each in objects if each.get("kind") == "VirtualMachine"]
    if len(vms) != 1:
        raise CommandError(f"{where}: the template has {len(vms) or 'no'} virtual machines; {reason}")
    return vms[0]


def report_errors(sentences: Iterable[str], advice: str = "") -> int:
    """Report errors and return the exit status."""
    for sentence in sentences:
        terminal.error(sentence)
    if advice:
        terminal.info(advice)
    return 1


def report_generated(values: Mapping[str, str]) -> None:
    """Report generated values, as a params file: the user needs a password, and the result can hide it in a text."""
    if values:
        terminal.info("# generated; to give them again, put these lines into a --params-file:")
    for name, value in values.items():
        terminal.info(f"{name}={terminal.plain(value)}")


def report_message(template: Template, values: Mapping[str, str]) -> None:
    """Report the template's own message for its users, with the values of its parameters, as comments of a params file.

    A reference to a parameter without a value stays as it is.
    """
    message = template.content.get("message") or field_at(template.content, "spec", "message")
    if not isinstance(message, str) or not message.strip():
        return
    known = {each.name: values.get(each.name) or each.value for each in template.declared}
    terminal.info("# Message of the template:")
    for line in STRING_REF.sub(lambda part: known.get(part[1]) or part[0], message).strip().splitlines():
        terminal.info(terminal.indented(line.expandtabs(), indent="#   "))


def report_warnings(
    template: Template,
    values: Mapping[str, str],
    objects: Sequence[dict[str, Any]],
    given: Mapping[str, Value],
) -> None:
    """Report what is probably not what the user wants, although the template can be processed.

    `values` are all values that override defaults, `given` are those of the user.
    """
    parts = template.objects
    forgotten = forgotten_files(parameter_kinds(parts, given), given)
    altered = [*altered_values(parts, template.declared, values, given), *unread_texts(parts, template.declared, given)]
    for reason in (
        *(f"{path}: {IGNORED}" for path in unknown_template_fields(template.content)),
        *repeated_parameters(template.declared),
        *undefined_references(template),
        *(() if objects else ("the template has no objects, so nothing is printed",)),
        *invalid_labels(values, template.content),
        *changed_types(values, template),
        *forgotten.values(),
        *(each.problem for each in altered if each.name not in forgotten),
        *long_inline_data(objects),
    ):
        terminal.warning(f"{template.where}: {reason}")
    reported = {*forgotten, *(each.name for each in altered)}
    for reason in surrounded_values(template, {name: given[name] for name in given if name not in reported}):
        terminal.warning(reason)


def surrounded_values(template: Template, given: Mapping[str, Value]) -> Iterator[str]:
    """Yield a sentence for each value of a params file that has quotes or spaces around it, unlike its default.

    `oc process --param-file` removes them. In a cloud-config, `altered_values` reports the quotes that are not needed.
    """
    defaults = {each.name: each.value for each in template.declared}
    in_cloud_config = names_in_cloud_configs(template.objects)
    for name, value in given.items():
        if not value.where or name not in defaults or value.text == defaults[name]:
            continue
        if value.text != value.text.strip(" \t"):
            yield f"{value.where}: the space before or after the value of {name} is a part of it; remove it"
        elif name not in in_cloud_config and is_quoted(value.text) and not is_quoted(defaults[name]):
            yield f"{value.where}: the quotes are a part of the value of {name}; remove them"


def parse_assignment(text: str) -> tuple[str, str]:
    """Return the name and the value of `NAME=VALUE`. Raises argparse's error if there is no name or no `=`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value


def file_of(text: str) -> str:
    """Return the file of `-p NAME=text`: `@FILE` names one; nothing if the text is the value."""
    return text[1:] if text.startswith("@") and not text.startswith("@@") else ""


def resolve_value(name: str, text: str) -> str:
    """Return the value of `-p NAME=text`: `@FILE` is the content of the file, `@@x` is `@x`. Raises CommandError."""
    if not _is_unicode(text):
        raise CommandError(f"-p {name}={text!a:.60}: not valid UTF-8; write the value in the encoding of your terminal")
    if text.startswith("@@"):
        return text[1:]
    if text == "@":
        raise CommandError(
            f"-p {name}=@: the name of the file is missing; write {name}=@FILE, or {name}=@@ for the text @"
        )
    path = file_of(text)
    if not path:
        return text
    try:
        # A shell expands ~ at the beginning of a word only.
        data = manifests.read_bytes(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises if there is no home
    except manifests.DirectoryError as error:
        raise CommandError(f"-p {name}: {error}") from None
    except CommandError as error:
        raise CommandError(f"-p {name}: {error}; for a value that begins with @, write {name}=@{text}") from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(
            f"-p {name}: {manifests.display_name(path)}, line {line}: not valid UTF-8; a value is text, save the file "
            "as UTF-8"
        ) from None


def values_in_file(path: str) -> dict[str, Value]:
    """Return the values in a file of `NAME=VALUE` lines; empty lines and those that begin with # are ignored.

    A line ends in LF or CRLF and nothing else. A value is taken literally, quotes included. Raises CommandError,
    also if a name occurs twice.
    """
    source = manifests.display_name(path)
    values: dict[str, Value] = {}
    for number, line in enumerate(re.split(r"\r?\n", manifests.text(path)), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{source}, line {number}"
        try:
            name, value = parse_assignment(line)
        except argparse.ArgumentTypeError:
            raise CommandError(f"{where}: not NAME=VALUE; write one parameter per line") from None
        if not _NAME.fullmatch(name):
            raise CommandError(
                f"{where}: {_shown(name, 'the text before the =')} is not a parameter name (letters, digits and _); "
                "write NAME=VALUE without quotes or export"
            )
        if line.partition("=")[0].rstrip() != line.partition("=")[0]:
            raise CommandError(f"{where}: there is a space before the =; write {name}=VALUE without spaces around it")
        if name in values:
            raise CommandError(f"{where}: {name} has a value already ({values[name].where}); remove one of the lines")
        values[name] = Value(value, where)
    return values


def unknown(values: Mapping[str, Value], declared: Sequence[Parameter], advice: str) -> Iterator[tuple[str, str]]:
    """Yield each name of `values` that the template does not have, and a sentence about it.

    `advice` is added for a name in a params file that is not similar to one of the template's.
    """
    known = {parameter.name for parameter in declared}
    for name, value in values.items():
        if name not in known:
            hint = nearest(name, known)
            shown = name if hint or not value.where else _shown(name, "of the name in this line")
            yield name, f"the template has no parameter {shown}{hint or (advice if value.where else '')}"


def _shown(name: str, otherwise: str) -> str:
    """Return a name of a params file for a message; `otherwise` if it is long: it can be part of a pasted key."""
    return name if len(name) <= MAX_SHOWN_NAME else otherwise


def missing(values: Mapping[str, str], template: Template) -> Iterator[str]:
    """Yield a sentence for each parameter that requires a value and has none."""
    without = [each for each in template.declared if each.required and not each.generate]
    without = [each for each in without if not values.get(each.name, each.value)]
    kinds = parameter_kinds(template.objects, [each.name for each in without]) if without else {}
    has_one_vm = sum(map(_is_vm, template.objects)) == 1  # otherwise --vm-name is an error
    names = name_parameters(template) if has_one_vm else ()
    for each in without:
        explained = f": {text}" if (text := meaning(each)) else ""
        value = "" if kinds.get(each.name) in (SSH_KEY, COMPLETE_TEXT) else f"{each.name}=VALUE or "
        option = "--vm-name NAME" if each.name in names and each.name not in values else f"-p {value}{each.name}=@FILE"
        yield f"the parameter {each.name} is required and has no value{explained}; add {option}"


def repeated_parameters(declared: Sequence[Parameter]) -> Iterator[str]:
    """Yield a sentence for each parameter that the template declares more than once."""
    for name, number in repeated(parameter.name for parameter in declared).items():
        yield f"the parameter {name} is declared {number} times; remove all but one"


def undefined_references(template: Template) -> Iterator[str]:
    """Yield a sentence for each reference that no parameter defines. KubeVirt rejects it; OpenShift leaves it as it is.

    It can be meant so, such as `${HOME}` in a script.
    """
    known = {each.name for each in template.declared}
    texts = _texts([*template.objects, template.content.get("labels")], keys=True)
    found = {part[0]: part[1] for text in texts for part in _references(text) if part[1] not in known}
    for reference, name in sorted(found.items()):
        yield f"{reference} has no parameter, and stays as it is{nearest(name, known)}"


def _references(text: str) -> Iterator[re.Match[str]]:
    whole = TYPED_REF.match(text)
    return iter((whole,)) if whole else STRING_REF.finditer(text)


def invalid_labels(values: Mapping[str, str], template: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each of `values` that is all of a VM's labels and does not arrive.

    No processor reports it: OpenShift's drops what is not labels, and a label that the template has itself; KubeVirt's
    passes it on, and the API server rejects it.
    """
    is_openshift = template.get("kind") == "Template"
    references = {_labels_reference(each) for each in _template_objects(template)}
    own = template.get("labels")
    for name, value in values.items():
        if f"${{{{{name}}}}}" not in references:
            continue
        labels = _parse_labels(value, empty=is_openshift)
        repeated_label = _repeated_key(value)
        if repeated_label is not None:
            yield f"the parameter {name}: the label {repeated_label} is given more than once, and the last one counts"
        if labels is None:
            result = "OpenShift ignores it" if is_openshift else "the cluster rejects it"
            yield f'the parameter {name} is not a JSON object of strings, such as {{"team": "db"}}: {result}'
        elif is_openshift and isinstance(own, dict):
            for key in labels.keys() & own.keys():
                if labels[key] != own[key]:
                    yield f"the parameter {name}: the label {key} is ignored, the template's own {own[key]!s:.63} stays"


def changed_types(values: Mapping[str, str], template: Template) -> Iterator[str]:
    """Yield a sentence for each of `values` that changes the JSON type of a leaf of the template."""
    defaults = {each.name: each.value for each in template.declared if each.value}
    for name in sorted(_typed_references(template.content) & values.keys() & defaults.keys()):
        before, after = _json_type(defaults[name]), _json_type(values[name])
        if before not in (after, "an object"):
            yield f"the parameter {name} is {after}, its default is {before}: the cluster can reject the result"


def refused_values(template: Template, values: Mapping[str, str], given: Mapping[str, Value]) -> list[str]:
    """Return a sentence for each of `values` with which cloud-init cannot read a cloud-config, or takes another secret.

    The template's own defaults are never refused.
    """
    objects = template.objects
    intended = {(each.name, each.value) for each in template.declared if each.value or not each.generate}
    changed = dict(values.items() - intended)
    kinds = parameter_kinds(objects, changed)
    typed = {name: value for name, value in given.items() if name in changed}
    forgotten = forgotten_files(kinds, {name: value for name, value in typed.items() if name in kinds})
    altered = [
        *altered_values(objects, template.declared, changed, typed),
        *unread_texts(objects, template.declared, typed),
    ]
    return [
        *forgotten.values(),
        *(each.problem for each in altered if each.is_refused and each.name not in forgotten),
    ]


def long_inline_data(objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each inline userData or networkData that KubeVirt rejects because of its size."""
    for vm in objects:
        spec = field_at(vm, "spec", "template", "spec")
        volumes = spec.get("volumes") if isinstance(spec, dict) else None
        for index, volume in enumerate(volumes if isinstance(volumes, list) else ()):
            for source in ("cloudInitNoCloud", "cloudInitConfigDrive"):
                for field in ("userData", "networkData"):
                    text = field_at(volume, source, field)
                    size = len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0
                    if size > MAX_INLINE_BYTES:
                        path = f"spec.template.spec.volumes[{index}].{source}.{field}"
                        yield f"{path}: has {size:,} bytes, and KubeVirt rejects more than 2,048; keep it in a Secret"


def open_template(where: str, content: Any) -> Template:
    """Return a template that was read. Raises CommandError if it is not one."""
    if manifests.kind_of(content) not in KINDS:
        is_vm = manifests.kind_of(content) == "VirtualMachine"
        hint = "; `atmpl render` makes one from a VirtualMachine" if is_vm else ""
        raise CommandError(f"{where}: {manifests.describe_kind(content)}; give a {' or a '.join(KINDS)}{hint}")
    if path := _surrogate_path(content):
        raise CommandError(f"{where}: {path}: contains half of a surrogate pair; remove that character")
    try:
        return Template(where, content, parameters(content))
    except atmpl.ProcessError as error:
        raise CommandError(f"{where}: {'; '.join(error.errors)}") from None


def print_parameters(declared: Sequence[Parameter], values: dict[str, str], form: str | None, output: Output) -> None:
    """Print the parameters: as a table, or in a form of FORMS."""
    if form is None:
        columns = terminal.width(sys.stdout) if sys.stdout.isatty() else None
        output.write_bytes(table(declared, values, columns).encode("utf-8", "replace"))
    else:
        output.write([_fields(parameter, values) for parameter in declared])


def _read_template(path: str, name: str | None) -> Template:
    """Return the template of a file: the one named `name`, or the only one. Raises CommandError."""
    found = documents(path)
    for each in found:
        if isinstance(each, InvalidDocument):
            raise CommandError(f"{each.where}: {each.reason}")
    candidates = [each for each in found if not isinstance(each, InvalidDocument)]
    templates = [each for each in candidates if manifests.kind_of(each.value) in KINDS]
    if not templates and len(candidates) == 1:
        return open_template(*candidates[0])  # raises
    names = ", ".join(manifests.name_of(each.value) or "(without a name)" for each in templates)
    source = manifests.display_name(path)
    if name is not None:
        chosen = [each for each in templates if manifests.name_of(each.value) == name]
        if len(chosen) != 1:
            number = f"{len(chosen)} templates are" if chosen else "no template is"
            raise CommandError(f"{source}: {number} named {name}; the file has: {names or 'no template'}")
        [each] = chosen
    else:
        if len(templates) != 1:
            problem = f"{len(templates)} templates found; choose one with --template: {names}"
            raise CommandError(f"{source}: {problem if templates else 'no template found; give one'}")
        [each] = templates
        for other in candidates:
            if other is not each:
                kind = manifests.kind_of(other.value) or "object without a kind"
                terminal.info(f"{other.where}: {kind} skipped: not part of the template; apply it with kubectl")
    return open_template(*each)


def _fields(parameter: Parameter, values: Mapping[str, str]) -> dict[str, str | bool]:
    """Return the parameter as a template has it, without empty fields."""
    fields: dict[str, str | bool] = {
        "name": parameter.name,
        "displayName": parameter.display_name,
        "description": parameter.description,
        "value": values.get(parameter.name, parameter.value),
        "generate": parameter.generate,
        "from": parameter.from_,
        "required": parameter.required,
    }
    return {name: value for name, value in fields.items() if value}


def _complete(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> dict[str, str]:
    """Return the candidates after `-p`: `NAME=` of each parameter, and its value as soon as the name is complete."""
    if parsed_args.file in (None, manifests.STDIN):
        return {}
    try:
        declared = _read_template(parsed_args.file, parsed_args.template).declared
    except CommandError:
        return {}
    return complete_parameters(prefix, declared)


def complete_template_names(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the templates in FILE, for shell completion."""
    if parsed_args.file in (None, manifests.STDIN):
        return []
    try:
        found = [each.value for each in documents(parsed_args.file) if not isinstance(each, InvalidDocument)]
    except CommandError:
        return []
    names = [manifests.name_of(each) for each in found if manifests.kind_of(each) in KINDS]
    return [name for name in names if name.startswith(prefix)]


def complete_parameters(prefix: str, declared: Iterable[Parameter]) -> dict[str, str]:
    """Return the candidates for a `NAME=VALUE` or a `NAME=@FILE` that begins with `prefix`, with their meanings."""
    name, is_file, path = prefix.partition("=@")
    if is_file:
        return {f"{name}=@{each}": "" for each in _files(path)}
    has_name = "=" in prefix
    return {
        f"{each.name}={each.value if has_name else ''}": each.display_name
        for each in declared
        if not has_name or each.value.isprintable()
    }


def _files(prefix: str) -> list[str]:
    """Return the files and directories that begin with `prefix`, as a shell completes them."""
    import glob

    expanded = os.path.expanduser(prefix)  # noqa: PTH111 - pathlib's raises if there is no home
    found = sorted(glob.glob(f"{glob.escape(expanded)}*"))  # noqa: PTH207 - pathlib drops ./
    ends = [each[len(expanded) :] + ("/" if os.path.isdir(each) else "") for each in found]  # noqa: PTH112
    return [f"{prefix}{end}" for end in ends]


def _template_objects(content: Mapping[str, Any]) -> list[Any]:
    """Return the objects of a template, in the order of the processed ones."""
    spec = content.get("spec")
    objects = content.get("objects") or (spec.get("virtualMachine") if isinstance(spec, dict) else None)
    return objects if isinstance(objects, list) else [objects]


def _names_inside_texts(objects: list[Any]) -> set[str]:
    """Return the names of all parameters that are a part of a longer text in the objects of a template."""
    names: set[str] = set()
    for text in _texts(objects):
        if not STRING_REF.fullmatch(text):
            names.update(STRING_REF.findall(text))
    return names


def _labels_reference(each: Any) -> str | None:
    labels = field_at(each, "metadata", "labels")
    return labels if isinstance(labels, str) else None


def _parse_labels(value: str, *, empty: bool) -> dict[str, str] | None:
    """Return labels written as JSON, None if they are not; `empty`: if an empty text counts as labels."""
    if not value and not empty:
        return None
    try:
        labels = orjson.loads(value or "null")
    except orjson.JSONDecodeError:
        return None
    if labels is None:
        return {}
    if isinstance(labels, dict) and all(isinstance(each, str) for each in labels.values()):
        return labels
    return None


def _repeated_key(value: str) -> str | None:
    """Return a key that the JSON object `value` has more than once, None if there is none."""
    try:
        pairs = json.loads(value, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    keys = [pair[0] for pair in pairs if isinstance(pair, tuple)] if isinstance(pairs, list) else []
    return next(iter(repeated(keys)), None)


def _typed_references(content: Any) -> set[str]:
    """Return the names of all parameters that are used as `${{P}}`."""
    return {match[1] for text in _texts(content) if (match := TYPED_REF.match(text))}


def _texts(content: Any, *, keys: bool = False) -> Iterator[str]:
    """Yield all strings below `content` that are values, and with `keys` also those that are keys."""
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
            yield from value if keys else ()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str):
            yield value


def _json_type(text: str) -> str:
    """Return the JSON type that a processor gives the value of `${{P}}`, with its article."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "a string"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _surrogate_path(content: Any) -> str | None:
    """Return the path of a string or a key that holds half of a surrogate pair, None if there is none."""
    pending: list[tuple[str, Any]] = [("", content)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            for key in value:
                if not _is_unicode(key):
                    return f"{path}: a key".lstrip(": ")
            pending += [(f"{path}.{key}".lstrip("."), item) for key, item in value.items()]
        elif isinstance(value, list):
            pending += [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        elif isinstance(value, str) and not _is_unicode(value):
            return path
    return None


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
