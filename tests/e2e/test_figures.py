"""The figures' own command: each is taken, for real, and stays within bounds that load can't break."""

from __future__ import annotations

import pytest

from holdfast.harness.figures import FIGURES, measure

LOAD = 10
"""A machine that does other things may take so many times as long."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", ["kill_switch", "lost_frame"])
async def test_a_figure_is_taken_with_real_processes(name):
    [took] = await measure(name, 1)

    assert 0 < took < FIGURES[name][1] * LOAD
