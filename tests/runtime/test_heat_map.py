"""What a sweep's map shows as good: the best of bad points is not green."""

from __future__ import annotations

import json

import pytest

from holdfast.runtime.replay_report import MIDDLES
from holdfast.runtime.report_charts import heat_map


def layers(by):
    html = heat_map(["1", "2"], ["3"], [[-19.5, -30.0]], ("fast", "slow", by), MIDDLES.get(by))
    begin = html.index("[", html.index("Plotly.newPlot("))
    return json.JSONDecoder().raw_decode(html[begin:])[0][0]


@pytest.mark.parametrize(("by", "middle"), [("sharpe", 0), ("pnl", 0), ("profit_factor", 1)])
def test_a_figure_that_may_be_bad_has_its_middle_there(by, middle):
    assert layers(by)["zmid"] == middle


@pytest.mark.parametrize("by", ["drawdown", "win_rate"])
def test_a_figure_without_a_middle_has_one_colour(by):
    drawn = layers(by)
    assert "zmid" not in drawn
    assert drawn["colorscale"][0][1] != drawn["colorscale"][-1][1]
