"""The rights that roles grant to the controller, and those that it uses according to an audit log."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

USER = "system:serviceaccount:atmpl-system:atmpl-controller"
AUDIT_IT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}],
}


class Right(NamedTuple):
    """One verb on one resource; an empty name or namespace is any."""

    verb: str
    group: str
    resource: str  # with its subresource: virtualmachinetemplaterequests/status
    name: str = ""
    namespace: str = ""

    def allows(self, call: "Right") -> bool:
        """Whether RBAC lets the call pass by this right."""
        return self[:3] == call[:3] and self.name in {"", call.name} and self.namespace in {"", call.namespace}


def granted(objects: Sequence[dict[str, Any]]) -> set[Right]:
    """Return every right in the roles that are bound to the controller."""
    bound = {it["roleRef"]["name"] for it in objects if it["kind"].endswith("Binding") and "roleRef" in it}
    return {
        Right(verb, group, resource, name, role["metadata"].get("namespace", ""))
        for role in objects
        if role["kind"] in {"ClusterRole", "Role"} and role["metadata"]["name"] in bound
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def used(events: Iterable[dict[str, Any]]) -> set[Right]:
    """Every right that the controller has used, or would have needed: what was forbidden to it is in it too."""
    rights = set()
    for event in events:
        if event["user"]["username"] != USER:
            continue
        ref = event.get("objectRef", {})
        resource = "/".join(filter(None, [ref.get("resource", event["requestURI"]), ref.get("subresource")]))
        verbs = {event["verb"]}
        if event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == 201:
            verbs.add("create")  # an apply that made the object: RBAC checks both, and the log has one
        where = ref.get("apiGroup", ""), resource, ref.get("name", ""), ref.get("namespace", "")
        rights |= {Right(verb, *where) for verb in verbs}
    return rights


def forbidden(events: Iterable[dict[str, Any]]) -> list[str]:
    """What the controller tried and RBAC did not let it do."""
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in events
        if event["user"]["username"] == USER
        and event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
    ]
