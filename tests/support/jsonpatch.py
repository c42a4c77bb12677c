"""RFC 6902, as far as the API server's own library goes with it: what a patch makes of an object, or why it cannot."""

from typing import Any

import orjson


class TestFailedError(Exception):
    """A `test` found something else."""

    __test__ = False


class NoSuchPathError(Exception):
    """A step names a path that does not exist."""


def copied(document: Any) -> Any:
    """Return a copy of JSON that shares nothing with it."""
    return orjson.loads(orjson.dumps(document))


def applied(patch: list[dict[str, Any]], document: Any) -> Any:
    """Return what `patch` makes of `document`, which stays as it is."""
    holder = {"": copied(document)}
    for step in patch:
        parent: Any = holder
        *way, last = [key.replace("~1", "/").replace("~0", "~") for key in step["path"].split("/")]
        for key in way:
            parent = _at(parent, key)
        match step["op"]:
            case "test":
                if (parent.get(last) if isinstance(parent, dict) else _at(parent, last)) != step["value"]:
                    raise TestFailedError(step["path"])
            case "add" if isinstance(parent, list):
                parent.insert(len(parent) if last == "-" else int(last), copied(step["value"]))
            case "add" if isinstance(parent, dict):
                parent[last] = copied(step["value"])
            case "replace":
                _at(parent, last)
                parent[last if isinstance(parent, dict) else int(last)] = copied(step["value"])
            case "remove":
                _at(parent, last)
                del parent[last if isinstance(parent, dict) else int(last)]
            case _:
                raise NoSuchPathError(step)
    return holder[""]


def _at(parent: Any, key: str) -> Any:
    try:
        return parent[key] if isinstance(parent, dict) else parent[int(key)]
    except (LookupError, TypeError, ValueError):
        raise NoSuchPathError(key) from None
