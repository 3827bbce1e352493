"""The picture of attention between two sequences: where each written symbol looked."""

from __future__ import annotations

import importlib.util
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_INCHES = 0.32
MARGIN_INCHES = 1.5


FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "PingFang SC",
    "Unifont",
)
"""Fonts that are asked for a letter, in this order, those of them that are installed."""


def draw_alignment(attention: Mapping[str, Any], path: Path) -> str:
    """Draw where each symbol of an answer looked, to a file: PNG, SVG or PDF, by its name.

    Letters of an .svg stay letters, for which whoever shows it has fonts.

    Args:
        attention: what an answer's record holds as "attention": the symbols of `source`, those of
            `target`, and `weights`, a row for each of the latter.
        path: the file; its folder is made if there is none.

    Returns:
        The letters for which there is no font here, so that the picture shows boxes; "" for none.

    Raises:
        ConfigError: matplotlib is not installed, or the file's name ends in no such format.
    """
    figure = alignment_figure(attention)
    import matplotlib as mpl
    from matplotlib.font_manager import get_font_names
    from matplotlib.text import Text

    installed = set(get_font_names())
    fonts = [name for name in FONTS if name in installed]
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for text in figure.findobj(Text):
            text.set_fontfamily(fonts)
        try:
            figure.savefig(path, bbox_inches="tight", dpi=120)
        except ValueError as error:
            raise ConfigError(f"{path}: the name has to end in .png, .svg or .pdf") from error
    if path.suffix.lower() == ".svg":
        return ""
    missing = (re.match(r"Glyph (\d+) .*missing", str(one.message)) for one in told)
    return "".join(dict.fromkeys(chr(int(found[1])) for found in missing if found))


def alignment_figure(attention: Mapping[str, Any]) -> Figure:
    """A row for each written symbol, a column for each source symbol, dark where it looked.

    Source: Bahdanau et al. 2015 (arXiv:1409.0473), figure 3, with rows and columns as there.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("pictures need the library matplotlib: pip install 'cellwise[plots]'")
    from matplotlib.figure import Figure

    source, target = attention["source"], attention["target"]
    width, height = (MARGIN_INCHES + CELL_INCHES * len(side) for side in (source, target))
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    weights = np.asarray(attention["weights"], float).reshape(len(target), len(source))
    if weights.size:
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90, parse_math=False)
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(0.5, len(source) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(target) - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(length=0, which="both")
    return figure
