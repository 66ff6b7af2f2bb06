"""What all tests share: strict compilation, and the same property-based examples on every run.

``HYPOTHESIS_PROFILE=explore python -m pytest`` draws new examples, and more of them.
"""

import importlib
import os

import pytest
from hypothesis import settings as hypothesis_settings

from flambeau.record.execute import settings

hypothesis_settings.register_profile("same", derandomize=True, deadline=None)
hypothesis_settings.register_profile("explore", max_examples=1000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """A program that cannot be compiled is a failure, not a warning."""
    monkeypatch.setattr(settings, "strict", True)


@pytest.fixture
def load_module():
    """Imports a module by name; the test is skipped where an optional dependency is missing."""
    optional = ("PIL", "cv2", "matplotlib", "tensorboard", "tqdm")

    def load(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in optional:
                raise
            pytest.skip(f"{error.name} is not installed")
    return load
