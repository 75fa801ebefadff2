"""A fresh desk for each test."""

from __future__ import annotations

import pytest

from tests.engine.risk.desk import Desk


@pytest.fixture
def desk():
    return Desk()
