"""Folders and files that nobody but their owner may read, whatever the umask says.

What is there already stays as it is: whoever made it has their reasons. A folder that lets its
group in, and nobody else, is meant so: what is made in it does as well, as far as the umask lets.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = 0o700
FILE = 0o600
GROUP_LOOKS = 0o050
OTHERS = 0o007


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and those above it that are missing.

    Raises:
        OSError: it can't be made.
    """
    missing = [each for each in path.parents if not each.exists()]
    for each in (*reversed(missing), path):
        each.mkdir(mode=FOLDER | (0o070 if _is_of_group(each.parent) else 0), exist_ok=True)


def make_file(path: str | Path) -> None:
    """Make an empty file where there is none.

    Raises:
        OSError: it can't be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode(Path(path).parent)))
    except FileExistsError:
        return


def file_mode(folder: Path) -> int:
    """Return the mode to make a file with, before the umask.

    Raises:
        OSError: the folder is not there.
    """
    return FILE | (0o060 if _is_of_group(folder) else 0)


def _is_of_group(folder: Path) -> bool:
    mode = folder.stat().st_mode
    return mode & GROUP_LOOKS == GROUP_LOOKS and not mode & OTHERS
