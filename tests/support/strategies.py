"""Any JSON, and VMs made of it."""

from typing import Any

import orjson
from hypothesis import strategies as st

from tests.support.template_vms import a_vm

NAMES = ["NAME", "LABELS", "SUFFIX", "LITERAL0", "LITERAL1", "HOSTNAME", "DISK0_BUS", "VOLUME0_USER_DATA", "X", "a_1"]

REFERENCES = [form % name for name in NAMES for form in ("${%s}", "${{%s}}")]
PIECES = [*REFERENCES, "$", "{", "}", "${", '"', "\\", "\n", "$`", "$'", "$&", "a", "1", " "]
LETTERS = {
    chr(ord("\u4e00") + index): piece for index, piece in enumerate(PIECES)
}  # so that a text of them is one draw

texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(REFERENCES),
    st.text("".join(LETTERS), max_size=5).map(lambda text: "".join(map(LETTERS.__getitem__, text))),
    st.sampled_from(
        ["virtio", "1Gi", "", "true", "null", "7", "1e3", '{"a": 1}', '"quoted"', "[1]\n", "NaN\n", "#!/bin/sh\n"]
    ),
)
keys = st.one_of(
    st.sampled_from(
        (
            *(
                "name",
                "a",
                "b",
                "a-b",
                "a.b",
                "aB",
                "a_b",
                "",
                "domain",
                "devices",
                "disks",
                "volumes",
                "networks",
                "x",
            ),
            *("labels", "literal0", "suffix", "claimName", "dataVolume", "hostname", "userData", "firmware", "uuid"),
        )
    ),
    texts,
)
integers = st.one_of(
    st.integers(-100, 100),
    st.sampled_from([2**31, 2**53, -(2**53), 2**53 + 1, -(2**53) - 1, 2**60, 2**63 - 1, -(2**63)]),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.none(), st.booleans(), integers, floats, texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
objects = st.dictionaries(keys, anything, max_size=4)

LABEL_WORD = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
label_keys = st.one_of(
    LABEL_WORD,
    st.builds("{}.io/{}".format, LABEL_WORD, LABEL_WORD),
    st.sampled_from(["vm.kubevirt.io/template", "vm.kubevirt.io/template.version", "os.template.kubevirt.io/fedora40"]),
)
labels = st.dictionaries(label_keys, st.one_of(st.just(""), LABEL_WORD), max_size=4)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _plus(base: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects of `base`, one in eight with unknown fields."""
    other = st.integers(0, 7).flatmap(lambda choice: objects if choice == 7 else st.just({}))
    return st.builds(lambda known, other: {**other, **known}, base, other)


disk = _plus(_some(name=texts, disk=_some(bus=texts, readonly=st.booleans()), bootOrder=integers, serial=texts))
interface = _plus(_some(name=texts, macAddress=scalars, masquerade=st.just({}), ports=st.lists(_some(port=integers))))
volume = _plus(
    st.one_of(
        _some(name=texts, containerDisk=_some(image=texts)),
        _some(name=texts, cloudInitNoCloud=_some(userData=texts, networkData=texts, userDataBase64=scalars)),
        _some(name=texts, dataVolume=_some(name=st.sampled_from(["disk", "other"]))),
        _some(name=texts, persistentVolumeClaim=_some(claimName=st.sampled_from(["disk", "other"]))),
    )
)
instance = _plus(
    _some(
        domain=_plus(
            _some(
                cpu=_some(cores=integers, model=texts),
                devices=_plus(_some(disks=st.lists(disk, max_size=2), interfaces=st.lists(interface, max_size=2))),
                firmware=_plus(_some(uuid=scalars, serial=texts)),
                chassis=_some(serial=texts, asset=texts, sku=texts),
                resources=_some(requests=st.dictionaries(keys, texts, max_size=2)),
            )
        ),
        volumes=st.lists(volume, max_size=3),
        networks=st.lists(_some(name=texts, pod=st.just({}), multus=_some(networkName=texts)), max_size=2),
        hostname=texts,
        terminationGracePeriodSeconds=integers,
        nodeSelector=st.dictionaries(keys, texts, max_size=2),
    )
)
matcher = st.one_of(_some(name=texts, kind=texts, revisionName=texts), anything)
data_volumes = st.lists(
    st.one_of(
        st.builds(
            lambda name, spec: {"metadata": {"name": name}, "spec": spec}, st.sampled_from(["disk", "more"]), anything
        ),
        anything.filter(lambda value: "${" not in str(value)),
    ),
    max_size=2,
)
VALIDATIONS = "vm.kubevirt.io/validations"
rules = st.lists(_some(name=texts, message=texts, rule=texts), max_size=2).map(lambda each: orjson.dumps(each).decode())
annotations = st.builds(
    lambda plain, validations: {**plain, **validations},
    st.dictionaries(st.one_of(label_keys, texts), texts, max_size=3),
    st.one_of(st.just({}), st.fixed_dictionaries({VALIDATIONS: st.one_of(rules, texts)})),
)
spec = _plus(_some(runStrategy=texts, instancetype=matcher, preference=matcher, dataVolumeTemplates=data_volumes)).map(
    lambda value: {key: item for key, item in value.items() if key != "template"}
)
vm_shaped = st.builds(
    lambda instance, spec, labels, annotations, name: a_vm(
        instance, spec=spec, labels=labels, annotations=annotations, name=name
    ),
    instance,
    spec,
    labels,
    annotations,
    st.one_of(LABEL_WORD, texts.filter(bool)),
)
any_instance = objects.map(a_vm)
alike_keys = st.sampled_from(["a-b", "a.b", "a_b", "aB", "AB", "a", "b"])  # that nearly all give one name
alike_instance = st.dictionaries(
    alike_keys, st.one_of(texts, st.dictionaries(alike_keys, texts, max_size=4)), min_size=2
).map(a_vm)
vms = st.one_of(vm_shaped, any_instance, alike_instance)
