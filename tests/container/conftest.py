"""The images, built once, and a network: what the tests of the container share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from container_images import ImageStore, missing_programs
from containers import Network, network


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageStore]:
    """A store with a base image."""
    missing = missing_programs()
    if missing:
        pytest.fail(missing, pytrace=False)
    made = ImageStore(tmp_path_factory.mktemp("images"))
    try:
        made.make_base()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def image(store: ImageStore) -> str:
    """The image as it is built without being asked for anything."""
    tag = "localhost/batchd-test"
    store.build(tag)
    return tag


@pytest.fixture(scope="session")
def small_image(store: ImageStore, image: str) -> str:
    """The image without the embedded server."""
    tag = "localhost/batchd-test-small"
    store.build(tag, EMBEDDED="no")
    return tag


@pytest.fixture
def wire() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture
def outside_log(tmp_path: Path) -> Path:
    return tmp_path / "outside.log"
