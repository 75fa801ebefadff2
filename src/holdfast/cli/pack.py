"""Turn a recording of trades into columns, which are read much faster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..model.errors import InputError
from ..model.values import Symbol
from .options import AsJson, symbol_of
from .output import print_json


def pack(
    files: Annotated[list[str], typer.Argument(help="Recordings of one symbol's trades.")],
    file: Annotated[Path, typer.Argument(help="What to write: SYMBOL-anything.npy.")],
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Which, where the recordings hold several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a recording's trades as columns of numbers (NumPy's .npy), all else left out. A replay
    of the file gives the same facts as one of the recording's trades, and need not parse any text.
    """
    from ..feeds import RecordingFeed
    from ..feeds.columns import SUFFIX
    from ..feeds.columns import pack as write

    if file.suffix != SUFFIX:
        raise InputError(f"{file} must end in {SUFFIX}: it is what is written")
    if file.exists():
        raise InputError(f"{file} is there already: name another file, or take it away first")
    wanted = () if symbol is None else (Symbol(symbol_of(symbol)),)
    feed = RecordingFeed(files, wanted)
    file.parent.mkdir(parents=True, exist_ok=True)
    count = write(feed.read(), file, feed.is_numbered)
    if as_json:
        print_json({"file": str(file), "trades": count, "bytes": file.stat().st_size})
    else:
        print(f"{count:,} trades in {file}")
