"""`atmpl create`: request a template of a virtual machine in the cluster, and wait for it."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atmpl.cli import options, terminal
from atmpl.cli.errors import CommandError, UsageError
from atmpl.cli.output import Output, meaning
from atmpl.template import FORMATS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from atmpl.cli.client import ClusterClient
    from atmpl.cli.wait import Advice, RequestState

FORMS = ("name", "yaml", "json")
REJECTED, TIMED_OUT = 1, 3  # exit statuses
REQUESTER = ("username", "uid", "groups", "extra")  # fields of spec.requester and of userInfo
ADVICE_SECONDS = 5.0  # the template exists: its advice waits no longer for the cluster
MAX_OPTIONS = 4  # `-p` in a command that is suggested; more values belong into a file
MAX_LISTED = 10  # parameters of secrets
NOT_SECRET = ("NAME", "SUFFIX")  # generated parameters
GROUP = "ssp.kubevirt.io"
KIND = "VirtualMachineTemplateRequest"
INSTALL = (
    "the cluster does not serve atmpl's requests; ask its administrator to install the manifest of atmpl's release"
)

DESCRIPTION = """\
Request a template of a virtual machine in the cluster, and wait for it.

Creates a VirtualMachineTemplateRequest, which atmpl's controller processes.
Progress goes to standard error, the result to standard output. The request has
the template's name and stays in the cluster: see kubectl get vmtreq.

With --refresh OnChange the controller updates the template whenever the virtual
machine changes, and creates it again after you delete it, as long as the request
exists; deleting the request keeps the template. With Once the template is yours:
the controller neither changes it nor creates it again.

Requires the rights to get the virtual machine, and to create requests and
templates in the template's namespace; with OnChange also to patch templates.
Waiting requires the rights to get, list and watch requests.

Ctrl-C and --timeout stop only the wait. The controller still serves the
request.
"""

EPILOG = """\
examples:
  # a template of the virtual machine web, named web-template
  atmpl create --vm web

  # of one in another namespace that you may read, under another name; each new
  # virtual machine gets its own disks
  atmpl create --vm web --vm-namespace team-a --name small --data-volumes Unique

  # updated whenever the virtual machine changes
  atmpl create --vm web --name web-live --refresh OnChange

  # a golden template for colleagues, in their namespace: without your
  # passwords, keys and disks, and with few parameters
  atmpl create --vm web --vm-namespace team-a -n shared --name golden \\
    --secrets Extract --data-volumes Unique --profile Common

  # its parameters: those that each new virtual machine requires, and the others
  atmpl instantiate -n shared --template golden --print-params

  # only print the request, to keep it in a file
  atmpl create --vm web --dry-run=client -o yaml

exit status:
  0  the template exists
     --wait=false: the request was created
     --dry-run=server: the cluster accepts the request
     --dry-run=client: the options are valid
  1  an error, such as a rejected request; standard error has the cause
  2  wrong usage
  3  not ready within --timeout; the request stays
  130  Ctrl-C; a request that was created stays
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `atmpl create` on `parser`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    vm = parser.add_argument(
        "--vm",
        type=options.vm,
        required=True,
        metavar="NAME",
        help="the virtual machine; if it does not exist yet, the request waits for it",
    )
    vm.completer = options.complete_vms  # type: ignore[attr-defined] # argcomplete's attribute
    vm_namespace = parser.add_argument(
        "--vm-namespace",
        type=options.namespace,
        metavar="NAMESPACE",
        help="namespace of the virtual machine (default: that of the template)",
    )
    vm_namespace.completer = options.complete_namespaces  # type: ignore[attr-defined]
    options.add_template_options(parser)
    parser.add_argument(
        "--refresh",
        choices=("Once", "OnChange"),
        default="Once",
        help="Once: make the template once; OnChange: update it whenever the virtual machine changes (default: Once)",
    )
    parser.add_argument(
        "--ttl",
        type=options.whole_seconds,
        metavar="TIME",
        help="delete the request, not its template, this long after success: 90s, 1h, 1d, or seconds without a unit; "
        "only with --refresh Once (default: keep the request)",
    )
    parser.add_argument(
        "--wait",
        choices=("true", "false"),
        nargs="?",
        const="true",
        default="true",
        help="wait until the template exists (default: true)",
    )
    parser.add_argument(
        "--timeout",
        type=options.duration,
        default=60.0,
        metavar="TIME",
        help="how long to wait: 90s, 5m, 1h30m, or seconds without a unit (default: 60s)",
    )
    parser.add_argument(
        "--dry-run",
        choices=("client", "server"),
        help="create nothing; client: use no cluster; server: let the cluster check the request",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMS,
        help="form of the result: yaml and json print the whole object, name prints KIND/NAME for kubectl. The result "
        "is the template; with --wait=false or --dry-run it is the request (default: one line; standard error "
        "also has the secrets and the next commands)",
    )
    options.add_cluster_options(parser)


def run(args: argparse.Namespace) -> int:
    """Create the request, wait, and print the result."""
    options.check_cluster_options(args)
    options.render_options(args)
    options.template_metadata(args)
    if args.ttl is not None and args.refresh == "OnChange":
        raise UsageError("--ttl requires --refresh Once: a request that refreshes its template never finishes")
    if args.name is None:
        args.name = options.valid_default_name(f"{args.vm}-template", "--name")
    return _Creation(args).run()


def build_request(args: argparse.Namespace, namespace: str | None) -> dict[str, Any]:
    """Return the request that the options describe; defaults are left to the cluster."""
    source = {"vmName": args.vm} | ({"vmNamespace": args.vm_namespace} if args.vm_namespace else {})
    spec: dict[str, Any] = {"source": source, "target": {FORMATS[args.format].target: {}}}
    if args.refresh != "Once":
        spec["refreshPolicy"] = args.refresh
    if args.ttl is not None:
        spec["ttlSecondsAfterFinished"] = args.ttl
    template = options.template_metadata(args)
    metadata = {"labels": dict(template.labels), "annotations": dict(template.annotations)}
    if chosen := {field: value for field, value in metadata.items() if value}:
        spec["templateMetadata"] = chosen
    if chosen := options.render_options(args).non_default():
        spec["options"] = chosen
    own = {"name": args.name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": KIND, "metadata": own, "spec": spec}


class _Creation:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._format = FORMATS[args.format]
        self._request = f"{KIND.lower()}.{GROUP}/{args.name}"  # as kubectl prints it
        self._created = False
        self._required = ""  # options of `instantiate` for the template's required parameters
        self._elsewhere = ""  # option of `instantiate` for a template in another namespace than the VM's

    def run(self) -> int:
        """Return the exit status. Raises CommandError; KeyboardInterrupt after a note that the request remains."""
        if self._args.dry_run == "client":
            self._print(build_request(self._args, self._args.namespace), self._request, "created (dry run)")
            return 0
        import asyncio

        from atmpl.cli.client import open_cluster

        try:
            return asyncio.run(self._run(open_cluster(self._args)))
        except KeyboardInterrupt:
            if self._created:
                self._note_request_remains()
            raise

    async def _run(self, cluster: "AbstractAsyncContextManager[ClusterClient]") -> int:
        async with cluster as client:
            created = await self._create(client)
            if self._args.dry_run:
                self._print(created, self._request, "created (server dry run)")
                return 0
            self._created = True
            if self._args.wait == "false":
                self._print(created, self._request, "created")
                self._note_request_remains()
                return 0
            terminal.info(f"{self._request} created")
            return await self._wait(client, created)

    async def _create(self, client: "ClusterClient") -> dict[str, Any]:
        from atmpl.cli.client import explain_error, requests_path
        from atmpl.controller.cluster import AlreadyExistsError, ClusterError, ForbiddenError, InvalidError

        # Strict: the server would drop a field that it does not know.
        query = {"fieldValidation": "Strict", "fieldManager": "atmpl-create"}
        if self._args.dry_run:
            query["dryRun"] = "All"
        body, path = build_request(self._args, client.namespace), requests_path(client.namespace)
        try:
            if user := await client.user_info():
                # The controller checks this user's rights again when it refreshes the template.
                requester = {key: user[key] for key in REQUESTER if user.get(key)}
                try:
                    return await client.create(path, body | {"spec": body["spec"] | {"requester": requester}}, query)
                except (InvalidError, ForbiddenError) as error:
                    if "spec.requester" not in f"{error.server_message} {error}":
                        raise  # otherwise an older atmpl, or a proxy that changes the user: the field is optional
            return await client.create(path, body, query)
        except AlreadyExistsError:
            deletion = await self._deletion_of_existing(client)
            raise CommandError(
                f"the request {self._args.name} already exists; choose another --name, or see its state with "
                f"{self._kubectl('get vmtreq {request}')}, or delete {deletion}"
            ) from None
        except InvalidError as error:
            reason = (error.server_message or str(error)).removeprefix(
                f'{KIND}.{GROUP} "{self._args.name}" is invalid: '
            )
            if "unknown field" in reason:
                reason += "; the cluster's atmpl is older than this one: omit that option, or upgrade the cluster's"
            raise CommandError(f"the cluster rejects the request: {reason}") from None
        except ClusterError as error:
            action = f"create the request {self._args.name}"
            raise explain_error(error, action, not_served=INSTALL, client=client, namespace=client.namespace) from None

    async def _deletion_of_existing(self, client: "ClusterClient") -> str:
        """Return how to delete the request that exists, and the template that it made, if its status names one."""
        from atmpl.cli.client import requests_path
        from atmpl.cli.manifests import field_at
        from atmpl.controller.cluster import ClusterError

        try:
            request = await client.read(f"{requests_path(client.namespace)}/{self._args.name}")
        except ClusterError:
            request = None
        kind, name = (field_at(request, "status", "templateRef", field) for field in ("kind", "name"))
        if kind not in [format.kind for format in FORMATS.values()] or not options.is_name(name):
            return f"it with {self._kubectl('delete vmtreq {request}')}"
        if name == self._args.name:
            return f"it and its template with {self._kubectl(f'delete vmtreq,{kind.lower()} {{request}}')}"
        return (
            f"it with {self._kubectl('delete vmtreq {request}')}, and its template with "
            f"{self._kubectl(f'delete {kind.lower()} {name}')}"
        )

    async def _wait(self, client: "ClusterClient", created: dict[str, Any]) -> int:
        import asyncio
        from contextlib import aclosing

        from atmpl.cli.client import explain_error
        from atmpl.cli.wait import advice, parse_state, watch_request
        from atmpl.controller.cluster import ClusterError

        last = parse_state(created)
        try:
            async with (
                asyncio.timeout(self._args.timeout),
                terminal.Spinner() as spinner,
                aclosing(watch_request(client, created)) as states,
            ):
                async for state in states:
                    if not state.is_final and state.reason != last.reason:
                        self._explain(state, terminal.info)
                    last = state
                    if state.is_final:
                        break
                    spinner.text = f"waiting: {self._format_text(advice(state.reason).sentence)}"
        except TimeoutError:
            return self._timed_out(last)
        except ClusterError as error:
            self._note_request_remains()
            action = f"watch the request {self._args.name}"
            raise explain_error(error, action, not_served=INSTALL, client=client, namespace=client.namespace) from None
        if last.ready:
            return await self._report_ready(client, last)
        if last.deleted:
            raise CommandError(f"the request {self._args.name} was deleted before its template was made")
        self._explain(last, terminal.error)
        return REJECTED

    async def _report_ready(self, client: "ClusterClient", last: "RequestState") -> int:
        from atmpl.cli.wait import advice

        status = last.request["status"]
        for warning in status.get("warnings") or ():
            place = f"{warning['path']}: " if warning.get("path") else ""
            terminal.warning(f"{place}{warning['reason']}: {options.rewrite_advice_for_cli(warning['message'])}")
        group = self._format.api_version.partition("/")[0]
        named = f"{self._format.kind.lower()}.{group}/{self._args.name}"
        if self._args.output in ("yaml", "json"):
            self._print(await self._read_template(client), named, "")
        else:
            count = status.get("parameterCount")
            self._print({}, named, "created" if count is None else f"created with {count} parameters")
        if self._args.output is None:
            if self._args.vm_namespace not in (None, client.namespace):
                self._elsewhere = f" --template-namespace {client.namespace}"
            await self._report_secrets(client)
            self._advise(advice(last.reason))
        return 0

    async def _report_secrets(self, client: "ClusterClient") -> None:
        """List the parameters that are required or generated: those that stand for secrets of the source."""
        import asyncio

        from atmpl.controller.cluster import ClusterError
        from atmpl.template import ProcessError
        from atmpl.template.parameters import parameters

        try:
            async with asyncio.timeout(ADVICE_SECONDS):
                template = await client.read_template(self._format, self._args.name) or {}
            unset = [each for each in parameters(template) if not each.value and each.name not in NOT_SECRET]
        except (ClusterError, ProcessError, TimeoutError):
            return  # for example, the user may create templates, but not read them
        required = [each for each in unset if each.required and not each.generate]
        # A placeholder that is pasted must not become a secret: there is no file of that name.
        self._required = "".join(f" -p {terminal.plain(each.name)}=@FILE" for each in required)
        if len(required) > MAX_OPTIONS:
            self._required = " --params-file FILE"
        generated = [each for each in unset if each.generate]
        for verb, found in (("to set, as NAME=VALUE or NAME=@FILE,", required), ("generated", generated)):
            if found:
                terminal.info(f"  Secrets {verb} for each new virtual machine:")
            for each in found[:MAX_LISTED]:
                terminal.info(terminal.indented(f"{each.name}  {meaning(each)}".rstrip(), indent="    "))
            if len(found) > MAX_LISTED:
                terminal.info(f"    and {len(found) - MAX_LISTED} more")

    async def _read_template(self, client: "ClusterClient") -> dict[str, Any]:
        from atmpl.cli.client import explain_error
        from atmpl.controller.cluster import ClusterError

        try:
            template = await client.read_template(self._format, self._args.name)
        except ClusterError as error:
            action = f"read the {self._format.kind} {self._args.name}, which was created"
            raise explain_error(error, action, not_served=INSTALL, client=client, namespace=client.namespace) from None
        if template is None:
            raise CommandError(f"the {self._format.kind} {self._args.name} was created, and deleted since")
        return template

    def _timed_out(self, last: "RequestState") -> int:
        from atmpl.cli.wait import advice

        explained = advice(last.reason)
        reason = f" ({last.reason})" if last.reason else ""
        sentence = self._format_text(explained.sentence)
        terminal.error(f"not ready after {self._args.timeout:g} s: {sentence}{reason}")
        if not last.reason:  # a reason was explained when it came
            self._advise(explained)
        self._note_request_remains()
        return TIMED_OUT

    def _explain(self, state: "RequestState", report: Callable[[str], None]) -> None:
        """Report the meaning of a state's reason, and what to do."""
        from atmpl.cli.wait import advice

        explained = advice(state.reason)
        report(f"{self._format_text(explained.sentence)} ({state.reason})")
        if explained.quotes_message and state.message:
            terminal.info(terminal.indented(state.message, indent="  "))
        self._advise(explained)

    def _advise(self, explained: "Advice") -> None:
        for remedy in explained.remedies:
            terminal.info(terminal.indented(self._format_text(remedy.text), indent="  "))
            for command in remedy.commands:
                terminal.info(f"    {options.fold(self._kubectl(command))}")

    def _note_request_remains(self) -> None:
        terminal.info(f"The request stays. Watch it: {self._kubectl('get vmtreq {request} --watch')}")

    def _kubectl(self, command: str) -> str:
        args, line = self._args, self._format_text(command)
        if self._elsewhere:  # then -n is the namespace of the new virtual machine
            args = argparse.Namespace(**vars(args) | {"namespace": args.vm_namespace})
        return options.kubectl_command(args, line)

    def _format_text(self, text: str) -> str:
        args = self._args
        other_namespace = args.vm_namespace if args.vm_namespace != args.namespace else None
        return text.format(
            vm=args.vm,
            there=f" in namespace {other_namespace}" if other_namespace else "",
            vms=f" -n {other_namespace}" if other_namespace else "",
            request=args.name,
            template=args.name,
            required=self._required,
            elsewhere=self._elsewhere,
            kind=self._format.kind.lower(),
            api=self._format.api_version,
            other=next(name for name in FORMATS if name != args.format),
        )

    def _print(self, printed: dict[str, Any], named: str, result: str) -> None:
        """Print an object as `-o` selects: whole, its name, or by default its name and `result`."""
        if self._args.output in ("yaml", "json"):
            Output(self._args.output).write(without_managed_fields(printed))
        else:
            text = f"{named}\n" if self._args.output == "name" else f"{named} {result}\n"
            terminal.write(text.encode())


def without_managed_fields(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object without the bookkeeping of server-side apply."""
    return value | {"metadata": {k: v for k, v in value["metadata"].items() if k != "managedFields"}}
