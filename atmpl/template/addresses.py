"""Addresses of the source VM that stay in a template. The check of rule 8 and the warning SourceAddress."""

import base64
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Any, Final

import orjson

from atmpl.template.cloud_config import ParsingBudget, load_yaml
from atmpl.template.json_path import INSTANCE, Path
from atmpl.template.leaves import is_memory_dump
from atmpl.template.rules import is_identity_annotation, kept_annotations
from atmpl.template.source_vm import SourceVM, objects_in, value_at

_TOKEN: Final = re.compile(r"[0-9A-Fa-f:.-]{3,}")
_MAC: Final = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?:(?:[:-][0-9a-f]{2}){2})?")
_MAC_CHARACTERS: Final = 17
_MAX_COUNTED: Final = 16  # addresses; a walk looks for any number of them at once
_IPV4: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_STATIC: Final = re.compile(
    r"""(?m)^[ \t-]*["']?(?:address|addresses|ipaddr)["']?\s*:?\s*[-\["' \t]*[0-9A-Fa-f]*[.:]"""
)
_TEXT_SOURCES: Final = ("cloudInitNoCloud", "cloudInitConfigDrive")


def address_paths(source: SourceVM, remaining_texts: Mapping[Path, str]) -> list[Path]:
    """Return the paths, from the VM's root, where an address of the source VM stays in the template.

    These are addresses that rule 8 blanks or drops, and network data with a static address. `remaining_texts` are
    the texts of secrets that stay readable, by the path of the secret below `spec`.
    """
    paths: dict[Path, None] = {}
    dropped = [*_dropped_annotations(source.annotations), *(in_spec := _dropped_in_spec(source))]
    addresses = {address for text in dropped for address in _addresses(text)}
    if addresses and _may_occur(source, addresses, in_spec):
        last_groups = {_last_group(address) for address in addresses if address.count(":") > 1}
        for path, text in _produced_texts(source, remaining_texts):
            if not addresses.isdisjoint(_addresses(text, last_groups)):
                paths[path] = None
    budget = ParsingBudget()
    for index, volume in source.volumes:
        for kind in _TEXT_SOURCES:
            for key in ("networkData", "networkDataBase64"):
                path = (*INSTANCE, "volumes", index, kind, key)
                text = value_at(volume, kind, key)
                if type(text) is not str or path in remaining_texts:
                    continue
                if _is_static(_decoded(path, text), budget):
                    paths["spec", *path] = None
    return list(paths)


def _dropped_in_spec(source: SourceVM) -> list[str]:
    """Return the texts of the VM's spec that rule 8 blanks or drops because they hold addresses."""
    interfaces = objects_in(value_at(source.instance, "domain", "devices", "interfaces"))
    texts = [text for _, interface in interfaces if type(text := interface.get("macAddress")) is str]
    return texts + _dropped_annotations(source.template_annotations)


def _dropped_annotations(annotations: dict[str, str]) -> list[str]:
    return [value for key, value in annotations.items() if is_identity_annotation(key)]


def _may_occur(source: SourceVM, addresses: set[str], in_spec: list[str]) -> bool:
    """Return False if the VM has each of `addresses` in the texts `in_spec` only; True in doubt.

    Counting in the VM's JSON takes a tenth of the time of a walk, and no other place has an address of most VMs.
    """
    if len(addresses) > _MAX_COUNTED or any(
        address.count(":") > 1 and not _MAC.fullmatch(address) for address in addresses
    ):
        return True  # an IPv6 address has many forms
    annotations = kept_annotations(source.annotations, fresh=True)
    produced = _normal(orjson.dumps((source.labels, annotations, source.spec)).decode())
    own = _normal(" ".join(in_spec))
    return "base64" in produced or any(produced.count(address) > own.count(address) for address in addresses)


def _normal(text: str) -> str:
    return text.lower().replace("-", ":")


def _produced_texts(source: SourceVM, remaining_texts: Mapping[Path, str]) -> Iterable[tuple[Path, str]]:
    """Yield the strings that the template produces, with their paths from the VM's root; blanked ones are left out."""
    yield from ((("metadata", "labels", key), value) for key, value in source.labels.items())
    annotations = kept_annotations(source.annotations, fresh=True)
    yield from ((("metadata", "annotations", key), value) for key, value in annotations.items())
    pending: list[tuple[Path, Any]] = [((), source.spec)]
    while pending:
        path, value = pending.pop()
        if type(value) is dict:
            if path == _TEMPLATE_ANNOTATIONS:
                value = {key: text for key, text in value.items() if not is_identity_annotation(key)}
            elif path[:-1] == _VOLUMES and is_memory_dump(value):
                continue
            for key, item in reversed(value.items()):
                yield ("spec", *path, key), key
                if not (key == "macAddress" and path[:-1] == _INTERFACES):
                    pending.append(((*path, key), item))
        elif type(value) is list:
            pending += [((*path, index), item) for index, item in reversed(list(enumerate(value)))]
        elif type(value) is str:
            yield ("spec", *path), remaining_texts[path] if path in remaining_texts else _decoded(path, value)


_TEMPLATE_ANNOTATIONS: Final[Path] = ("template", "metadata", "annotations")
_VOLUMES: Final[Path] = (*INSTANCE, "volumes")
_INTERFACES: Final[Path] = (*INSTANCE, "domain", "devices", "interfaces")


def _last_group(address: str) -> str:
    """Return the last group of an IPv6 address, which is quick to compare."""
    return address.rpartition(":")[2].lstrip("0")


def _addresses(text: str, last_groups: Collection[str] | None = None) -> Iterable[str]:
    """Yield the MAC and IP addresses in `text`, in a normal form; of IPv6, only those that end in `last_groups`."""
    for token in _TOKEN.findall(text):
        lower = token.lower()
        macs = _MAC.findall(lower)
        yield from map(_normal, macs)
        yield from _IPV4.findall(lower)
        if lower.count(":") > 1 and not (macs and len(lower) == _MAC_CHARACTERS):
            address = lower.strip(".-")
            address = address if address.endswith("::") else address.rstrip(":")
            if last_groups is None or _last_group(address) in last_groups or "." in address:
                with suppress(ValueError):
                    yield IPv6Address(address).packed.hex(":", 2)


def _decoded(path: Path, text: str) -> str:
    """Return the text of a base64 field; any other text as it is."""
    if not str(path[-1]).endswith("Base64"):
        return text
    try:
        return base64.b64decode(text, validate=False).decode(errors="replace")
    except ValueError:
        return text


def _is_static(text: str, budget: ParsingBudget) -> bool:
    """Return True if network data sets a static address. Versions 1 and 2 of cloud-init's format, or other text."""
    try:
        data = load_yaml(text) if budget.admits(text) else None
    except ValueError:
        data = None
    if type(data) is not dict:
        return _STATIC.search(text) is not None or re.search(r"\binet6?\s+static\b", text) is not None
    network = data.get("network", data)
    if type(network) is not dict:
        return False
    for _, device in objects_in(network.get("config")):
        for _, subnet in objects_in(device.get("subnets")):
            if subnet.get("address") or str(subnet.get("type", "")).startswith("static"):
                return True
    groups = [group for key, group in network.items() if key in _DEVICES and type(group) is dict]
    return any(type(device) is dict and device.get("addresses") for group in groups for device in group.values())


_DEVICES: Final = ("ethernets", "bonds", "bridges", "vlans", "wifis", "tunnels", "vrfs", "dummy-devices")
