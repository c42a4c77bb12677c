"""The rights that the tests grant to users, and a wait until the API server applies them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from e2e.envtest import ApiError, Client

RBAC = "rbac.authorization.k8s.io"
GET_VMS = {"apiGroups": ["kubevirt.io"], "resources": ["virtualmachines"], "verbs": ["get"]}
REQUEST_RIGHTS = {
    "apiGroups": ["ssp.kubevirt.io"],
    "resources": ["virtualmachinetemplaterequests"],
    "verbs": ["create", "get", "update", "patch", "delete"],
}
MAKE = {
    "openshift": {"apiGroups": ["template.openshift.io"], "resources": ["templates"], "verbs": ["create", "patch"]},
    "native": {
        "apiGroups": ["template.kubevirt.io"],
        "resources": ["virtualmachinetemplates"],
        "verbs": ["create", "patch"],
    },
}


def may(user: str, name: str, rules: Sequence[dict[str, Any]], namespace: str | None) -> list[dict[str, Any]]:
    """The role and the binding that give `user` the rules in a namespace; in all of them where it is None."""
    kind = "ClusterRole" if namespace is None else "Role"
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    version = f"{RBAC}/v1"
    return [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": list(rules)},
        {
            "apiVersion": version,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        },
    ]


async def await_admission(client: Client, collection: str, request: dict[str, Any], *, refused: bool) -> None:
    """Return once the policy refuses this request of this user, or lets it pass: a change takes about a second."""
    async with asyncio.timeout(30):
        while True:
            if await is_refused(client, collection, request, dryRun="All") is refused:
                return
            await asyncio.sleep(0.05)


async def is_refused(client: Client, collection: str, request: dict[str, Any], **params: str) -> bool:
    """Create a request of a user who may; return True if the policy refused it.

    The server learns of roles and bindings by its own watches: rights that were just granted take a moment.
    """
    async with asyncio.timeout(30):
        while True:
            try:
                await client.post(collection, request, **params)
            except ApiError as error:
                if "ValidatingAdmissionPolicy" in error.message:
                    return True
                if error.status != 403:
                    raise
            else:
                return False
            await asyncio.sleep(0.05)
