"""docs/settings.md has each setting, with its default, and each risk rule."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.engine.risk import ALL_RULES
from holdfast.engine.risk.order_shape import NAME as SHAPE
from holdfast.model.config import TradingConfig
from holdfast.model.config_accounts import ACCOUNTS
from holdfast.model.config_fields import SECTION_OF
from holdfast.model.durations import duration_ns

PAGE = (Path(__file__).parents[2] / "docs/settings.md").read_text()


def rows(section):
    """Return the settings of a section's table, each with what it says of its default."""
    part = PAGE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    found: dict[str, str] = {}
    for names, default in re.findall(r"^\| (`.+?`) \| (.+?) \|", part, re.MULTILINE):
        settings = re.findall(r"`(\w+)`", names)
        told = default.split(", ") if ", " in default else [default] * len(settings)
        found |= dict(zip(settings, told, strict=True))
    return found


@pytest.mark.parametrize("section", list(dict.fromkeys(SECTION_OF.values())))
def test_each_setting_has_its_row(section):
    if section == ACCOUNTS:
        return
    wanted = [key for key, place in SECTION_OF.items() if place == section]

    assert sorted(rows(section)) == sorted(wanted)


def test_the_defaults_are_those_of_the_page():
    config = TradingConfig()
    checked = 0
    for section in dict.fromkeys(SECTION_OF.values()):
        for name, told in {} if section == ACCOUNTS else rows(section).items():
            value, said = getattr(config, name), told.strip("`")
            if isinstance(value, bool):
                assert said == str(value).lower(), name
            elif name.endswith("_ns"):
                assert (duration_ns(said) if value is not None else said) == (value or "none"), name
            elif isinstance(value, int | float | Decimal):
                assert Decimal(said) == Decimal(str(value)), name
            elif value is None or value == "":
                assert said == "none" or said.startswith("the venue's"), name
            elif told.startswith("`"):
                assert said == str(value), name
            else:
                continue
            checked += 1
    assert checked > 70


def test_each_rule_is_named():
    named = set(re.findall(r"`(\w+)`", PAGE))

    assert {*ALL_RULES, SHAPE} - named == set()
