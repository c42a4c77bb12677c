"""Any content of the stored admission policy has a result."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atmpl.controller.authorization import PolicyCheck, check_policy
from tests.support.admission import CREATED, binding, policies, policy

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    ("metadata",),
    ("metadata", "generation"),
    ("metadata", "creationTimestamp"),
    ("status",),
    ("status", "observedGeneration"),
    ("spec",),
    ("spec", "validationActions"),
    ("spec", "matchResources"),
    ("spec", "matchConstraints"),
]


@given(json=JSON, path=st.sampled_from(FIELDS), of_policy=st.booleans(), generation=st.sampled_from([1, 2]))
def test_check_accepts_any_field(json: Any, path: Any, of_policy: bool, generation: int) -> None:
    p, b = policy(), binding()
    p["metadata"]["generation"] = p["status"]["observedGeneration"] = generation
    holder: Any = p if of_policy else b | {"status": {}}
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = json
    assert check_policy(CREATED, policies(p, b)) in PolicyCheck


@given(created=JSON, p=JSON, b=JSON)
def test_check_accepts_any_json(created: Any, p: Any, b: Any) -> None:
    assert check_policy(created, policies(p, b)) in PolicyCheck
