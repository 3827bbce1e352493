"""The picture of a search: the metric over its trials, and against each setting that varied."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise.errors import ConfigError
from cellwise.training.tune_results import Found
from cellwise.training.tune_space import Choice, Range, Varied
from cellwise.training.tune_trials import Row, best_so_far, short_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_COLUMNS = 3
SPREAD, GOLDEN = 0.4, (math.sqrt(5) - 1) / 2
"""How far the points of one label are spread, and what spreads any number of them evenly."""

WIDTH_INCHES, ROW_INCHES = 10.0, 2.8
DONE, PRUNED, FAILED, BEST = "#2563a8", "#8a8f98", "#b3382c", "#d98300"


def draw_trials(found: Found, path: Path) -> None:
    """Draw the trials of a search as a PNG, or as what the name of `path` ends in.

    The upper plot shows every trial in order, with the best value so far as a line; below stands
    the value against each setting. Trials that failed have no value and stand at the lower edge.

    Raises:
        ConfigError: matplotlib is not installed.

    Example:
        `draw_trials(tune(search, folder), folder / "trials.png")`
    """
    check_plots()
    from matplotlib.figure import Figure

    n_columns = min(N_COLUMNS, len(found.search.space))
    n_rows = math.ceil(len(found.search.space) / n_columns)
    size = (WIDTH_INCHES, ROW_INCHES * (n_rows + 1))
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    grid = figure.add_gridspec(n_rows + 1, n_columns)
    _draw_course(figure.add_subplot(grid[0, :]), found)
    names = short_keys(found.search.keys)
    for place, varied in enumerate(found.search.space):
        axes = figure.add_subplot(grid[1 + place // n_columns, place % n_columns])
        _draw_setting(axes, found, varied)
        axes.set_xlabel(names[varied.key])
        if not place % n_columns:
            axes.set_ylabel(_metric(found))
    _save(figure, path)


def check_plots() -> None:
    """Find out early whether pictures can be drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("plots need the library matplotlib: pip install 'cellwise[plots]'")


def _save(figure: Figure, path: Path) -> None:
    """Write the picture in one step, so that a reader never meets a part of it."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    figure.savefig(part)
    part.replace(path)


def _draw_course(axes: Axes, found: Found) -> None:
    """The value of each trial in order, and the best so far as a line of steps."""
    from matplotlib.ticker import MaxNLocator

    rows = found.rows
    _draw_points(axes, rows, [row.number for row in rows])
    course = best_so_far(rows, found.search.goal)
    last = max((row.number for row in rows), default=0)
    if course:
        numbers, values = zip(*course, strict=True)
        axes.step(
            [*numbers, last],
            [*values, values[-1]],
            where="post",
            color=BEST,
            linewidth=1.5,
            label="best so far",
            zorder=1,
        )
        axes.plot(numbers[-1], values[-1], "*", color=BEST, markersize=13, zorder=4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(-0.5, last + 0.5)  # crosses on the edge do not stretch an axis by themselves
    axes.set_xlabel("trial")
    axes.set_ylabel(_metric(found))
    if rows:
        axes.legend(loc="best", fontsize="small", frameon=False)
    _tidy(axes)


MOST_SIDE_BY_SIDE = 24
"""Letters that have room below a plot; labels of more are turned."""


def _draw_setting(axes: Axes, found: Found, varied: Varied) -> None:
    """The value of each trial against one of its settings."""
    labels = list(varied.values) if isinstance(varied, Choice) else []
    rows = found.rows
    places = [_place(row, varied.key, labels) for row in rows]
    _draw_points(axes, rows, places)
    best = found.best
    if best is not None and best.value is not None:
        place = _place(best, varied.key, labels)
        axes.plot(place, best.value, "*", color=BEST, markersize=13, zorder=4)
    if isinstance(varied, Choice):
        shown = [_shortened(label) for label in labels]
        axes.set_xticks(range(len(labels)), shown)
        if sum(map(len, shown)) > MOST_SIDE_BY_SIDE:
            axes.tick_params(axis="x", labelrotation=30)
            for text in axes.get_xticklabels():
                text.set_horizontalalignment("right")
        axes.set_xlim(-0.5, len(labels) - 0.5)
    else:
        axes.set_xscale("log" if varied.log else "linear")
        _show_whole(axes, varied)
    _tidy(axes)


def _show_whole(axes: Axes, varied: Range) -> None:
    """The axis shows all that could have been proposed."""
    low, high = varied.low, varied.high
    if varied.log:
        margin = (high / low) ** 0.04
        axes.set_xlim(low / margin, high * margin)
    else:
        margin = (high - low) * 0.04
        axes.set_xlim(low - margin, high + margin)


def _place(row: Row, key: str, labels: Sequence[str]) -> float:
    """Where a trial stands on the axis of a setting; those of one label are spread a little."""
    value = row.settings[key]
    if not isinstance(value, str):
        return value
    return labels.index(value) + SPREAD * ((row.number * GOLDEN) % 1 - 0.5)


def _draw_points(axes: Axes, rows: Sequence[Row], places: Sequence[float]) -> None:
    """The trials at their places: dots, hollow where pruned, crosses on the edge where failed."""
    edge = axes.get_xaxis_transform()
    points: dict[str, list[tuple[float, float]]] = {"done": [], "pruned": [], "failed": []}
    for row, place in zip(rows, places, strict=True):
        points[row.state].append((place, 0.03 if row.value is None else row.value))
    styles: tuple[tuple[str, dict[str, Any]], ...] = (
        ("done", {"facecolor": DONE, "edgecolor": "white", "marker": "o", "s": 40}),
        ("pruned", {"facecolor": "white", "edgecolor": PRUNED, "marker": "o", "s": 30}),
        ("failed", {"color": FAILED, "marker": "x", "s": 30, "transform": edge}),
    )
    for state, style in styles:
        if points[state]:
            x, y = zip(*points[state], strict=True)
            axes.scatter(x, y, label=state, zorder=3, linewidth=1.0, **style)


def _metric(found: Found) -> str:
    return f"dev {found.search.metric}"


def _shortened(label: str) -> str:
    return label if len(label) <= 16 else f"…{label[-15:]}"


def _tidy(axes: Axes) -> None:
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
