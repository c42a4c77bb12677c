"""What the API server's profile is made of."""

import shutil

import pytest

from e2e.bench.parts import part_of
from e2e.bench.profile_table import ServerDrain, ServerProfile, server_profile_table
from e2e.bench.server_profile import PARTS, folded, options, run

TRACES = """File: kube-apiserver
Type: cpu
Duration: 10.05s, Total samples = 40ms (0.40%)
-----------+-------------------------------------------------------
      10ms   runtime.mallocgc (inline)
             sync.(*Map[go.shape.interface {},go.shape.int]).Load
             main.main
-----------+-------------------------------------------------------
                  verb:[GET]
      30ms   runtime.scanSpan
-----------+-------------------------------------------------------
"""

STACKS = {
    "the collector's work within a call is the collector's": (
        "apiserver.(*crdHandler).serveResource.CreateResource.createHandler.func9;runtime.gcAssistAlloc",
        "garbage collection",
    ),
    "a template's validation is no other part of its call": (
        "generic/registry.(*Store).Create;registry/customresource.customResourceStrategy.Validate",
        "template: validated",
    ),
    "a status is patched within its update": (
        "storage/etcd3.(*store).GuaranteedUpdate;endpoints/handlers.(*patcher).applyPatch",
        "status: patched",
    ),
    "an event is decoded by whoever watches etcd": (
        "storage/etcd3.(*watchChan).transform;encoding/json.Unmarshal",
        "etcd's events: decoded",
    ),
    "the unknown is something else": ("runtime.mcall", "else"),
}


def test_traces_become_stacks_the_outermost_frame_first() -> None:
    assert [*folded(TRACES)] == [
        "main.main;sync.(*Map[go.shape.interface {},go.shape.int]).Load;runtime.mallocgc (inline) 10",
        "runtime.scanSpan 30",
    ]


@pytest.mark.parametrize("sentence", STACKS)
def test_a_sample_belongs_to_what_is_done(sentence: str) -> None:
    stack, part = STACKS[sentence]
    assert part_of(stack, PARTS) == part


def test_the_table_has_a_column_for_whoever_drained_and_the_dearest_part_first() -> None:
    drains = [ServerDrain("bare loop", 4.0, {"a": 10, "b": 30}), ServerDrain("atmpl", 5.0, {"a": 20, "c": 20})]
    table = server_profile_table(ServerProfile("2026-01-01T00:00:00Z", 2000, 1000, 64, 8, drains))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert cells[0] == ["the API server's CPU, ms a request", "bare loop", "atmpl"]
    assert cells[2:] == [["a", "1.00", "2.50"], ["b", "3.00", "0.00"], ["c", "0.00", "2.50"], ["all", "4.00", "5.00"]]


@pytest.mark.private
@pytest.mark.skipif(not shutil.which("go"), reason="there is no Go, whose pprof reads the profile")
async def test_a_small_drain_ends_in_a_table() -> None:
    found = await run(options(["--requests=20", "--vms=5", "--seconds=1", "--without-peer"]))
    assert [drain.contestant for drain in found.drains] == ["bare loop", "atmpl"]
    assert all(sum(drain.samples.values()) > 0 for drain in found.drains)
    assert server_profile_table(found).count("\n") > 2
