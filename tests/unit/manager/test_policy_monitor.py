"""The gauge of the admission policy."""

import logging
import math
from typing import Any

import pytest

from atmpl.controller.admission_policy import SPECS
from atmpl.controller.cluster import PolicyObjects, UnavailableError
from atmpl.manager.policy_monitor import PolicyMonitor

NAME = next(iter(SPECS))
POLICY: dict[str, Any] = {"metadata": {"name": NAME, "generation": 2}, "spec": SPECS[NAME]}
BINDING: dict[str, Any] = {"metadata": {"generation": 1}, "spec": {"policyName": NAME, "validationActions": ["Deny"]}}
IN_FORCE, ABSENT = PolicyObjects(POLICY, BINDING), PolicyObjects(None, None)


async def test_policy_monitor_reports_each_change_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    results: list[PolicyObjects | None] = [IN_FORCE, IN_FORCE, ABSENT, ABSENT, None, IN_FORCE]

    async def policies() -> dict[str, PolicyObjects]:
        objects = results.pop(0)
        if objects is None:
            raise UnavailableError("no answer")
        return {NAME: objects}

    monitor = PolicyMonitor(policies)
    assert math.isnan(monitor.in_force)
    values = []
    while results:
        await monitor.check()
        values.append(monitor.in_force)
    assert values == [1, 1, 0, 0, 0, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "admission policy not in force",
        "policy check failed",
        "policy check recovered",
        "admission policy in force again",
    ]
