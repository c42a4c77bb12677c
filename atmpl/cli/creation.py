"""What `atmpl create` does: the request is posted, followed, and its end is told."""

import argparse
import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from atmpl.cli import flags, terminal
from atmpl.cli.client import ClusterClient, explained, opened, requests, template
from atmpl.cli.errors import CommandError
from atmpl.cli.options import in_options
from atmpl.cli.output import Output
from atmpl.cli.reasons import Advice, advice
from atmpl.cli.spinner import Spinner
from atmpl.cli.wait import State, follow, state
from atmpl.controller.cluster import AlreadyExistsError, ClusterError, InvalidError
from atmpl.controller.request import OPTIONS
from atmpl.template import FORMATS, RenderOptions

REFUSED, NOT_IN_TIME = 1, 3  # exit statuses; `atmpl create --help` has them all
GROUP = "ssp.kubevirt.io"
KIND = "VirtualMachineTemplateRequest"
INSTALL = (
    "the cluster does not know atmpl's requests; have its administrator install atmpl: kubectl apply -k config/default"
)


def request(args: argparse.Namespace, namespace: str | None) -> dict[str, Any]:
    """Return the request that the options ask for; what is the default is left to the cluster."""
    source = {"vmName": args.vm} | ({"vmNamespace": args.vm_namespace} if args.vm_namespace else {})
    spec: dict[str, Any] = {"source": source, "target": {FORMATS[args.format].target: {}}}
    if args.refresh != "Once":
        spec["refreshPolicy"] = args.refresh
    if args.ttl is not None:
        spec["ttlSecondsAfterFinished"] = int(args.ttl)
    typed = {field: getattr(args, ours) for field, (ours, _) in OPTIONS.items()}
    default = {field: getattr(RenderOptions(), ours) for field, (ours, _) in OPTIONS.items()}
    if options := {field: value for field, value in typed.items() if value != default[field]}:
        spec["options"] = options
    metadata = {"name": args.name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": KIND, "metadata": metadata, "spec": spec}


class Creation:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._format = FORMATS[args.format]
        self._named = f"{KIND.lower()}.{GROUP}/{args.name}"  # as kubectl prints it
        self._posted = False

    def run(self) -> int:
        """Do it all; return the exit status. Raises CommandError, and KeyboardInterrupt once it has said what stays."""
        if self._args.dry_run == "client":
            self._print(request(self._args, self._args.namespace), self._named, "created (dry run)")
            return 0
        try:
            return asyncio.run(self._run())
        except KeyboardInterrupt:
            if self._posted:
                self._stays()
            raise

    async def _run(self) -> int:
        async with opened(self._args) as api:
            created = await self._post(api)
            if self._args.dry_run:
                self._print(created, self._named, "created (server dry run)")
                return 0
            self._posted = True
            if self._args.wait == "false":
                self._print(created, self._named, "created")
                self._stays()
                return 0
            terminal.note(f"{self._named} created")
            return await self._wait(api, created)

    async def _post(self, api: ClusterClient) -> dict[str, Any]:
        query = {
            "fieldValidation": "Strict",
            "fieldManager": "atmpl-create",
        }  # else an option it does not know is dropped
        if self._args.dry_run:
            query["dryRun"] = "All"
        try:
            return await api.create(requests(api.namespace), request(self._args, api.namespace), query)
        except AlreadyExistsError:
            raise CommandError(
                f"there is a request {self._args.name} already: choose another --name; or see what has become of it, "
                f"with {self._kubectl('get vmtreq {request}')}, and make room by deleting it and its template, with "
                f"{self._kubectl('delete vmtreq,{kind} {template}')}"
            ) from None
        except InvalidError as error:
            why = str(error).removeprefix(f'{KIND}.{GROUP} "{self._args.name}" is invalid: ')
            if "unknown field" in why:
                why += "; the cluster's atmpl is older than this one: leave that option out, or have it upgraded"
            raise CommandError(f"the cluster refuses the request: {why}") from None
        except ClusterError as error:
            doing = f"create the request {self._args.name}"
            raise explained(error, doing, unserved=INSTALL, api=api, namespace=api.namespace) from None

    async def _wait(self, api: ClusterClient, created: dict[str, Any]) -> int:
        last = state(created)
        try:
            async with (
                asyncio.timeout(self._args.timeout),
                Spinner() as spinner,
                aclosing(follow(api, created)) as states,
            ):
                async for now in states:
                    if not now.final and now.reason != last.reason:
                        self._explain(now, terminal.note)
                    last = now
                    if now.final:
                        break
                    spinner.text = f"waiting: {self._fill(advice(now.reason).sentence)}"
        except TimeoutError:
            return self._late(last)
        except ClusterError as error:
            self._stays()
            doing = f"follow the request {self._args.name}"
            raise explained(error, doing, unserved=INSTALL, api=api, namespace=api.namespace) from None
        if last.ready:
            return await self._ready(api, last)
        if last.gone:
            raise CommandError(f"the request {self._args.name} was deleted before its template was there")
        self._explain(last, terminal.error)
        return REFUSED

    async def _ready(self, api: ClusterClient, last: State) -> int:
        """Tell of a template that is there."""
        status = last.found["status"]
        for warning in status.get("warnings") or ():
            place = f"{warning['path']}: " if warning.get("path") else ""
            terminal.warning(f"{place}{warning['reason']}: {in_options(warning['message'])}")
        group = self._format.api_version.partition("/")[0]
        named = f"{self._format.kind.lower()}.{group}/{self._args.name}"
        if self._args.output in ("yaml", "json"):
            self._print(await self._template(api), named, "")
        else:
            self._print({}, named, f"is made, with {status['parameters']} parameters")
        if self._args.output is None:
            self._advise(advice(last.reason))
        return 0

    async def _template(self, api: ClusterClient) -> dict[str, Any]:
        try:
            found = await api.read(template(self._format, api.namespace, self._args.name))
        except ClusterError as error:
            doing = f"read the {self._format.kind} {self._args.name}, which is made"
            raise explained(error, doing, unserved=INSTALL, api=api, namespace=api.namespace) from None
        if found is None:
            raise CommandError(f"the {self._format.kind} {self._args.name} was made, and somebody has deleted it since")
        return found

    def _late(self, last: State) -> int:
        said = advice(last.reason)
        because = f" ({last.reason})" if last.reason else ""
        terminal.error(f"not there after {self._args.timeout:g} s: {self._fill(said.sentence)}{because}")
        if not last.reason:  # else it was told when it came
            self._advise(said)
        self._stays()
        return NOT_IN_TIME

    def _explain(self, now: State, say: Callable[[str], None]) -> None:
        """Say what a reason means, and what to do."""
        said = advice(now.reason)
        say(f"{self._fill(said.sentence)} ({now.reason})")
        if said.quotes and now.message:
            terminal.note(terminal.shaped(now.message, indent="  "))
        self._advise(said)

    def _advise(self, said: Advice) -> None:
        terminal.note(terminal.shaped(self._fill(said.remedy), indent="  "))
        for command in said.commands:
            terminal.note(f"    {flags.folded(self._kubectl(command))}")

    def _stays(self) -> None:
        terminal.note(f"The request stays. Watch it: {self._kubectl('get vmtreq {request} --watch')}")

    def _kubectl(self, command: str) -> str:
        return flags.kubectl(self._args, self._fill(command))

    def _fill(self, text: str) -> str:
        args = self._args
        elsewhere = args.vm_namespace if args.vm_namespace != args.namespace else None
        return text.format(
            vm=args.vm,
            there=f" in namespace {elsewhere}" if elsewhere else "",
            vms=f" -n {elsewhere}" if elsewhere else "",
            request=args.name,
            template=args.name,
            kind=self._format.kind.lower(),
            api=self._format.api_version,
            other=next(name for name in FORMATS if name != args.format),
        )

    def _print(self, found: dict[str, Any], named: str, what: str) -> None:
        """Print an object as `-o` says: whole, its name, or without `-o` its name and what has become of it."""
        if self._args.output in ("yaml", "json"):
            found = found | {"metadata": {k: v for k, v in found["metadata"].items() if k != "managedFields"}}
            Output(self._args.output).write(found)
        else:
            terminal.put(f"{named}\n".encode() if self._args.output == "name" else f"{named} {what}\n".encode())
