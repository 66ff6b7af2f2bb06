"""What all tests share: a program that cannot be compiled is a failure, not a warning."""

import pytest

from flambeau.record.execute import settings


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setattr(settings, "strict", True)
