"""Features of images that were computed before: an .npy file, and the images' names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cellwise.data.lines import read_lines
from cellwise.errors import DataError


@dataclass(frozen=True)
class ImageFeatures:
    """Vectors of images' regions by the images' names; the file is mapped, not read at once.

    Attributes:
        path: the .npy file, where the rows come from.
        rows: `[N, R, F]`.
        names: the images' names in the order of the rows.
    """

    path: Path
    rows: NDArray[np.floating]
    names: tuple[str, ...]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Tensor:
        """The features of an image, float32 `[R, F]`. Raises DataError: there are none."""
        if name not in self:
            raise DataError(f"there are no features of image '{name}' in {self.path}")
        found = np.array(self.rows[self._places[name]], np.float32)
        if not np.isfinite(found).all():
            raise DataError(
                f"{self.path}: the features of image '{name}' hold a number that is none, or "
                "infinite"
            )
        return torch.from_numpy(found)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of regions, and the numbers of each."""
        return self.rows.shape[1], self.rows.shape[2]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}


def read_features(path: Path, names: Path) -> ImageFeatures:
    """The features of a file, `[N, F]` or `[N, R, F]`, whose rows are in the order of the names.

    Args:
        path: an .npy file of floating-point numbers.
        names: a text file with the name of an image a line.

    Raises:
        DataError: a file cannot be read, or they do not fit each other.
    """
    known = tuple(line.strip() for _, line in read_lines(names) if line.strip())
    rows = _rows(path)
    if len(known) != len(rows):
        raise DataError(
            f"{path} has features of {len(rows)} images, but {names} names {len(known)}"
        )
    if len(set(known)) < len(known):
        twice = next(name for place, name in enumerate(known) if name in known[:place])
        raise DataError(f"{names}: '{twice}' stands there twice")
    return ImageFeatures(path, rows, known)


def _rows(path: Path) -> NDArray[np.floating]:
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)  # np.load would take a zip for an archive of arrays
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no .npy file of numbers: {error}") from error
    if not isinstance(rows, np.ndarray) or not np.issubdtype(rows.dtype, np.floating):
        raise DataError(f"{path} is no .npy file of floating-point numbers")
    if rows.ndim not in (2, 3):
        raise DataError(
            f"{path} has the shape {list(rows.shape)}, and needs [images, numbers] "
            "or [images, regions, numbers]"
        )
    if 0 in rows.shape[1:]:
        raise DataError(f"{path} has the shape {list(rows.shape)}: there is no number in it")
    whole: NDArray[np.floating] = rows if rows.ndim == 3 else rows[:, None]
    return whole
