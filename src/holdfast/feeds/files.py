"""Find recorded files and read them as blocks of whole lines, packed or not."""

from __future__ import annotations

import contextlib
import glob
import gzip
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from ..model.errors import ConfigError, FeedError

BLOCK_BYTES = 1 << 16
LINE_BYTES_MAX = 1 << 24
"""A longer line is no market data."""

SUFFIXES = (".csv", ".gz", ".zip", ".parquet", ".npy")
"""What a directory or a glob is searched for; a file named in full may be called anything."""

_GZIP, _ZIPS = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")  # the second is empty


class Block(NamedTuple):
    """Whole lines, without the last line's end. `line` is the number of the first, from 1."""

    text: bytes
    line: int


def fail(path: Path, line: int, problem: str) -> NoReturn:
    """Raise a `FeedError` that says where; line 0 stands for the file as a whole."""
    raise FeedError(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")


def find_files(paths: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """Return the files that paths, directories and globs stand for, each once, in their order.

    Raises:
        ConfigError: one of them stands for no file.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    try:
        found = [file for path in paths for file in _expand(Path(path).expanduser())]
    except RuntimeError:  # of `expanduser`
        raise ConfigError(f"{paths[0]}: nobody's home is known by that name") from None
    if not found:
        raise ConfigError("a recording needs at least one file")
    return tuple(dict.fromkeys(found))


def _expand(path: Path) -> Sequence[Path]:
    if path.is_dir():
        found = [file for file in sorted(path.iterdir()) if file.name.endswith(SUFFIXES)]
        if not found:
            raise ConfigError(f"{path} has no file that ends in {', '.join(SUFFIXES)}")
        return found
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  takes absolute ones
        found = [Path(name) for name in names if name.endswith(SUFFIXES)]
        if found:
            return found
    raise ConfigError(f"no such file: {path}; {_nearby(path)}")


def _nearby(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(SUFFIXES))
    more = ", ..." if len(names) > 10 else ""
    return f"{folder} has {', '.join(names[:10]) + more if names else 'no market data'}"


def magic(path: Path) -> bytes:
    """Return a file's first bytes, which tell its format.

    Raises:
        FeedError: it can't be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        fail(path, 0, f"can't be read: {error.strerror}")
    if not head:
        fail(path, 0, "the file is empty; expected lines of market data")
    return head


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield a text file as blocks of whole lines, never all of it at once.

    Raises:
        FeedError: it can't be read, or ends in the middle of its compressed data.
    """
    line, rest = 1, b""
    try:
        with _open(path) as file:
            while data := file.read(BLOCK_BYTES):
                end = data.rfind(b"\n")
                if end < 0:
                    rest += data
                    if len(rest) > LINE_BYTES_MAX:
                        fail(path, line, f"longer than {LINE_BYTES_MAX} bytes; no market data")
                    continue
                text = rest + data[:end]
                rest = data[end + 1 :]
                yield Block(text, line)
                line += text.count(b"\n") + 1
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        fail(path, line, f"the compressed data is torn after this line ({error}); fetch it again")
    except OSError as error:
        fail(path, line, f"can't be read: {error.strerror or error}")
    except RuntimeError as error:  # so zipfile says what it can't unpack
        fail(path, 0, f"can't be unpacked: {error}")
    if rest:
        yield Block(rest, line)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    head = magic(path)
    if head.startswith(_GZIP):
        with gzip.open(path, "rb") as packed:
            yield packed
    elif head in _ZIPS:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                fail(path, 0, f"expected one file in the archive, found {len(names)}")
            with archive.open(names[0]) as member:
                yield member
    else:
        with path.open("rb") as plain:
            yield plain


def lines(blocks: Iterable[Block]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of blocks with their numbers, the empty ones left out."""
    for block in blocks:
        for number, line in enumerate(block.text.split(b"\n"), block.line):
            if text := line.strip():
                yield number, text
