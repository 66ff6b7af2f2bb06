"""What all tests share: a program that cannot be compiled is a failure, not a warning."""

import importlib

import pytest

from flambeau.record.execute import settings

OPTIONAL = ("PIL", "cv2", "matplotlib", "tensorboard", "tqdm")


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setattr(settings, "strict", True)


@pytest.fixture
def load_module():
    """Imports a module by name; the test is skipped where an optional dependency is missing."""
    def load(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in OPTIONAL:
                raise
            pytest.skip(f"{error.name} is not installed")
    return load
