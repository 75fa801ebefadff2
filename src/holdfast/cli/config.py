"""The settings: what they are, where each came from, and whether they hold together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .options import AsJson, ConfigFile, DataDir, Place
from .output import print_json, print_table, warn

if TYPE_CHECKING:
    pass


def show(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every setting, its value and where that came from. Secrets are masked."""
    loaded = Place(data_dir, config).load()
    table = loaded.table()
    if as_json:
        settings = {key: {"value": value, "source": source} for key, value, source in table}
        print_json({"settings": settings, "warnings": list(loaded.warnings)})
        return
    print_table("", ["Setting", "Value", "From"], [list(row) for row in table])
    for warning in loaded.warnings:
        warn(warning)


def check(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check the settings, and what they name, and list every mistake; exit code 2 if there is one.

    Strategies are loaded, as a start does.
    """
    from ..model.config import as_error
    from .refusals import refusals

    loaded = Place(data_dir, config).load()
    if mistakes := refusals(loaded):
        raise as_error(mistakes)
    if as_json:
        print_json({"is_ok": True, "given": len(loaded.sources), "warnings": list(loaded.warnings)})
        return
    for warning in loaded.warnings:
        warn(warning)
    print(f"the settings are sound: {len(loaded.sources)} given, the others have their defaults")


def path(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Say which files the settings are read from."""
    from ..model.config import DOTENV_FILE, TOML_FILE
    from ..model.config_sources import CONFIG_VARIABLE

    toml = Path(config or os.environ.get(CONFIG_VARIABLE) or TOML_FILE).absolute()
    files = {"toml": toml, "dotenv": Path(DOTENV_FILE).absolute()}
    if as_json:
        print_json({k: {"path": str(v), "exists": v.exists()} for k, v in files.items()})
        return
    for file in files.values():
        print(f"{file}{'' if file.exists() else '  (not there: defaults hold)'}")


COMMANDS: dict[str, Callable[..., None]] = {"show": show, "check": check, "path": path}
