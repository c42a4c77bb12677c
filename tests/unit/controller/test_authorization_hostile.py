"""Whatever stands where the admission policy should, there is a verdict."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atmpl.controller.authorization import PolicyCheck, judge
from tests.support.admission import CREATED, binding, policy

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    ("metadata",),
    ("metadata", "generation"),
    ("metadata", "creationTimestamp"),
    ("metadata", "managedFields"),
    ("metadata", "managedFields", 0),
    ("metadata", "managedFields", 0, "time"),
    ("metadata", "managedFields", 0, "subresource"),
    ("status",),
    ("status", "observedGeneration"),
    ("spec",),
    ("spec", "validationActions"),
    ("spec", "matchResources"),
    ("spec", "matchConstraints"),
]


@given(json=JSON, path=st.sampled_from(FIELDS), of_policy=st.booleans(), generation=st.sampled_from([1, 2]))
def test_nothing_that_stands_in_the_objects_raises(json: Any, path: Any, of_policy: bool, generation: int) -> None:
    p, b = policy(), binding()
    p["metadata"]["generation"] = p["status"]["observedGeneration"] = generation
    holder: Any = p if of_policy else b | {"status": {}}
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = json
    assert judge(CREATED, p, b) in PolicyCheck


@given(created=JSON, p=JSON, b=JSON)
def test_nothing_raises_whatever_it_is_given(created: Any, p: Any, b: Any) -> None:
    assert judge(created, p, b) in PolicyCheck
