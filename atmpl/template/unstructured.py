"""An object as Kubernetes' `Unstructured` sees it: whatever its fields hold, nothing here fails."""

from typing import Any

from atmpl.template.substitution import PART


def identity(item: dict[str, Any]) -> tuple[str, str]:
    """Return apiVersion and kind as they come out of Kubernetes' GroupVersionKind."""
    version, kind = item.get("apiVersion"), item.get("kind")
    version = version if type(version) is str else ""
    if version.count("/") > 1:
        return "", ""
    return version.removeprefix("/"), kind if type(kind) is str else ""


def without_namespace(item: dict[str, Any]) -> dict[str, Any]:
    """Return the object without a namespace, unless that one holds a `${P}`; `item` is not changed."""
    metadata = item.get("metadata")
    if type(metadata) is dict and "namespace" in metadata:
        namespace = metadata["namespace"]
        if type(namespace) is str and PART.search(namespace):
            return item
        kept = {key: value for key, value in metadata.items() if key != "namespace"}
        return {**item, "metadata": kept if namespace and type(namespace) is str else {**kept, "namespace": ""}}
    if "metadata" not in item and "namespace" in item:
        namespace = item["namespace"]
        if type(namespace) is not str or not PART.search(namespace):
            return {**item, "namespace": ""}
    return item


def merge_labels(new: dict[str, Any], labels: dict[str, str]) -> None:
    """Merge the template's labels into the object's, which count only where every value is a string or null."""
    metadata = new.setdefault("metadata", {})
    if type(metadata) is not dict:
        return
    own = metadata.get("labels")
    if type(own) is dict and all(value is None or type(value) is str for value in own.values()):
        metadata["labels"] = {key: value or "" for key, value in own.items()} | labels
    else:
        metadata["labels"] = dict(labels)
