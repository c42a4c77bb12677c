"""Names of the leaves in KubeVirt's own schema: which are shared, and that they are stable."""

import copy
from functools import cache

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from atmpl.template import FORMATS, render
from atmpl.template.parameter_names import base_name
from tests.support.shared_data import SHARED, needs_shared
from tests.support.template_vms import a_vm

pytestmark = needs_shared

UNIONS = {  # path of a list: the keys of which an item has one
    ("volumes",): None,  # all but its name
    ("networks",): None,
    ("domain", "devices", "disks"): ("disk", "cdrom", "lun"),
}


@cache
def schema():
    """Return the schema of a VirtualMachineInstanceSpec."""
    (crd,) = filter(
        None, yaml.load_all((SHARED / "crd/virtualmachines.kubevirt.io.yaml").read_text(), yaml.CSafeLoader)
    )
    version = next(each for each in crd["spec"]["versions"] if each["name"] == "v1")
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    instance = spec["properties"]["template"]["properties"]["spec"]
    del instance["properties"]["volumes"]["items"]["properties"]["memoryDump"]  # dropped, so later indexes differ
    return instance


def leaf_paths(node, path=()):
    """Yield the path of each leaf that the schema knows; a list has one item, and a map with free keys one key."""
    if node.get("type") == "array":
        yield from leaf_paths(node["items"], (*path, 0))
    elif node.get("type") == "object":
        for key, child in node.get("properties", {}).items():
            yield from leaf_paths(child, (*path, key))
        if isinstance(node.get("additionalProperties"), dict):
            yield from leaf_paths(node["additionalProperties"], (*path, "someKey"))
    elif path[-1] != "name":
        yield path


def union_of(path):
    for lists in UNIONS:
        if path[: len(lists)] == lists and len(path) > len(lists) + 1:
            return path[: len(lists) + 1], path[len(lists) + 1]
    return None


def test_only_alternatives_of_a_union_share_a_name():
    by_name = {}
    for path in leaf_paths(schema()):
        by_name.setdefault(base_name(path).name, []).append(path)
    assert len(by_name) > 250
    for paths in by_name.values():
        if len(paths) > 1:
            unions = [union_of(path) for path in paths]
            assert None not in unions, paths
            assert len({item for item, _ in unions}) == 1, paths
            assert len({key for _, key in unions}) == len(paths), paths


def values(node, path=()):
    """Return legal values of the schema's `node`: unions have one alternative, so that no two leaves share a name."""
    kind = node.get("type")
    if kind == "object":
        properties = dict(node.get("properties", {}))
        if isinstance(node.get("additionalProperties"), dict):
            inner = values(node["additionalProperties"], (*path, "k"))
            return st.dictionaries(st.sampled_from(["cpu", "memory", "kubernetes.io/os"]), inner, max_size=2)
        if path[:-1] in UNIONS:
            alternatives = UNIONS[path[:-1]] or tuple(key for key in properties if key != "name")
            others = {key: child for key, child in properties.items() if key not in alternatives}
            return st.one_of([fields(others, path, must=(key, properties[key])) for key in alternatives])
        return fields(properties, path)
    if kind == "array":
        return st.lists(values(node["items"], (*path, 0)), max_size=2)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "number"):
        return st.integers(0, 100)
    return st.sampled_from(["a", "b", "2Gi", "x${Y}"])


def fields(properties, path, must=None):
    required = {must[0]: values(must[1], (*path, must[0]))} if must else {}
    chosen = st.lists(st.sampled_from(sorted(properties)), max_size=3, unique=True) if properties else st.just([])
    return chosen.flatmap(
        lambda keys: st.fixed_dictionaries({key: values(properties[key], (*path, key)) for key in keys} | required)
    )


@cache
def instances():
    return values(schema())


def names(instance):
    """Return the parameter's name of each leaf."""
    template = render(a_vm(instance), format=FORMATS["openshift"], name="t").template
    found = {}

    def walk(value, path):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list):
                walk(item, (*path, key))
            elif key != "name" and isinstance(item, str) and item.startswith("${"):
                found[(*path, key)] = item.strip("${}")

    walk(template["objects"][0]["spec"]["template"]["spec"], ())
    return found


def containers(value, path=()):
    yield path, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield from containers(item, (*path, key))


def node_at(path):
    node = schema()
    for key in path:
        if isinstance(key, int):
            node = node["items"]
        elif key in node.get("properties", {}):
            node = node["properties"][key]
        else:
            node = node["additionalProperties"]
    return node


@given(data=st.data())
def test_new_field_or_item_renames_no_parameter(data):
    instance = data.draw(instances())
    before = names(instance)
    grown = copy.deepcopy(instance)
    path, container = data.draw(st.sampled_from(list(containers(grown))))
    node = node_at(path)
    if isinstance(container, list):
        container.append(data.draw(values(node["items"], (*path, 0))))
    else:
        free = [key for key in node.get("properties", {}) if key not in container]
        if path[:-1] in UNIONS:
            alternatives = UNIONS[path[:-1]] or tuple(key for key in node["properties"] if key != "name")
            free = [key for key in free if key not in alternatives]
        if not free:
            return
        key = data.draw(st.sampled_from(free))
        container[key] = data.draw(values(node["properties"][key], (*path, key)))
    after = names(grown)
    assert {where: after[where] for where in before} == before


@given(data=st.data())
def test_leaf_of_a_valid_vm_needs_no_digits(data):
    instance = data.draw(instances())
    assert all(name == base_name(path).name for path, name in names(instance).items())


@given(format=st.sampled_from(list(FORMATS.values())), data=st.data())
@pytest.mark.timeout(300)  # its strategy follows the schema of a VM
def test_valid_vm_comes_back(format, data):
    render(a_vm(data.draw(instances())), format=format, name="t")
