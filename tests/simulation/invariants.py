"""What no write of the controller may do."""

import orjson

from atmpl.controller.request import parse_request
from atmpl.template.template_metadata import REFRESH, REQUEST, REQUEST_UID
from tests.support.fake_apiserver import ApiServer
from tests.support.faults import Call
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, Object


def breach(call: Call, before: Object | None, after: Object | None, server: ApiServer) -> str | None:
    """Return the invariant that a write breaks; None if it breaks none. `after` is None for a deletion."""
    where = call.place.resource
    if where is REQUESTS:
        return _of_request(call, before, after, server)
    if where in (TEMPLATES, NATIVE):
        return _of_template(call, before, after, server)
    return f"{call.word} is none of its business"


def _of_request(call: Call, before: Object | None, after: Object | None, server: ApiServer) -> str | None:
    assert before is not None
    before_metadata = before["metadata"]
    if after is None:
        if call.body["preconditions"] != {field: before_metadata[field] for field in ("uid", "resourceVersion")}:
            return "deleted a request without preconditions"
        old = parse_request(orjson.dumps(before))
        return (
            None
            if old.is_finished and old.spec and old.spec.ttl_seconds is not None
            else "deleted a request without a TTL"
        )
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": before_metadata["resourceVersion"]}
    if call.body[0] != version:
        return "wrote a status without the resourceVersion"
    same = {field: value for field, value in after.items() if field not in ("status", "metadata")}
    if same != {field: value for field, value in before.items() if field not in ("status", "metadata")}:
        return "wrote more of a request than its status"
    return _of_status(before_metadata["uid"], before.get("status", {}), after["status"], server)


def _of_status(uid: str, before: Object, after: Object, server: ApiServer) -> str | None:
    """A status names a template that was this request's once, and a VM that existed."""
    there = after.get("templateRef")
    if there != before.get("templateRef") and not any(
        shown and shown["metadata"]["uid"] == there["uid"] and _owner(shown) == uid
        for shown in (event.after for event in reversed(server.events))
    ):
        return "the status names a template that never belonged to this request"
    return None


def _of_template(call: Call, before: Object | None, after: Object | None, server: ApiServer) -> str | None:
    if after is None:
        return "deleted a template"
    if before is None:
        owner = _owner(after)
        ever = (event.after or event.before for event in reversed(server.events) if event.place.resource is REQUESTS)
        return (
            None
            if any(shown and shown["metadata"]["uid"] == owner for shown in ever)
            else "created a template without a request"
        )
    before_metadata = before["metadata"]
    tests = [
        {"op": "test", "path": f"/metadata/{field}", "value": before_metadata[field]}
        for field in ("uid", "resourceVersion")
    ]
    if call.body[:2] != tests:
        return "patched a template without a test of what it is"
    owner, new = _owner(before), _owner(after)
    if owner is None:
        return "overwrote an unowned template"
    living = {obj["metadata"]["uid"]: obj for place, obj in server.objects.items() if place.resource is REQUESTS}
    if owner != new:
        if owner in living:
            return "took the template of a request that lives"
        if new not in living:
            return "took a template for a request that is gone"
        metadata = living[new]["metadata"]
        if before_metadata["annotations"].get(REQUEST) != f"{metadata['namespace']}/{metadata['name']}":
            return "took a template of another request's name"
        return None
    if (
        owner in living
        and parse_request(orjson.dumps(living[owner])).is_finished
        and _content(before) != _content(after)
    ):
        return "wrote the template of a finished request"
    return None


def _owner(template: Object) -> str | None:
    found: str | None = (template["metadata"].get("labels") or {}).get(REQUEST_UID)
    return found


def _content(template: Object) -> Object:
    """Return what of a template is its user's once its request is finished: all but what keeps it in step."""
    metadata = template["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key != REFRESH}
    rest = {field: value for field, value in template.items() if field != "metadata"}
    return rest | {"labels": labels, "annotations": metadata.get("annotations")}
