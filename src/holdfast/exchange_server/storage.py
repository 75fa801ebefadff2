"""Where the exchange's books are kept: one SQLite file in the data folder, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..exchange import Row
from ..model.errors import ConfigError
from ..owner_only import make_folder
from ..venues.paper_books import PaperBooks

BOOKS_FILE = "exchange.db"


class Storage:
    """The books of one exchange; without a folder they last as long as the process.

    Raises:
        ConfigError: the folder can't be used, or another process holds the books.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self._books: PaperBooks | None = None
        if data_dir is None:
            return
        try:
            make_folder(data_dir)
        except OSError as error:
            raise ConfigError(f"data folder {data_dir} can't be made: {error}") from error
        self._books = PaperBooks(data_dir / BOOKS_FILE)

    @property
    def is_kept(self) -> bool:
        return self._books is not None

    def rows(self) -> list[Row]:
        return [] if self._books is None else list(self._books.rows())

    def commit(self, rows: Sequence[Row]) -> None:
        """Keep rows, all or none.

        Raises:
            VenueError: they can't be written; the exchange must stop here.
        """
        if self._books is not None and rows:
            self._books.commit(rows)

    def close(self) -> None:
        if self._books is not None:
            self._books.close()
