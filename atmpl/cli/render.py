"""`atmpl render`: virtual machines to templates, without a cluster."""

import argparse
import sys
from dataclasses import fields
from typing import Any

import atmpl
from atmpl.cli import manifests, options, terminal
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.manifests import Document, InvalidDocument, documents
from atmpl.cli.output import Output, add_output
from atmpl.cli.unknown_fields import IGNORED, unknown_vm_metadata
from atmpl.template import FORMATS

TEMPLATE_ADVICE = "this is a template already; `atmpl process` makes virtual machines from it"
OTHER_ADVICE = "a template contains only the virtual machine; if new ones need this object, apply it in their namespace"

DESCRIPTION = """\
Turn KubeVirt virtual machines into templates. Needs no cluster.

Every value below spec.template.spec becomes a parameter of the template, with
the virtual machine's own value as its default. Fields called name do not become
parameters, unless --include names them. The template is verified before it is
printed: processed with its defaults, it gives the virtual machine that it was
made from, except its name and what --identity, --data-volumes and --secrets
replace.

A file holds one or many documents, in YAML or JSON, an array, or a List as
kubectl prints it. Many virtual machines give many templates; other objects,
such as Services, are skipped: apply those that new virtual machines need, or
add them to the objects of an OpenShift template by hand, for process.
Warnings and errors go to standard error, with the path of the field; an error
in one virtual machine does not stop the others.
"""

EPILOG = """\
examples:
  # the template of a virtual machine in a file
  atmpl render vm.yaml

  # of one in a cluster, applied to the cluster
  kubectl get virtualmachine web -o yaml | atmpl render - | kubectl apply -f -

  # of all in a namespace, one JSON document per line
  kubectl get virtualmachines -o yaml | atmpl render - -o json

  # a second virtual machine like the first one, beside it, with its own disks
  atmpl render vm.yaml --data-volumes Unique | atmpl process - |
    kubectl create -f -

  # a golden template for colleagues: new passwords, new disks, few parameters
  atmpl render vm.yaml --secrets Extract --data-volumes Unique --profile Common

  # for the OpenShift console, with the most common parameters only
  atmpl render vm.yaml --secrets Extract --console Complete --profile Common

  # for GitOps: --vm-name of process sets the parameter NAME
  atmpl render vm.yaml --naming Parameter

exit status:
  0  at least one virtual machine was rendered, and no error occurred
  1  an error; standard error names the object and the problem
  2  wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl render` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="file to read (default: standard input, which is also -)"
    )
    options.add_template_options(parser)
    parser.add_argument(
        "-n",
        "--namespace",
        type=options.namespace,
        help="namespace of the template (default: none); if the virtual machine is in another one, a warning lists "
        "what it uses in that namespace, such as Secrets",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also list the fields that the template omits, and why, and the parameters that replace secrets",
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Render all virtual machines of the files; return 1 if there was an error."""
    if not args.files and sys.stdin is not None and sys.stdin.isatty():
        raise UsageError("name a file with a virtual machine, or - for standard input")
    files = args.files or [manifests.STDIN]
    rendering = _Rendering(args)
    for done, path in enumerate(files):
        if len(files) > 1:
            terminal.progress(f"{done} of {len(files)} files, {path}")
        try:
            for each in documents(path):
                rendering.add(each)
        except manifests.DirectoryError as error:
            rendering.fail(f"{error}, or several as {path.rstrip('/')}/*.yaml")
        except CommandError as error:
            rendering.fail(str(error))
    terminal.clear_progress()
    return rendering.finish(files)


# Of `spec.template` in KubeVirt's CRD. Its webhook decodes a VirtualMachineTemplate strictly.
TEMPLATE_SPEC_FIELDS = frozenset(("metadata", "spec"))


class _Rendering:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._rendered = 0  # virtual machines
        self._failed = 0  # virtual machines, documents and files
        chosen = options.render_options(args)
        self._options: dict[str, Any] = {
            "format": args.format,
            "namespace": args.namespace,
            "metadata": options.template_metadata(args),
            **{field.name: getattr(chosen, field.name) for field in fields(chosen)},
        }
        self._verbose = args.verbose
        self._name = args.name
        self._output = Output(args.output, args.output_file)
        self._file = args.output_file
        self._sources: dict[str, str] = {}  # name of a template: the document that it was made from
        self._explained: set[str] = set()  # reasons of warnings, and advice, that were explained

    def add(self, each: Document | InvalidDocument) -> None:
        """Render one document, or report why not."""
        if isinstance(each, InvalidDocument):
            self.fail(f"{each.where}: {each.reason}")
            return
        kind = manifests.kind_of(each.value)
        if kind and kind != "VirtualMachine":
            self._skip(each.where, kind)
            return
        name = self._name or f"{manifests.name_of(each.value)}-template"
        try:
            if manifests.name_of(each.value):  # otherwise the error is about the virtual machine
                options.valid_default_name(name, "--name")
            rendered = atmpl.render(each.value, name=name, **self._options)
        except (atmpl.RenderError, UsageError) as error:
            self.fail(f"{each.where}: {error}")
            return
        if name in self._sources:
            self.fail(
                f"{each.where}: a template named {name} was already made from {self._sources[name]}; render them one "
                "by one, with --name"
            )
            return
        self._rendered += 1
        self._sources[name] = each.where
        self._output.write(rendered.template)
        for warning in rendered.warnings:
            self._warn(each.where, warning)
        for path in unknown_vm_metadata(each.value):
            terminal.warning(f"{each.where}: {path}: {IGNORED}")
        if rendered.template["apiVersion"].startswith("template.kubevirt.io/"):
            for field in each.value["spec"]["template"].keys() - TEMPLATE_SPEC_FIELDS:
                terminal.warning(
                    f"{each.where}: spec.template.{field}: KubeVirt does not know this field and rejects the template; "
                    "check its indentation, or remove it"
                )
        for omitted in rendered.omitted if self._verbose else ():
            terminal.info(f"{each.where}: {omitted.path}: omitted: {omitted.explanation}")
        for secret in rendered.secrets if self._verbose else ():
            use = "generated" if secret.generated else "required"
            terminal.info(f"{each.where}: {secret.path}: secret, replaced by the {use} parameter {secret.name}")

    def _skip(self, where: str, kind: str) -> None:
        """Report an object of another kind, with the advice the first time that it applies."""
        advice = TEMPLATE_ADVICE if kind in {format.kind for format in FORMATS.values()} else OTHER_ADVICE
        explanation = "" if advice in self._explained else f": {advice}"
        self._explained.add(advice)
        terminal.info(f"{where}: {kind} skipped{explanation}")

    def fail(self, sentence: str) -> None:
        """Report an error."""
        self._failed += 1
        terminal.error(sentence)

    def finish(self, files: list[str]) -> int:
        """Report the result, write the file, and return the exit status."""
        if not self._rendered and not self._failed:
            where = manifests.display_name(files[0]) if len(files) == 1 else "the files"
            self.fail(f"{where}: no VirtualMachine found; name a file that contains one")
        elif len(files) > 1:
            terminal.info(f"{self._rendered} rendered, {self._failed} failed")
        if self._failed:
            if self._file and self._rendered:
                terminal.info(f"{self._file} was not written, because of the errors")
            return 1
        self._output.commit()
        return 0

    def _warn(self, where: str, warning: atmpl.RenderWarning) -> None:
        """Report a warning, with its explanation the first time that its reason occurs."""
        sentence = f"{where}: {warning.path}: {warning.reason}"
        if warning.reason not in self._explained:
            self._explained.add(warning.reason)
            sentence += f": {options.rewrite_advice_for_cli(warning.message)}"
        terminal.warning(sentence)
