"""A cluster that follows a script, and the profile of `just fuzz`, which `test_fuzz.py` reads."""

import pytest
from hypothesis import HealthCheck, settings

from tests.support.cli_runner import scripted_cluster

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("fuzz", max_examples=14_300, deadline=None, suppress_health_check=_SLOW)


@pytest.fixture
def cluster(monkeypatch):
    """Let a scripted server be the cluster; return the script."""

    return lambda *acts: scripted_cluster(monkeypatch, *acts)
