"""`just incidents`: play incidents, all at the same time, and print which alerts arrive.

The exit status is 1 if an alert is missing or wrong, if it arrives at another namespace's receiver, or if a panel of
the dashboard is empty or shows NaN.
"""

import argparse
import asyncio
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from e2e.envtest import ControlPlane
from e2e.envtest.crds import install_crds
from e2e.incidents.dashboard import PLAYED, problems_of_panels
from e2e.incidents.incidents import INCIDENTS, Incident, ServerKind
from e2e.incidents.monitoring import INTERVAL_SECONDS, UNROUTED, Monitoring, Pod, free_port
from e2e.incidents.series import recorded_test
from e2e.incidents.stage import Stage

MISSING_CRD: dict[ServerKind, str] = {
    "bare": "virtualmachines.kubevirt.io",
    "openshift": "virtualmachinetemplates.template.kubevirt.io",
}


class Row(NamedTuple):
    """An alert that fired in the namespace of an incident."""

    alert: str
    severity: str
    seconds: float  # from the fault until it fired; negative before the fault
    arrived: float | None  # from the fault until it arrived at the namespace's receiver
    summary: str


async def _play(incident: Incident, stage: Stage, end: float) -> None:
    try:
        await incident.play(stage, end)
    except Exception as error:  # noqa: BLE001 - the other incidents go on
        traceback.print_exc()
        stage.problems.append(f"not played: {error!r}")


async def _rows(monitoring: Monitoring, stage: Stage, start: float, end: float) -> list[Row]:
    """Return the alerts of a namespace, the first of each name."""
    selector = f'ALERTS{{alertstate="firing",namespace="{stage.namespace}"}}'
    rows = dict[str, Row]()
    for item in await monitoring.query(f"{selector}[{end - start:.0f}s]", at=end):
        name, since = item["metric"]["alertname"], item["values"][0][0] - stage.begun
        arrived = [
            it
            for it in monitoring.notifications
            if it.labels["alertname"] == name and it.status == "firing" and it.receiver == stage.namespace
        ]
        if name not in rows or since < rows[name].seconds:
            rows[name] = Row(
                name,
                item["metric"]["severity"],
                since,
                arrived[0].at - stage.begun if arrived else None,
                arrived[0].annotations["summary"] if arrived else "",
            )
    return sorted(rows.values(), key=lambda row: row.seconds)


def _verdict(incident: Incident, row: Row) -> str:
    if row.seconds < 0:
        return "WRONG: before the fault"
    if row.alert not in {*incident.expected, *incident.allowed}:
        return "WRONG: not expected"
    return "yes" if row.arrived is not None else "WRONG: did not arrive"


def _wrongly_routed(monitoring: Monitoring) -> Iterable[str]:
    """Yield a sentence per notification at another receiver than its namespace's, or without a runbook."""
    for it in monitoring.notifications:
        if it.receiver == UNROUTED or it.receiver != it.labels.get("namespace"):
            yield f"{it.labels} arrived at {it.receiver}"
        if not it.annotations.get("runbook_url", "").startswith("https://"):
            yield f"{it.labels} has no runbook_url"


async def _run(names: list[str], minutes: float, record: Path | None) -> bool:
    pods = {name: {pod: Pod(name, pod, free_port()) for pod in INCIDENTS[name].pods} for name in names}
    async with AsyncExitStack() as stack:
        servers = dict[ServerKind, ControlPlane]()
        for kind in sorted({INCIDENTS[name].server for name in names}):
            flags = ["--watch-cache=false"] if kind == "forgetful" else []
            servers[kind] = server = await asyncio.to_thread(ControlPlane, controllers=(), apiserver_flags=flags)
            stack.push_async_callback(asyncio.to_thread, server.close)
            await asyncio.to_thread(install_crds, server)
            if crd := MISSING_CRD.get(kind):
                await asyncio.to_thread(server.kubectl, "delete", "customresourcedefinition", crd)
        plain = await stack.enter_async_context(servers[max(servers)].client())

        async def deployments() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = (await plain.get("/apis/apps/v1/deployments"))["items"]
            return found

        monitoring = await stack.enter_async_context(
            Monitoring([pod for it in pods.values() for pod in it.values()], deployments)
        )
        print(f"Prometheus: {monitoring.url}", file=sys.stderr, flush=True)
        start, end = time.time(), time.time() + minutes * 60
        stages = dict[str, Stage]()
        for name in names:
            server = servers[INCIDENTS[name].server]
            client = await stack.enter_async_context(server.client())
            stages[name] = Stage(server, client, name, pods[name])
            stack.push_async_callback(stages[name].end)
        await asyncio.gather(*(_play(INCIDENTS[name], stages[name], end) for name in names))
        end = time.time()
        ok = True
        print("| incident | alert | seconds | arrived | right | summary |\n|---|---|---|---|---|---|")
        found = {name: await _rows(monitoring, stage, start, end) for name, stage in stages.items()}
        for name, stage in stages.items():
            incident, rows = INCIDENTS[name], found[name]
            missing = [alert for alert in incident.expected if alert not in {row.alert for row in rows}]
            stage.problems += [f"{alert} did not fire" for alert in missing]
            for row in rows:
                verdict = _verdict(incident, row)
                ok = ok and verdict == "yes"
                arrived = "never" if row.arrived is None else f"{row.arrived:.0f}"
                print(
                    f"| {incident.text} | {row.alert} ({row.severity}) | {row.seconds:.0f} | {arrived} | {verdict} "
                    f"| {row.summary} |"
                )
            if not rows:
                print(f"| {incident.text} | none | | | {'WRONG' if incident.expected else 'yes'} | |")
        problems = [f"{name}: {problem}" for name, stage in stages.items() for problem in stage.problems]
        problems += sorted(set(_wrongly_routed(monitoring)))
        if {*PLAYED} <= {*names}:
            problems += [problem async for problem in problems_of_panels(monitoring, start, end)]
        for problem in problems:
            print(f"WRONG: {problem}")
        if record:
            tests = [
                {"name": INCIDENTS[name].text}
                | await recorded_test(
                    monitoring, name, start, end, alerts=INCIDENTS[name].expected, silent=INCIDENTS[name].silent
                )
                for name in names
                if INCIDENTS[name].recorded and not stages[name].problems
            ]
            await asyncio.to_thread(_write, record, tests)
        return ok and not problems


def _write(file: Path, tests: list[dict[str, Any]]) -> None:
    whole = {"rule_files": ["alerts.yaml"], "evaluation_interval": f"{INTERVAL_SECONDS}s", "tests": tests}
    file.write_text(yaml.safe_dump(whole, width=10**9, sort_keys=False))


def main() -> int:
    """Play the chosen incidents."""
    lines = [f"  {name:13} {it.text}" for name, it in INCIDENTS.items()]
    parser = argparse.ArgumentParser(
        prog="just incidents",
        description=__doc__,
        epilog="incidents:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("incident", nargs="*", default=[*INCIDENTS], help="which (all)")
    parser.add_argument("--minutes", type=float, default=25, help="from the start to the end (25)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the recorded series as promtool's tests")
    args = parser.parse_args()
    if unknown := {*args.incident} - {*INCIDENTS}:
        parser.error(f"unknown incident: {', '.join(sorted(unknown))}")
    return 0 if asyncio.run(_run(args.incident, args.minutes, args.record)) else 1


if __name__ == "__main__":
    sys.exit(main())
