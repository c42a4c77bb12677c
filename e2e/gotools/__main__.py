"""`python -m e2e.gotools COMMAND`: alerts, health, packages or workflows."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from e2e.envtest.build import BuildError
from e2e.gotools import program

CHECKOUT = Path(__file__).parents[2]
MONITORING = CHECKOUT / "config" / "monitoring"
RECORDED = CHECKOUT / "e2e" / "incidents" / "recorded.yaml"  # by `just incidents --record`


def alerts() -> int:
    """Have promtool check the rules and the dashboard's queries, and run alerts_test.yaml and recorded.yaml."""
    promtool = program("promtool")
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]
    with tempfile.TemporaryDirectory(prefix="atmpl-alerts-") as folder:
        rules, tests = Path(folder) / "alerts.yaml", Path(folder) / "alerts_test.yaml"
        tests.write_bytes((MONITORING / tests.name).read_bytes())
        rules.write_text(yaml.safe_dump(groups))
        checked = _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules)
        queries = Path(folder) / "dashboard.yaml"
        queries.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": list(_queries())}]}))
        checked |= _run(promtool, "check", "rules", queries)
        for group in groups["groups"]:
            for rule in group["rules"]:
                for annotation in ("description", "runbook_url"):  # contain nothing that is computed
                    del rule["annotations"][annotation]
        rules.write_text(yaml.safe_dump(groups))
        checked |= _run(promtool, "test", "rules", tests)
        for group in groups["groups"]:
            for rule in group["rules"]:
                del rule["annotations"]  # recorded.yaml has labels only
        rules.write_text(yaml.safe_dump(groups))
        tests.write_bytes(RECORDED.read_bytes())
        return checked | _run(promtool, "test", "rules", tests)


def _queries() -> Iterator[dict[str, str]]:
    """Yield each query of the dashboard as a rule that records it, which is what promtool reads queries in."""
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            name = f"panel{panel['id']}:{target['refId']}"
            yield {"record": name, "expr": target["expr"].replace("$__rate_interval", "2m")}


def workflows() -> int:
    """Have actionlint check the workflows; without helpers of its own that a machine may have or not."""
    return _run(program("actionlint"), "-shellcheck=", "-pyflakes=", *sorted(CHECKOUT.glob(".github/workflows/*.yaml")))


def packages() -> int:
    """Run the tests of the packages. `just test` skips what needs helm, olm, krew or ATMPL_PROGRAMS."""
    program("helm")
    program("olm")
    program("krew")
    return _run(sys.executable, "-m", "pytest", *sorted(CHECKOUT.glob("tests/integration/config/test_package_*.py")))


def health() -> int:
    """Run the tests of a request's health with kstatus and Flux. `just test` skips them if the program is missing."""
    program("kstatus")
    return _run(sys.executable, "-m", "pytest", *sorted(CHECKOUT.glob("tests/*/config/test_health.py")))


def _run(*command: str | Path) -> int:
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode


def main() -> int:
    """Run the command of the arguments; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m e2e.gotools", description="Check what is not Python.")
    commands = {"alerts": alerts, "health": health, "packages": packages, "workflows": workflows}
    parser.add_argument("command", choices=commands)
    try:
        return commands[parser.parse_args().command]()
    except BuildError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    sys.exit(main())
