"""Files of vectors: NumPy's .npy and JSON lines, written row by row."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]


class VectorFile(Protocol):
    """Takes texts with their vectors, one after the other."""

    def write(self, text: str, vector: Row) -> None:
        """Append a text's vector, `[F]`."""


class NpyFile:
    """An array `[N, F]` of float32 in NumPy's format, N known only at the end.

    The rows go to a file beside it, which takes the name when all are there.
    """

    def __init__(self, path: Path):
        self._path, self._count, self._size = path, 0, 0
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._file: BinaryIO = self._partial.open("wb")
        except OSError as error:
            error.filename = str(path)
            raise

    def write(self, text: str, vector: Row) -> None:
        """Append a text's vector, `[F]`."""
        if not self._count:
            self._size = len(vector)
            self._write_head()
        self._file.write(vector.astype("<f4").tobytes())
        self._count += 1

    def __enter__(self) -> NpyFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._write_head()
        self._file.close()
        try:
            if kind is None:
                self._partial.replace(self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _write_head(self) -> None:
        """NumPy pads the head so that it keeps its length when the first axis grows."""
        shape = self._count, self._size
        head = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, head)


class JsonLines:
    """A JSON object a line: the text and its vector."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, text: str, vector: Row) -> None:
        """Append a text's vector, `[F]`."""
        shortest = [float(str(value)) for value in vector]  # as many digits as float32 has
        row = {"text": text, "vector": shortest}
        line = f"{json.dumps(row, ensure_ascii=False)}\n"
        self._file.write(line.encode(errors="backslashreplace"))
