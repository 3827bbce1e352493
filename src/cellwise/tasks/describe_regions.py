"""The vectors of images' regions: from pixels by a network, or as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cellwise.errors import ConfigError, DataError
from cellwise.heads.image_backbones import Backbone
from cellwise.heads.image_encoder import ConvolutionalRegions, Views
from cellwise.tasks.describe_config import DescribeModel


class Regions(nn.Module, ABC):
    """Images to vectors of their regions, `[R, B, F]`.

    Attributes:
        count: R, the number of an image's regions.
        size: F, the numbers of a region.
        grid: how many rows and columns of regions there are; None where that is not known.
    """

    count: int
    size: int
    grid: tuple[int, int] | None

    @abstractmethod
    def forward(self, images: Tensor, names: Sequence[str] = ()) -> Tensor:
        """The regions of images. Their names, if given, say which ones were seen before."""


class GivenRegions(Regions):
    """Features that were computed before, `[B, R, F]`, as they come."""

    def __init__(self, count: int, size: int):
        super().__init__()
        self.count, self.size = count, size
        side = round(count**0.5)
        self.grid = (side, side) if side * side == count else None

    def forward(self, images: Tensor, names: Sequence[str] = ()) -> Tensor:
        return images.transpose(0, 1)


class PixelRegions(Regions):
    """A network over pixels, uint8 `[B, 3, S, S]`, that learns or not.

    One that does not learn sees each image as it is, and what it makes of an image with a name is
    kept.
    """

    def __init__(self, network: Backbone | ConvolutionalRegions, config: DescribeModel):
        super().__init__()
        self.learns = isinstance(network, ConvolutionalRegions) or config.tune_encoder
        self.views = Views(augment=config.augment and self.learns)
        self.network = network.requires_grad_(self.learns)
        self.size = network.output_size
        with torch.no_grad():
            size = config.image_size
            rows, columns = network.eval()(torch.zeros(1, 3, size, size)).shape[2:]
        network.train()
        self.grid, self.count = (rows, columns), rows * columns
        self._kept: dict[str, Tensor] = {}

    def forward(self, images: Tensor, names: Sequence[str] = ()) -> Tensor:
        if self.learns:
            return self._made(images)
        if not names:
            return self._frozen(images)
        new = [place for place, name in enumerate(names) if name not in self._kept]
        if new:
            made = self._frozen(images[new]).cpu()
            self._kept |= {names[place]: made[:, i] for i, place in enumerate(new)}
        return torch.stack([self._kept[name] for name in names], dim=1).to(images.device)

    def train(self, mode: bool = True) -> PixelRegions:
        """A network that does not learn keeps the means and variances that it has, too."""
        super().train(mode)
        if not self.learns:
            self.network.eval()
        return self

    def _made(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.network(self.views(images)).flatten(2).permute(2, 0, 1))

    @torch.no_grad()
    def _frozen(self, images: Tensor) -> Tensor:
        return self._made(images)


def pixel_regions(config: DescribeModel, weights: Mapping[str, Tensor]) -> PixelRegions:
    """The network over pixels that a configuration asks for.

    Args:
        config: the [model] table.
        weights: of a network of torchvision, by its own names; those of layers that are not used
            do not matter. Without any, weights are random.

    Raises:
        ConfigError: there is no such network.
        DataError: the weights are of another one.
    """
    if config.encoder == "cnn":
        return PixelRegions(ConvolutionalRegions(config.channels), config)
    backbone = Backbone(config.encoder)
    if weights:
        backbone.take(weights, source=config.encoder_weights)
    return PixelRegions(backbone, config)


def read_weights(config: DescribeModel) -> dict[str, Tensor]:
    """The weights that `model.encoder_weights` names, or none.

    Raises:
        ConfigError: the encoder takes none.
        DataError: they cannot be read.
    """
    if not config.encoder_weights:
        return {}
    if config.encoder in ("cnn", "features"):
        raise ConfigError(
            f"model.encoder_weights are for networks of torchvision, not for '{config.encoder}'"
        )
    path = Path(config.encoder_weights)
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} is no .safetensors file: {error}") from error
