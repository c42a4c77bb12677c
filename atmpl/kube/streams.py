"""The streams of one controller: the objects that are watched, their stores, and the requests that they enqueue."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from atmpl.controller.objects import ObjectKey
from atmpl.kube.client import KubeClient
from atmpl.kube.reflector import Reflector
from atmpl.kube.resources import REQUESTS, VMS, Resource, templates
from atmpl.kube.stores import Store, of_namespace
from atmpl.kube.stores.requests import NamespaceRequests, RequestStore
from atmpl.kube.stores.templates import TemplateStore
from atmpl.kube.stores.vms import VMStore
from atmpl.kube.watch_events import WatchTarget
from atmpl.kube.workqueue import WorkQueue
from atmpl.template import FORMATS, Format
from atmpl.template.template_metadata import REFRESH

ALL_NAMESPACES: Final = ""  # the namespace of streams of the whole cluster


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream."""

    name: str  # in metrics, logs and probes: `virtualmachines`, or `team-a/virtualmachines`
    store: Store
    reflector: Reflector
    after: Store | None  # the store that is synced before this stream starts

    async def run(self) -> None:
        """Follow the objects until cancelled."""
        if self.after is not None:
            await self.after.synced.wait()
        await self.reflector.run()


class Streams:
    """The streams of the whole cluster, or of some namespaces.

    Each namespace has streams of its own: a role that is missing in one of them does not stop the others.
    """

    def __init__(
        self, client: KubeClient, queue: WorkQueue[ObjectKey], *, random: Random, namespaces: Collection[str] = ()
    ) -> None:
        """Create the streams. Without `namespaces` they are those of the whole cluster."""
        scopes = sorted(set(namespaces)) or [ALL_NAMESPACES]
        self._client = client
        self._queue = queue
        self._random = random
        self.requests = RequestStore(queue.add, queue.remove, queue.add_unless_backing_off)
        self.requests.source_unused = self._forget_vm
        self.vms = {scope: self._vm_store() for scope in scopes}
        self.templates = {
            (format.name, scope): self._template_store(format) for scope in scopes for format in FORMATS.values()
        }
        self._request_stores: list[Store] = [
            NamespaceRequests(self.requests, scope) if scope else self.requests for scope in scopes
        ]
        self.all = [
            stream
            for scope, store in zip(scopes, self._request_stores, strict=True)
            for stream in self._of(scope, store)
        ]

    def unready(self) -> str:
        """Return which list of requests is not complete; empty if all are. Only they are needed to serve requests."""
        missing = [
            stream.name
            for stream in self.all
            if stream.store in self._request_stores and stream.store.is_served is None
        ]
        return f"the first list is not complete: {', '.join(missing)}" if missing else ""

    def _of(self, scope: str, requests: Store) -> Iterator[Stream]:
        yield self._stream(REQUESTS, scope, requests)
        # The list of VMs keeps only those that requests refer to.
        yield self._stream(VMS, scope, self.vms[scope], metadata_only=True, after=requests)
        for format in FORMATS.values():
            store = self.templates[format.name, scope]
            yield self._template_stream(format, scope, store)

    def _stream(
        self,
        resource: Resource,
        scope: str,
        store: Store,
        *,
        metadata_only: bool = False,
        after: Store | None = None,
    ) -> Stream:
        target = self._target(resource, scope, metadata_only=metadata_only)
        reflector = Reflector(target, self._client, store, random=self._random)
        return Stream(self._name(resource, scope), store, reflector, after)

    def _template_stream(self, format: Format, scope: str, store: TemplateStore) -> Stream:
        """Return the stream of a format, in the first of its API versions that the cluster serves."""
        versions = {
            self._target(templates(format, version), scope, metadata_only=True, selector=f"{REFRESH}=OnChange"): version
            for version in (format.api_version, *format.aliases)
            if version.partition("/")[0] == format.api_version.partition("/")[0]
        }

        def on_alternative(target: WatchTarget) -> None:
            store.api_version = versions[target]

        first, *alternatives = versions
        reflector = Reflector(
            first,
            self._client,
            store,
            random=self._random,
            alternatives=alternatives,
            on_alternative=on_alternative,
        )
        return Stream(self._name(templates(format), scope), store, reflector, None)

    @staticmethod
    def _name(resource: Resource, scope: str) -> str:
        return f"{scope}/{resource.plural}" if scope else resource.plural

    @staticmethod
    def _target(resource: Resource, scope: str, *, metadata_only: bool = False, selector: str = "") -> WatchTarget:
        path = resource.within(scope) if scope else resource.path
        return WatchTarget(path, metadata_only=metadata_only, selector=selector)

    def _vm_store(self) -> VMStore:
        def changed(vm: ObjectKey) -> None:
            self._enqueue(self.requests.by_source(vm), backlog=not store.is_served)

        def changed_by_read(vm: ObjectKey) -> None:
            if len(requests := self.requests.by_source(vm)) > 1:  # one of them is the reader
                self._enqueue(requests, backlog=False)

        store = VMStore(
            changed, self.requests.sources, lambda: self._enqueue(self.requests.refreshed()), changed_by_read
        )
        return store

    def _template_store(self, format: Format) -> TemplateStore:
        def changed(template: ObjectKey) -> None:
            self._enqueue(self.requests.by_template(format, template), backlog=not store.is_served)

        store = TemplateStore(changed, lambda: self._enqueue(self.requests.by_format(format)))
        return store

    def _forget_vm(self, vm: ObjectKey) -> None:
        if (store := of_namespace(self.vms, vm.namespace)) is not None:
            store.forget(vm)

    def _enqueue(self, keys: Iterable[ObjectKey], *, backlog: bool = True) -> None:
        """Enqueue requests. What a first list or a whole API enqueues comes after everything else."""
        for key in list(keys):
            self._queue.add(key, backlog=backlog)
