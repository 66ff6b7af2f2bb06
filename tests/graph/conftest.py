"""Makes the helpers of this folder importable, and the passes check what they make."""

import os
import pathlib
import sys

import pytest

from flambeau.graph import resemblance

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ["FLAMBEAU_CHECK"] = "1"


@pytest.fixture(autouse=True)
def no_known_programs():
    """No test's programs take the forms of another's."""
    resemblance.forget()
