"""The files within a `.zip`, with errors that name the archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from cellwise.errors import DataError

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)
"""What zipfile raises where a file is no zip archive, or not intact."""
REFUSED = (OSError, RuntimeError)
"""What it raises else: the system's errors, and for passwords and unknown ways of packing."""


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """The wanted files of an archive, in the order of their names: the name and what it holds.

    Raises:
        DataError: there is no such file, or it is no archive that can be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(filter(wanted, archive.namelist())):
                yield name, archive.read(name)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except DAMAGED as error:
        raise DataError(f"{path}: the file is no intact zip archive: {error}") from error
    except REFUSED as error:
        raise DataError(f"{path}: the archive cannot be read: {error}") from error
