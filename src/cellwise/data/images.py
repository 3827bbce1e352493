"""Images in a folder, a zip file or alone, scaled to squares of one size.

They are read with Pillow, which loads when the first image is read.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections import Counter
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cellwise.data.archives import DAMAGED, REFUSED
from cellwise.errors import ConfigError, DataError

if TYPE_CHECKING:
    from PIL.Image import Image

CACHE_BYTES = 2**30
"""Scaled images are kept in memory up to so many bytes; those beyond are read each time."""


class Images:
    """The images of a folder or a zip file, by name, as squares of bytes.

    An image is read when it is first asked for. In a zip file an image is known by its path, and by
    its last part where no other image has the same.

    Args:
        path: the folder or zip file.
        size: pixels of a side.
    """

    def __init__(self, path: Path, size: int):
        self.path, self.size = path, size
        self._kept: dict[str, Tensor] = {}

    def __contains__(self, name: str) -> bool:
        if self._archive is not None:
            return name in self._members
        return bool(name) and (self.path / name).is_file()

    def __getitem__(self, name: str) -> Tensor:
        """The pixels of an image, uint8 `[3, size, size]`.

        Raises:
            DataError: there is no such image, or it cannot be read.
        """
        found = self._kept.get(name)
        if found is None:
            found = torch.from_numpy(self.read(name, self.size)).permute(2, 0, 1).contiguous()
            if (len(self._kept) + 1) * found.nbytes <= CACHE_BYTES:
                self._kept[name] = found
        return found

    def read(self, name: str, size: int) -> NDArray[np.uint8]:
        """An image in another size, uint8 `[size, size, 3]`. Raises DataError."""
        if name not in self:
            raise DataError(f"there is no image '{name}' in {self.path}")
        if self._archive is None:
            return read_image(self.path / name, size)
        place = f"{self.path}: {name}"
        try:
            data = self._archive.read(self._members[name])
        except (*DAMAGED, *REFUSED) as error:
            raise DataError(f"{place} cannot be unpacked: {error}") from error
        return _square(io.BytesIO(data), size, place)

    @cached_property
    def _archive(self) -> zipfile.ZipFile | None:
        if self.path.is_dir():
            return None
        try:
            return zipfile.ZipFile(self.path)
        except FileNotFoundError as error:
            raise DataError(f"there is no folder or zip file {self.path}") from error
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{self.path} is neither a folder nor a zip file: {error}") from error

    @cached_property
    def _members(self) -> dict[str, str]:
        """The paths in the zip file by the names that images are known by."""
        assert self._archive is not None
        paths = [path for path in self._archive.namelist() if not path.endswith("/")]
        times = Counter(PurePosixPath(path).name for path in paths)
        short = {PurePosixPath(path).name: path for path in paths}
        alone = {name: path for name, path in short.items() if times[name] == 1}
        return {**alone, **{path: path for path in paths}}


def read_image(path: Path, size: int) -> NDArray[np.uint8]:
    """The pixels of an image file, scaled to a square: uint8 `[size, size, 3]`, red first.

    A photo that says that it lies on its side is put upright.

    Raises:
        DataError: there is no such file, or it is no image that can be read.
        ConfigError: Pillow is not installed.
    """
    try:
        with path.open("rb") as stream:
            return _square(stream, size, str(path))
    except FileNotFoundError as error:
        raise DataError(f"there is no image {path}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _square(stream: IO[bytes], size: int, place: str) -> NDArray[np.uint8]:
    if importlib.util.find_spec("PIL") is None:
        raise ConfigError("images need the library Pillow: pip install 'cellwise[images]'")
    from PIL import Image, ImageOps

    try:
        with Image.open(stream) as image:
            image.draft("RGB", (2 * size, 2 * size))  # a large JPEG is unpacked at less than full
            upright = _in_bytes(ImageOps.exif_transpose(image), image.format).convert("RGB")
            scaled = upright.resize((size, size), Image.Resampling.BILINEAR)
            return np.array(scaled, np.uint8)
    except (
        OSError,
        ValueError,
        SyntaxError,
        RuntimeError,  # of decoders, NotImplementedError among them
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"{place} is no image that can be read: {_cause(error)}") from error


def _in_bytes(image: Image, form: str | None) -> Image:
    """An image of 16 bits a pixel with 8; Pillow would cut what is above 255.

    Raises:
        ValueError: the pixels are whole or real numbers whose range nobody knows.
    """
    from PIL import Image

    # Pillow reads 16 bits of PGM as whole numbers.
    if image.mode.startswith("I;16") or (image.mode == "I" and form == "PPM"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(
            f"its pixels are numbers of 32 bits (mode {image.mode}), of which it does not say "
            "what is black and white; save it with 8 or 16 bits"
        )
    return image


def _cause(error: Exception) -> str:
    """What is wrong with an image; of a format that Pillow does not know, without its stream."""
    text = str(error)
    return "its format is unknown" if text.startswith("cannot identify") else text
