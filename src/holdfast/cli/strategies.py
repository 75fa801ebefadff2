"""Strategies: which there are, and a new one to start from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import InputError
from .options import AsJson
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..strategies import Strategy

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def strategies(as_json: AsJson = False) -> None:
    """List the strategies that come with Holdfast or with installed packages."""
    found = [_described(name, cls) for name, cls in _known().items()]
    if as_json:
        print_json({"strategies": found})
        return
    rows = [[str(one["name"]), str(one["parameters"]), str(one["description"])] for one in found]
    print_table("", ["Name", "Parameters", "What it does"], rows)
    print("Your own: holdfast new strategy MyBreakout")


def _known() -> dict[str, type[Strategy]]:
    from importlib.metadata import entry_points

    from ..runtime.strategy_loading import ENTRY_POINT_GROUP
    from ..strategies import STRATEGIES

    found = dict(STRATEGIES)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found[point.name] = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's code
            typer.echo(
                f"holdfast: {point.name} of {point.value} can't be loaded: {error}", err=True
            )
    return found


def _described(name: str, cls: type[Strategy]) -> dict[str, str]:
    parameters = inspect.signature(cls).parameters.values()
    return {
        "name": name,
        "parameters": ",".join(_parameter(p) for p in parameters),
        "description": (inspect.getdoc(cls) or "").partition("\n")[0],
        "module": f"{cls.__module__}:{cls.__qualname__}",
    }


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return f"{parameter.name}=?"
    return f"{parameter.name}={parameter.default}"


def strategy(
    name: Annotated[str, typer.Argument(help="The class's name, like MyBreakout.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; else NAME in words.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a small strategy that runs, to be changed from there."""
    from ..runtime.strategy_loading import new_strategy_source

    source = new_strategy_source(name)
    path = out or Path(f"{_WORD.sub('_', name).lower()}.py")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(source)
    except FileExistsError:
        raise InputError(f"{path} exists already: choose another name, or --out FILE") from None
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from error
    if as_json:
        print_json({"file": str(path), "spec": f"{path}:{name}"})
    else:
        print(f"{path} written; try it with: holdfast run --strategy {path}:{name}")


COMMANDS: dict[str, Callable[..., None]] = {"strategy": strategy}
"""What `holdfast new` can write."""
