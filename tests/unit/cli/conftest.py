"""A cluster that follows a script, and the profile of `just fuzz`, which `test_fuzz.py` reads."""

from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, settings

from atmpl.cli import client
from atmpl.cli.client import ClusterClient
from tests.support.scripted_server import Script, connected

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("fuzz", max_examples=14_300, deadline=None, suppress_health_check=_SLOW)


@pytest.fixture
def cluster(monkeypatch):
    """Let a scripted server be the cluster; return the script."""

    def begin(*acts):
        script = Script(*acts)

        @asynccontextmanager
        async def open_cluster(_):
            async with connected(script) as connection:
                yield ClusterClient(connection, "team-a", "https://cluster:6443")

        monkeypatch.setattr(client, "open_cluster", open_cluster)
        return script

    return begin
