"""Where `describe` takes images from: pixels of files, or features that were computed before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cellwise.data.batches import until_trouble
from cellwise.data.captions import Captioned
from cellwise.data.image_features import ImageFeatures, read_features
from cellwise.data.images import Images, read_image
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.describe_config import DescribeData, DescribeModel


class Pictures:
    """The images of a configuration as an encoder takes them.

    Pixels are uint8 `[3, S, S]`, features float32 `[R, F]`.
    """

    def __init__(self, data: DescribeData, model: DescribeModel):
        self._data, self._size = data, model.image_size
        self.are_features = model.encoder == "features"

    def stack(self, names: Iterable[str]) -> Tensor:
        """Named images as one tensor. Raises DataError."""
        return torch.stack([self._source[name] for name in names])

    def check(self, items: Sequence[Captioned]) -> None:
        """Make sure that every captioned image is there. Raises DataError."""
        for item in items:
            if item.image not in self._source:
                raise DataError(
                    f"'{item.image}' has a caption, but there is no such image in "
                    f"{self._source.path}"
                )

    def take(self, lines: Iterable[str]) -> tuple[Tensor, DataError | None]:
        """Images as one tensor: the paths of files, or names as in data.images.

        Those before the first that is not there, or cannot be read; and why that is so.
        """
        found, trouble = until_trouble(lines, self._one)
        return torch.stack(found) if found else torch.zeros(0), trouble

    def show(self, line: str, size: int) -> NDArray[np.uint8]:
        """An image as people see it, uint8 `[size, size, 3]`. Raises DataError."""
        if Path(line).is_file():
            return read_image(Path(line), size)
        return self._images.read(line, size)

    def feature_shape(self) -> tuple[int, int]:
        """The regions of an image and the numbers of each; zeros where images are pixels."""
        return self._features.shape if self.are_features else (0, 0)

    def _one(self, line: str) -> Tensor:
        if self.are_features:
            return self._features[line if line in self._features else Path(line).name]
        if Path(line).is_file():
            return torch.from_numpy(read_image(Path(line), self._size)).permute(2, 0, 1)
        if self._images.path.exists() and line in self._images:
            return self._images[line]
        raise DataError(f"there is no image file '{line}', and no such name in {self._images.path}")

    @property
    def _source(self) -> Images | ImageFeatures:
        return self._features if self.are_features else self._images

    @cached_property
    def _images(self) -> Images:
        return Images(Path(self._data.images), self._size)

    @cached_property
    def _features(self) -> ImageFeatures:
        if not self._data.features:
            raise ConfigError("model.encoder = 'features' needs an .npy file as data.features")
        path = Path(self._data.features)
        names = Path(self._data.feature_names or path.with_suffix(".names.txt"))
        return read_features(path, names)
