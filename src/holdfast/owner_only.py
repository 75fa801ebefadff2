"""Folders and files that nobody but their owner may read, whatever the umask says.

What is there already stays as it is: whoever made it has their reasons.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = 0o700
FILE = 0o600


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and those above it that are missing.

    Raises:
        OSError: it can't be made.
    """
    missing = [each for each in path.parents if not each.exists()]
    for each in (*reversed(missing), path):
        each.mkdir(mode=FOLDER, exist_ok=True)


def make_file(path: str | Path) -> None:
    """Make an empty file where there is none.

    Raises:
        OSError: it can't be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE))
    except FileExistsError:
        return
