"""A person's cluster is touched only where they name it, and then serves as one of our own does."""

from pathlib import Path

import pytest

from e2e.envtest import ApiError, Server
from e2e.envtest.existing_cluster import ExistingCluster, WrongClusterError
from e2e.envtest.kubeconfig import kubeconfig


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch):
    def name(context: str, *files: Path) -> None:
        monkeypatch.setenv("ATMPL_E2E_CONTEXT", context)
        monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))

    return name


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(kubeconfig("https://192.0.2.1:6443", b"", name="production", token="none"))
    return path


def test_other_context_is_refused(named, elsewhere: Path) -> None:
    named("kind-test", elsewhere)
    with pytest.raises(WrongClusterError, match=r"the current context of KUBECONFIG=.* is production"):
        ExistingCluster()


def test_first_current_context_is_used(named, elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "other").write_text("current-context: kind-test")
    named("kind-test", tmp_path / "none", tmp_path / "empty", elsewhere, tmp_path / "other")
    with pytest.raises(WrongClusterError, match="is production"):
        ExistingCluster()


def test_missing_kubeconfig_is_an_error(named) -> None:
    named("kind-test")
    with pytest.raises(WrongClusterError, match="KUBECONFIG is not set"):
        ExistingCluster()


async def test_named_cluster_serves_impersonated_users(server: Server, named) -> None:
    named(server.kubectl("config", "current-context").strip(), server.kubeconfig)
    with ExistingCluster() as cluster:
        async with cluster.client() as client:
            assert (await client.get("/api/v1/namespaces/default"))["metadata"]["name"] == "default"
        async with cluster.client("alice") as alice:
            with pytest.raises(ApiError, match='User "alice" cannot get'):
                await alice.get("/api/v1/namespaces/default")
        assert "default" in cluster.kubectl("get", "namespaces", "--output", "name")
    assert not cluster.folder.exists()
