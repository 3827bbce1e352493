"""Trees and grids beside torch by hand and DGL; large forests, and an epoch over a treebank.

    python -m benchmarks.trees                          # trees, grid, large
    python -m benchmarks.trees trees --hidden 300 --threads 1 --rounds 9
    python -m benchmarks.trees epoch --treebank train.txt

Everyone computes the same numbers from the same weights, which is shown in double precision before
anything is timed. Ctrl-C ends a run with what was measured so far.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import trees_epoch, trees_large
from benchmarks.command import run_command
from benchmarks.trees_dgl import WithDGL
from benchmarks.trees_peers import Diagonals, DoubleLoop, LevelByLevel, NodeByNode
from benchmarks.trees_workload import Peer, TreeWorkload, ours, peer_call, random_lists
from cellwise.bench.contenders import TorchCall
from cellwise.bench.grid import PEAK, Line, Peak
from cellwise.bench.machine import Machine, this_machine
from cellwise.bench.tables import markdown_table, shown
from cellwise.bench.timing import Sampler, Spread, interleave, ratios
from cellwise.bench.workload import Workload
from cellwise.errors import BackendError, ConfigError
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest

OURS, ANEW = "ours", "anew"
HEAD = ("workload", "who", "ms", "GFLOP/s", "of peak", "time / ours", "notes")

N_TREES, N_INNER = 25, 464
IMAGE, N_IMAGES = (28, 28), 32
GRIDS = ((1, 16), (4, 16), (4, 64))
"""I and H of the networks over grids."""

MakePeer = Callable[[Recursive, Forest], Peer]
TREE_PEERS: Mapping[str, MakePeer] = {
    "level by level": LevelByLevel,
    "DGL": WithDGL,
    "node by node": NodeByNode,
}
GRID_PEERS: Mapping[str, MakePeer] = {"diagonals": Diagonals, "double loop": DoubleLoop}
"""By name, the slowest last."""


class What(StrEnum):
    """What can be measured."""

    trees = "trees"
    grid = "grid"
    large = "large"
    epoch = "epoch"


@dataclass(frozen=True)
class Measured:
    """A workload with its lines, ours first; as `bench.grid.Measured`."""

    title: str
    gflop: float
    lines: tuple[Line, ...]
    peak_gflops: Spread | None


@dataclass
class Found:
    """All that was measured so far."""

    machine: Machine
    folds: list[Measured] = field(default_factory=list)
    large: list[trees_large.Figures] = field(default_factory=list)
    epochs: list[trees_epoch.Seconds] = field(default_factory=list)


@dataclass(frozen=True)
class Manner:
    """How to measure."""

    hidden_size: int = 150
    threads: int = 2
    rounds: int = 7


def tree_workloads(manner: Manner) -> Iterator[TreeWorkload]:
    """Random binary trees, forward and both."""
    forest = Forest.from_children(random_lists(N_TREES, N_INNER)).binary()
    size, threads = manner.hidden_size, manner.threads
    title = f"{N_TREES} trees, {N_INNER} inner nodes, H={size}"
    for mode, text in (("forward", "forward"), ("both", "forward+backward")):
        named = f"{title}, {text}, {_counted(threads)}"
        cell = "tree_lstm_binary"
        yield TreeWorkload(named, cell, forest, size, size, mode, threads)  # type: ignore[arg-type]


def grid_workloads(manner: Manner) -> Iterator[TreeWorkload]:
    """A batch of images, both."""
    forest = Forest.grid([IMAGE] * N_IMAGES)
    for inputs, hidden in GRIDS:
        title = f"mdlstm, {N_IMAGES} images {IMAGE[0]}x{IMAGE[1]}, I={inputs} H={hidden}"
        named = f"{title}, forward+backward, {_counted(manner.threads)}"
        yield TreeWorkload(named, "mdlstm", forest, inputs, hidden, "both", manner.threads)


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' * (threads != 1)}"


def measure(workload: TreeWorkload, peers: Mapping[str, MakePeer], rounds: int) -> Measured:
    """Time our layer and the peers in turns."""
    present: dict[str, TorchCall] = {OURS: ours(workload), ANEW: ours(workload, anew=True)}
    absent: list[Line] = []
    for name, make in peers.items():
        try:
            present[name] = peer_call(workload, make)
        except BackendError as error:
            absent.append(Line(name, name, note=f"left out: {error}"))
    times = interleave(_in_turn(present, workload.threads), rounds)
    gflop, peak = workload.gflop(), times.get(PEAK)
    lines = [_line(name, call, times, gflop) for name, call in present.items()]
    at_best = Spread.of([1 / s for s in peak]) if peak else None
    return Measured(workload.title, gflop, (*lines, *absent), at_best)


def _in_turn(present: Mapping[str, TorchCall], threads: int) -> dict[str, Sampler]:
    """All who take turns, and the peak.

    Where cores are shared, whoever follows the peak waits for what it took too much: that is left
    to the slowest, whose samples are long.
    """
    samplers: dict[str, Sampler] = dict(present)
    *_, (slowest, last) = samplers.items()
    with suppress(BackendError):
        samplers[PEAK] = Peak(Workload("", threads=threads))
    del samplers[slowest]
    return {**samplers, slowest: last}


def _line(who: str, call: TorchCall, times: Mapping[str, list[float]], gflop: float) -> Line:
    own, peak = times[who], times.get(PEAK)
    milliseconds = Spread.of([s * 1e3 for s in own])
    return Line(
        who,
        call.title,
        milliseconds,
        gflops=gflop / milliseconds.median * 1e3,
        share=ratios([s * gflop for s in peak], own) if peak else None,
        ratio=None if who == OURS else ratios(own, times[OURS]),
        note=call.note,
    )


def rows(measured: Measured) -> Iterator[tuple[str, ...]]:
    """The rows of a workload in the table."""
    for number, line in enumerate(measured.lines):
        yield (
            "" if number else measured.title,
            line.title,
            shown(line.milliseconds),
            "" if line.gflops is None else f"{line.gflops:.1f}",
            shown(line.share, percent=True),
            shown(line.ratio),
            line.note,
        )
    if measured.peak_gflops is not None:
        yield ("", "FMA peak", "", shown(measured.peak_gflops), "", "", "")


def markdown(found: Found) -> str:
    """All tables, under a line on the machine."""
    parts = [str(found.machine)]
    if found.folds:
        parts.append(markdown_table(HEAD, [row for one in found.folds for row in rows(one)]))
    if found.large:
        parts.append(markdown_table(trees_large.HEAD, map(trees_large.row, found.large)))
    if found.epochs:
        parts.append(trees_epoch.table(found.epochs))
    return "\n\n".join(parts) + "\n"


def as_json(found: Found) -> str:
    """All that was measured, for programs."""
    return json.dumps(asdict(found), indent=1)


def _measure_all(whats: list[What], manner: Manner, found: Found, treebank: Path | None) -> None:
    """Measure; `found` grows, so that what is done outlives an interruption."""
    if What.trees in whats:
        for workload in tree_workloads(manner):
            found.folds.append(measure(workload, TREE_PEERS, manner.rounds))
    if What.grid in whats:
        for workload in grid_workloads(manner):
            found.folds.append(measure(workload, GRID_PEERS, manner.rounds))
    if What.large in whats:
        for name in trees_large.CASES:
            found.large.append(trees_large.in_a_fresh_process(name, manner.threads))
    if What.epoch in whats and treebank is not None:
        epoch = trees_epoch.Epoch(treebank, manner.hidden_size, manner.threads)
        for _ in range(min(manner.rounds, trees_epoch.MOST_EPOCHS)):
            found.epochs.append(epoch.run())


def _give_out(found: Found, files: Mapping[Path | None, Callable[[Found], Any]]) -> None:
    if not (found.folds or found.large or found.epochs):
        return
    typer.echo(markdown(found), nl=False)
    for path, text in files.items():
        if path is not None:
            path.write_text(text(found), encoding="utf-8")


def main(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    whats: Annotated[
        list[What] | None, typer.Argument(help="What to measure; else trees, grid and large.")
    ] = None,
    treebank: Annotated[
        Path | None, typer.Option(help="Trees with a label at every node, for an epoch.")
    ] = None,
    hidden: Annotated[int, typer.Option(min=1, help="H of trees and epoch.")] = 150,
    threads: Annotated[int, typer.Option(min=1, help="How many compute.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; all take turns in each.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write the tables.")
    ] = None,
) -> None:
    """Measure networks over trees and grids beside their peers, in one run."""
    chosen = whats or [What.trees, What.grid, What.large]
    if treebank is not None and not whats:
        chosen = [What.epoch]
    if What.epoch in chosen and treebank is None:
        raise ConfigError("an epoch needs --treebank FILE")
    found = Found(this_machine(threads))
    try:
        _measure_all(chosen, Manner(hidden, threads, rounds), found, treebank)
    finally:
        _give_out(found, {markdown_file: markdown, json_file: as_json})


if __name__ == "__main__":
    run_command(main)
