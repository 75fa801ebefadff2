"""Read Parquet tables of trades, quotes, klines and funding rates through pyarrow, an extra."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError
from ..model.market import MarketData
from ..model.values import Symbol
from .claims import reader_of
from .files import fail
from .guess import Decimals
from .layouts import PRICE_AND_QTY, Layout, layout_of_names
from .rows import NO_QUANTITY, BadRow, Row, Subject
from .source import SAMPLE_ROWS, Chunk, Reading, Source
from .tables import make_subject

BATCH_ROWS = 8192


def open_parquet(path: Path, symbol: Symbol | None = None) -> Source:
    """Look at the head of a Parquet file; columns go by the names that CSV headers have.

    Raises:
        ConfigError: pyarrow is not installed, or nothing says of which symbol it is.
        FeedError: it is no table of market data.
    """
    with _open(path) as file:
        names = [name.lower() for name in file.schema_arrow.names]
        try:
            layout = layout_of_names(names, path)
        except ValueError as error:
            fail(path, 0, str(error))
    rows = next(_rows(path, layout, SAMPLE_ROWS), [])
    if not rows:
        fail(path, 0, "the table is empty; expected rows of market data")
    subject = make_subject(path, symbol, layout, rows)
    seen = Decimals()
    prices, qtys = PRICE_AND_QTY[layout.kind]
    for row in rows:
        seen.see((repr(row[i]) for i in prices), (repr(row[i]) for i in qtys))
    return Source(
        path=path,
        kind=layout.kind,
        decimals={subject.symbol: seen},
        first_ts=_first_ts(path, layout, subject, rows),
        timeframe=subject.timeframe if layout.kind == "klines" else "",
        read=partial(_read, path, layout, subject),
    )


def _first_ts(path: Path, layout: Layout, subject: Subject, rows: list[Row]) -> int:
    reader = reader_of(layout, subject)
    first: list[MarketData] = []
    for number, row in enumerate(rows, 1):
        try:
            first = reader.read([row])
        except BadRow as error:
            fail(path, number, str(error))
        if first:
            break
    else:
        fail(path, 0, f"nothing but {NO_QUANTITY} in the first {len(rows)} rows")
    return first[0].ts


def _open(path: Path) -> Any:  # noqa: ANN401  pyarrow has no types
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  an extra
    except ImportError:
        raise ConfigError(f"reading {path} needs pyarrow: pip install holdfast[parquet]") from None
    try:
        return parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        fail(path, 0, f"can't be read as Parquet: {error}")


def _read(path: Path, layout: Layout, subject: Subject, reading: Reading) -> Iterator[Chunk]:
    if not reading.wants(subject.symbol):
        return
    reader = reader_of(layout, subject._replace(skips=reading.skips))
    done = 0
    for rows in _rows(path, layout, BATCH_ROWS):
        try:
            messages = reader.read(rows)
        except BadRow as error:
            fail(path, done + error.index + 1, str(error))
        if messages:
            yield messages
        done += len(rows)


def _rows(path: Path, layout: Layout, size: int) -> Iterator[list[Row]]:
    """Yield rows in the order of the layout's fields, each column as its field's type."""
    import pyarrow as pa  # noqa: PLC0415  an extra

    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    with _open(path) as file:
        names = [file.schema_arrow.names[place] for place in layout.places]
        done = 0
        try:
            for batch in file.iter_batches(batch_size=size, columns=names):
                columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
                for field, name, column in zip(layout.fields, names, columns, strict=True):
                    if column.null_count and field.kind in kinds:
                        row = done + column.is_null().index(True).as_py() + 1
                        fail(path, row, f"{name} is empty")
                cast = [
                    _as_it_is(column)
                    if field.kind is str
                    else column.cast(kinds[field.kind]).to_pylist()
                    for field, column in zip(layout.fields, columns, strict=True)
                ]
                yield list(zip(*cast, strict=True))
                done += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            fail(path, 0, f"can't be read as the table it is: {error}")


def _as_it_is(column: Any) -> list[Any]:  # noqa: ANN401  likewise
    """Return what a table says of itself, times as numbers; see `claims`."""
    import pyarrow as pa  # noqa: PLC0415  an extra

    is_time = pa.types.is_timestamp(column.type)
    return list((column.cast(pa.int64()) if is_time else column).to_pylist())
