"""The files within a `.zip`, with errors that name the archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from cellwise.errors import DataError


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
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: the file is no intact zip archive: {error}") from error
    except (OSError, RuntimeError, NotImplementedError) as error:
        # zipfile raises the last two for passwords and for ways of packing that it does not know.
        raise DataError(f"{path}: the archive cannot be read: {error}") from error
