"""The image, built once per test run."""

from collections.abc import Iterator

import pytest

from e2e.image.archive import Archive
from e2e.image.build import build
from e2e.image.engine import Engine, EngineError, find


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine of this machine. Skips the tests if it has none."""
    try:
        return find()
    except EngineError as error:
        pytest.skip(f"{error}")


@pytest.fixture(scope="session")
def image(engine: Engine, request: pytest.FixtureRequest) -> str:
    """The tag of the image of this checkout."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():  # minutes, the first time
        return build(engine)


@pytest.fixture(scope="session")
def archive(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The image, saved."""
    path = tmp_path_factory.mktemp("image") / "image.tar"
    engine.save(image, path)
    yield Archive(path)
    path.unlink()
