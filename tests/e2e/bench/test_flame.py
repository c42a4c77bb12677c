"""What a profile is made of."""

from xml.etree import ElementTree as ET

import pytest

from e2e.bench.flame import PARTS, busy
from e2e.bench.flame_graph import flame_graph, tree
from e2e.bench.parts import part_of, shares
from e2e.bench.profile_table import Profile, profile_report, profile_table

SVG = "{http://www.w3.org/2000/svg}"
FOLDED = [
    "main (run.py:1);prove (atmpl/template/proof.py:30) 30",
    "main (run.py:1);render (atmpl/template/render.py:50);prove (atmpl/template/proof.py:30) 10",
    "main (run.py:1) 60",
]

STACKS = {
    "a proof within a render is a proof": (
        "render (atmpl/template/render.py:5);prove (atmpl/template/proof.py:3)",
        "prove",
    ),
    "a render is a render": ("turn (atmpl/controller/turn.py:1);render (atmpl/template/render.py:5)", "render"),
    "decryption below a watch is the watch's": ("take (atmpl/kube/watch.py:1);x (ssl.py:2)", "watch lines, events"),
    "what aiohttp does elsewhere is the rest of it": ("a (aiohttp/client.py:1)", "HTTP: the rest of aiohttp"),
    "a line of the log is written by the log": (
        "turn (atmpl/manager/worker.py:1);Logger.log (logging/__init__.py:5);emit (atmpl/manager/logs.py:3)",
        "log",
    ),
    "the unknown is something else": ("b (nowhere.py:1)", "else"),
}


@pytest.mark.parametrize("sentence", STACKS)
def test_a_sample_belongs_to_what_is_done(sentence: str) -> None:
    stack, part = STACKS[sentence]
    assert part_of(stack, PARTS) == part


def test_what_waits_for_work_or_for_sockets_is_no_work() -> None:
    waiting = [
        "_worker (concurrent/futures/thread.py:81) 30",
        "main (run.py:1);EpollSelector.select (selectors.py:468) 10",
        "main (run.py:1);Gathering.select (atmpl/manager/gathering.py:39) 5",
    ]
    assert busy([FOLDED[0], *waiting, FOLDED[2]]) == [FOLDED[0], FOLDED[2]]


def test_shares_count_samples_and_not_stacks() -> None:
    assert shares(FOLDED, PARTS) == {"prove": 40, "else": 60}


def test_a_frame_holds_its_own_samples_and_those_of_all_that_it_calls() -> None:
    root = tree(FOLDED)
    assert root.samples == 100
    main = root.calls["main (run.py:1)"]
    assert (main.samples, {name.partition(" ")[0]: found.samples for name, found in main.calls.items()}) == (
        100,
        {"prove": 30, "render": 10},
    )


def test_a_flame_is_as_wide_as_its_share_and_stands_on_what_calls_it() -> None:
    drawn = {}
    for rect in ET.fromstring(flame_graph(FOLDED, "a drain")).iter(f"{SVG}rect"):
        drawn[rect.findtext(f"{SVG}title")] = (float(rect.attrib["width"]), float(rect.attrib["y"]))
    widest = drawn["main (run.py:1): 100.0%"]
    third = drawn["prove (atmpl/template/proof.py:30): 30.0%"]
    assert widest[0] == pytest.approx(1600, abs=1)
    assert third[0] == pytest.approx(480, abs=1)
    assert widest[1] - third[1] == 18.0


def test_the_table_gives_each_part_its_share_of_the_cpu_the_dearest_first() -> None:
    profile = Profile("2026-01-01T00:00:00Z", 2000, 1000, 64, 1.5, {"prove": 40, "else": 60})
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in profile_table(profile).splitlines()]
    assert cells[2:] == [["else", "60.0%", "900 us"], ["prove", "40.0%", "600 us"]]
    assert profile_report(profile).startswith(
        "2,000 requests drained among 1,000 virtual machines by 64 workers: 1.50 ms"
    )
