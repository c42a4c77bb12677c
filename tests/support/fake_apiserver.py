"""An API server in memory, as far as the controller goes: objects, their versions, and what each verb answers.

It is held to the real one by `test_contract.py`, sentence by sentence. Objects never change once they are stored, so that
a reference shows the object as it was.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from atmpl.controller.objects import ObjectKey
from atmpl.kube.response import Response
from tests.support.jsonpatch import NoSuchPathError, TestFailedError, applied, copied
from tests.support.resources import ACCESS_REVIEWS, ALL, REQUESTS, SERVED, TEMPLATES, Object, Place, Resource, parsed
from tests.support.responses import conflict, long_name, not_found, refusal, status, terminating

STORED_LIMIT, BODY_LIMIT = 1_572_864, 3_145_728  # bytes: etcd's, and the API server's own

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
METADATA = "as=PartialObjectMetadata"


class Event(NamedTuple):
    """One change of one object, by its version."""

    version: int
    place: Place
    before: Object | None
    after: Object | None  # None: deleted

    @property
    def last(self) -> Object:
        """The object as an event shows it: of a deletion, its last state, at the version of its end."""
        shown = self.after or self.before
        assert shown is not None
        return shown | {"metadata": shown["metadata"] | {"resourceVersion": str(self.version)}}


class ApiServer:
    """Everything that is stored, and everything that ever was."""

    def __init__(self, utcnow: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._utcnow = utcnow
        self.objects: dict[Place, Object] = {}
        self.events: list[Event] = []
        self.version = 0  # of the newest event
        self.cached_at: int | None = None  # version that the watch cache has come to; None: it is never behind
        self.unserved: set[Resource] = set()
        self.terminating: set[str] = set()  # namespaces
        self.denied: set[tuple[str, ObjectKey]] = set()  # users, and the VMs that they may not get
        self.missing: set[str] = set()  # namespaces that are not there; every other one is
        self.leaves_out_empty = False  # store templates as OpenShift does, without the empty fields of a parameter
        self.listeners: list[Callable[[Event], None]] = []

    # What users do

    def get(self, resource: Resource, key: ObjectKey) -> Object | None:
        """Return an object as it is stored."""
        return self.objects.get(Place(resource, key))

    def create(self, obj: Object) -> Object:
        """Create an object in the namespace that it names."""
        [resource] = [each for each in ALL if (each.api_version, each.kind) == (obj["apiVersion"], obj["kind"])]
        key = ObjectKey(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        return self._done("POST", Place(resource, key).path.rpartition("/")[0], obj)

    def edit(self, resource: Resource, key: ObjectKey, patch: Object, *, status: bool = False) -> Object:
        """Change an object by a merge patch."""
        path = Place(resource, key).path + ("/status" if status else "")
        return self._done("PATCH", path, patch, {"Content-Type": MERGE_PATCH})

    def delete(self, resource: Resource, key: ObjectKey) -> None:
        """Delete an object."""
        self._done("DELETE", Place(resource, key).path, None)

    def _done(self, method: str, path: str, body: Object | None, headers: Mapping[str, str] | None = None) -> Object:
        sent = None if body is None else orjson.dumps(body)
        answer = self.answer(method, path, body=sent, headers=headers)
        assert answer.ok, answer
        return answer.json()

    # What the API answers

    def answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Serve the call at once and completely, and return its response."""
        resource, key, sub = parsed(path)
        if resource is SERVED:
            there = [each for each in ALL if each.api_version == "/".join(key) and each not in self.unserved]
            resources = [{"name": each.plural, "kind": each.kind} for each in there]
            return Response(200, orjson.dumps({"kind": SERVED.kind, "resources": resources}))
        if resource is None or resource in self.unserved or (sub and not resource.has_status):
            return Response(404, b"404 page not found\n")
        if len(body or b"") > BODY_LIMIT:
            return status(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}")
        place = Place(resource, key)
        sent = orjson.loads(body) if body else None
        if resource is ACCESS_REVIEWS:
            return self._review(sent)
        accept, content = (headers or {}).get("Accept", ""), (headers or {}).get("Content-Type", "")
        match method:
            case "GET":
                answer = self._read(place, (query or {}).get("resourceVersion"))
            case "POST":
                answer = self._create(place, sent)
            case "PATCH":
                answer = self._patch(place, sent, content, status_only=sub == "status")
            case "DELETE":
                return self._delete(place, (sent or {}).get("preconditions") or {})
            case _:
                raise NotImplementedError(method)
        return _only_metadata(answer) if answer.ok and METADATA in accept else answer

    def _review(self, sent: Object) -> Response:
        attributes = sent["spec"]["resourceAttributes"]
        allowed = (sent["spec"]["user"], ObjectKey(attributes["namespace"], attributes["name"])) not in self.denied
        return Response(201, orjson.dumps(sent | {"status": {"allowed": allowed}}))

    def _read(self, place: Place, version: str | None) -> Response:
        found = self.objects.get(place)
        if version is not None and int(version) > self.version:
            message = f"Timeout: Too large resource version: {version}, current: {self.version}"
            return status(504, "Timeout", message, retryAfterSeconds=1)
        if version is not None and self.cached_at is not None:
            found = self.at(place, max(int(version), self.cached_at))
        return not_found(place) if found is None else Response(200, orjson.dumps(found))

    def at(self, place: Place, version: int) -> Object | None:
        """Return an object as it was at a version."""
        for event in reversed(self.events):
            if event.place == place and event.version <= version:
                return event.after
        return None

    def _create(self, place: Place, sent: Object) -> Response:
        place = Place(place.resource, ObjectKey(place.key.namespace, sent["metadata"]["name"]))
        namespace = place.key.namespace
        if namespace in self.missing:
            return status(404, "NotFound", f'namespaces "{namespace}" not found', name=namespace, kind="namespaces")
        if namespace in self.terminating:
            return terminating(place)
        if place in self.objects:
            return refusal(409, "AlreadyExists", place, f'{long_name(place)} "{place.key.name}" already exists')
        new = self._stored(place.resource, sent)
        if place.resource.has_status:
            new.pop("status", None)
        if place.resource is REQUESTS:
            new["status"] = {"observedGeneration": -1}  # the CRD's default
        new["metadata"] |= {
            "uid": f"uid-{self.version + 1}",
            "generation": 1,
            "creationTimestamp": self._utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._store(place, None, new, 201)

    def _patch(self, place: Place, patch: Any, content: str, *, status_only: bool) -> Response:
        old = self.objects.get(place)
        if old is None:
            return not_found(place)
        try:
            new = applied(patch, old) if content == JSON_PATCH else _merged(old, patch)
        except (TestFailedError, NoSuchPathError):
            return status(422, "Invalid", "the server rejected our request due to an error in our request")
        if new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            return conflict(place, "the object has been modified; please apply your changes to the latest version")
        if new["metadata"]["uid"] != old["metadata"]["uid"]:
            return refusal(422, "Invalid", place, "metadata.uid: Invalid value: field is immutable")
        if status_only:
            new = old | ({"status": new["status"]} if "status" in new else {})
            if why := _wrong_with(new.get("status") or {}):
                return refusal(422, "Invalid", place, f"is invalid: {why}")
        else:
            new = self._stored(place.resource, new)
            if place.resource.has_status:
                new = {field: value for field, value in new.items() if field != "status"}
                new |= {"status": old["status"]} if "status" in old else {}
            if _without(new, place.resource) != _without(old, place.resource):
                new["metadata"]["generation"] += 1
        if new == old:
            return Response(200, orjson.dumps(old))
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            self._remove(place, new)
            return Response(200, orjson.dumps(new))
        return self._store(place, old, new, 200)

    def _delete(self, place: Place, wanted: Object) -> Response:
        old = self.objects.get(place)
        if old is None:
            return not_found(place)
        for field, word in (("resourceVersion", "ResourceVersion"), ("uid", "UID")):
            there = old["metadata"][field]
            if wanted.get(field, there) != there:
                return conflict(place, f"the {word} in the precondition does not match the {word} in record")
        if not old["metadata"].get("finalizers"):
            self._remove(place, old)
            return Response(200, orjson.dumps({"kind": "Status", "status": "Success"}))
        new = copied(old)
        if "deletionTimestamp" not in new["metadata"]:
            new["metadata"]["deletionTimestamp"] = self._utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")
            new["metadata"]["generation"] += 1
            return self._store(place, old, new, 200)
        return Response(200, orjson.dumps(old))

    def _stored(self, resource: Resource, sent: Object) -> Object:
        new = copied(sent)
        if resource is REQUESTS:
            new["spec"] = {"refreshPolicy": "Once", "options": {}} | new["spec"]
        if resource is TEMPLATES and self.leaves_out_empty:
            new["parameters"] = [
                {field: value for field, value in parameter.items() if value not in ("", False)}
                for parameter in new.get("parameters") or []
            ]
        return new

    def _store(self, place: Place, old: Object | None, new: Object, code: int) -> Response:
        body = orjson.dumps(new)
        if len(body) > STORED_LIMIT:
            return status(500, None, "etcdserver: request is too large")
        new = new | {"metadata": new["metadata"] | {"resourceVersion": str(self.version + 1)}}
        self.objects[place] = new
        self._tell(place, old, new)
        return Response(code, orjson.dumps(new))

    def _remove(self, place: Place, last: Object) -> None:
        del self.objects[place]
        self._tell(place, last, None)

    def _tell(self, place: Place, before: Object | None, after: Object | None) -> None:
        self.version += 1
        event = Event(self.version, place, before, after)
        self.events.append(event)
        for listener in self.listeners:
            listener(event)


def _only_metadata(answer: Response) -> Response:
    return replace(
        answer, body=orjson.dumps({"kind": "PartialObjectMetadata", "metadata": orjson.loads(answer.body)["metadata"]})
    )


def _without(obj: Object, resource: Resource) -> Object:
    """Return what of an object a generation counts."""
    aside = {"metadata", "status"} if resource.has_status else {"metadata"}
    return {field: value for field, value in obj.items() if field not in aside}


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copied(patch)
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = _merged(new.get(key), value)
    return new


def _wrong_with(status: Object) -> str:
    """Return the errors of the request's CRD about a status: its bounds."""
    for condition in status.get("conditions") or []:
        if missing := {"type", "status", "reason", "message", "lastTransitionTime"} - condition.keys():
            return f"status.conditions: {min(missing)}: Required value"
        if len(condition["message"]) > 32_768:
            return "status.conditions: message: Too long"
    if len(status.get("warnings") or []) > 100:
        return "status.warnings: Too many"
    return ""
