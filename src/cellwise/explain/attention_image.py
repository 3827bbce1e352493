"""The picture of where in an image each word of its caption looked."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellwise.errors import ConfigError
from cellwise.tasks.describe_answers import Looked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 5
PANEL_INCHES = 2.0
PIXELS = 224
"""Of a side of the image in each panel."""

DARKEST = 0.2
"""What is left of the light where a word did not look."""


def write_attention(looked: Looked, path: Path) -> None:
    """Write the picture to a file: PNG, SVG or PDF, by its name.

    Raises:
        ConfigError: matplotlib is not installed, or the file's name ends in no such format.
    """
    figure = attention_figure(looked)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, bbox_inches="tight")
    except ValueError as error:
        raise ConfigError(f"{path}: the name has to end in .png, .svg or .pdf") from error


def attention_figure(looked: Looked) -> Figure:
    """The image, and for each word the image in the light of where it looked.

    The brightest place of a panel is where its word looked most. The title tells the share of the
    attention that its region had.

    Source: Xu et al. 2015 (arXiv:1502.03044), figures 2 and 3.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: the image cannot be read any more.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("pictures need the library matplotlib: pip install 'cellwise[plots]'")
    from matplotlib.figure import Figure

    image = looked.picture(PIXELS)
    titles = ["", *(f"{symbol}  {weights.max():.0%}" for symbol, weights in _words(looked))]
    panels = [image, *(lit(image, weights) for _, weights in _words(looked))]
    n_rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(PANEL_INCHES * COLUMNS, (PANEL_INCHES + 0.3) * n_rows))
    axes = figure.subplots(n_rows, COLUMNS, squeeze=False).flatten()
    for place in axes:
        place.set_axis_off()
    for place, title, panel in zip(axes, titles, panels, strict=False):
        place.imshow(panel)
        place.set_title(title, fontsize=9, parse_math=False)
    return figure


def lit(image: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image in the light of weights: uint8 `[S, S, 3]` and `[rows, columns]`.

    Light fades from the middle of a region to that of the next one, and is brightest where the
    weight is highest.
    """
    down, across = (_between(n, len(image)) for n in weights.shape)
    light = down @ (weights / max(float(weights.max()), 1e-9)) @ across.T
    shade = DARKEST + (1 - DARKEST) * light
    return np.asarray(np.rint(image * shade[..., None]), np.uint8)


def _words(looked: Looked) -> list[tuple[str, NDArray[np.float32]]]:
    return list(zip(looked.symbols, looked.weights, strict=True))


def _between(n_regions: int, n_pixels: int) -> NDArray[np.float32]:
    """How much of each region's light falls on each pixel of a line: `[pixels, regions]`."""
    middles = (np.arange(n_pixels) + 0.5) * n_regions / n_pixels - 0.5
    distances = np.abs(middles.clip(0, n_regions - 1)[:, None] - np.arange(n_regions))
    return np.asarray(np.maximum(0.0, 1.0 - distances), np.float32)
