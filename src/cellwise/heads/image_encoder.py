"""Encoders of images: pixels to a vector for each of an image's regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue in ImageNet's photos: what torchvision's networks were trained with."""

LEAST_ZOOM = 0.75
"""The least side of the part of an image that training looks at, as a share of the whole side."""


class Views(nn.Module):
    """Pixels as numbers of about mean 0 and variance 1; in training, of varied parts of an image.

    A part is a square at a random place, with sides of 75 to 100 % of the image's, scaled up to the
    image's size; half of them are mirrored.

    Source: crops and mirrored images as in Krizhevsky et al. 2012, section 4.1, here of random
    size.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, augment: bool = True):
        super().__init__()
        self.augment = augment
        for name, numbers in (("mean", MEAN), ("deviation", DEVIATION)):
            column = torch.tensor(numbers).reshape(3, 1, 1)
            self.register_buffer(name, column, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """images: uint8 `[B, 3, S, S]`; the same shape out, in the parameters' precision."""
        x = (images.to(self.mean.dtype) / 255 - self.mean) / self.deviation
        return _parts(x) if self.training and self.augment else x


def _parts(x: Tensor) -> Tensor:
    """A random part of each image, half of them mirrored."""
    zoom = torch.empty(len(x), 1, device=x.device).uniform_(LEAST_ZOOM, 1.0)
    side = torch.where(torch.rand_like(zoom) < 0.5, -zoom, zoom)
    shift = (1 - zoom) * (2 * torch.rand(len(x), 2, device=x.device) - 1)
    rows = [
        torch.cat([side, torch.zeros_like(zoom), shift[:, :1]], dim=1),
        torch.cat([torch.zeros_like(zoom), zoom, shift[:, 1:]], dim=1),
    ]
    places = nn.functional.affine_grid(
        torch.stack(rows, dim=1).to(x.dtype), list(x.shape), align_corners=False
    )
    return nn.functional.grid_sample(x, places, padding_mode="reflection", align_corners=False)


class ConvolutionalRegions(nn.Module):
    """A small convolutional network for images that it is trained on from scratch.

    Each block halves the sides: a convolution 3 by 3 with stride 2, normalisation over groups of
    channels, and ReLU. What an image becomes never depends on the others of its batch.

    Args:
        channels: the outputs of each block; the last are the numbers of a region.

    Source: blocks without pooling after Springenberg et al. 2015 (arXiv:1412.6806); group
    normalisation of Wu and He 2018 (arXiv:1803.08494).
    """

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.output_size = channels[-1]
        blocks: list[nn.Module] = []
        for before, after in zip((3, *channels[:-1]), channels, strict=True):
            blocks += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.GroupNorm(max(1, after // 16) if after % 16 == 0 else 1, after),
                nn.ReLU(),
            ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """x: `[B, 3, S, S]`; out: a grid of regions `[B, F, h, w]`."""
        return cast(Tensor, self.blocks(x))
