"""What the tests of images share."""

import pathlib

import pytest

pytest.importorskip("PIL", reason="images need Pillow")


@pytest.fixture
def golden():
    """The folder of golden files."""
    return pathlib.Path(__file__).parents[1] / "golden"
