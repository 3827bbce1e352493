"""Large and deep forests: seconds and peak memory, each in a fresh process.

    python -m benchmarks.trees_large NAME THREADS     # the inside: figures as JSON

Memory is counted as in `benchmarks.memory_inside`: how far the process rises above where it stood
before the forward and backward; weights and inputs are there before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import typer
from torch import Tensor

from benchmarks.memory import AT_ONCE
from benchmarks.memory_inside import peak_rise_bytes
from benchmarks.trees_workload import random_lists
from cellwise.layers import Recursive
from cellwise.layers.recursion import Recursion
from cellwise.structures.forest import Forest

HEAD = ("forest", "nodes", "forest s", "forward s", "forward+backward s", "peak MiB", "in outputs")
DEEP = 10_000


@dataclass(frozen=True)
class Case:
    """A forest that is made by a call, from data that are made before, and what runs over it."""

    title: str
    cell: str
    hidden_size: int
    prepared: Callable[[], object]
    made: Callable[..., Forest]


@dataclass(frozen=True)
class Figures:
    """What was found: seconds of making the forest and of calls; the peak of both, and of y."""

    title: str
    n_nodes: int
    forest_s: float
    forward_s: float
    both_s: float
    peak_bytes: int
    output_bytes: int


def left_branching(depth: int) -> list[list[list[int]]]:
    """A binary tree with a leaf on the right of every inner node."""
    children: list[list[int]] = []
    for node in range(depth):
        children += [[2 * node + 2, 2 * node + 1], []]
    return [[*children, []]]


CASES = {
    "million": Case(
        "a million nodes in random binary trees, tree_lstm_binary, H=16",
        "tree_lstm_binary",
        16,
        lambda: random_lists(26_316, 486_842),
        lambda lists: Forest.from_children(lists).binary(),
    ),
    "million_wide": Case(
        "a million nodes in random binary trees, recursive, H=32",
        "recursive",
        32,
        lambda: random_lists(26_316, 486_842),
        lambda lists: Forest.from_children(lists).binary(),
    ),
    "chains": Case(
        f"32 chains {DEEP} deep, tree_lstm, H=64",
        "tree_lstm",
        64,
        lambda: [DEEP] * 32,
        Forest.chain,
    ),
    "branching": Case(
        f"a binary tree {DEEP} deep, tree_lstm_binary, H=64",
        "tree_lstm_binary",
        64,
        lambda: left_branching(DEEP),
        lambda lists: Forest.from_children(lists).binary(),
    ),
}


def measure(case: Case, threads: int) -> Figures:
    """The figures of a case, in this process."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    layer = Recursive(case.cell, case.hidden_size, case.hidden_size)
    given = case.prepared()
    _tiny(layer)
    start = time.perf_counter()
    forest = case.made(given)
    forest_s = time.perf_counter() - start
    x = torch.randn(_rows(layer, forest), case.hidden_size, requires_grad=True)
    d_y = torch.ones(forest.n_nodes, case.hidden_size)
    peak_bytes = peak_rise_bytes(lambda: _both(layer, x, forest, d_y))
    start = time.perf_counter()
    with torch.no_grad():
        layer(x, forest)
    middle = time.perf_counter()
    _both(layer, x, forest, d_y)
    both_s = time.perf_counter() - middle
    output_bytes = d_y.numel() * d_y.element_size()
    return Figures(
        case.title, forest.n_nodes, forest_s, middle - start, both_s, peak_bytes, output_bytes
    )


def _tiny(layer: Recursive) -> None:
    """A call that loads libraries and compiles."""
    forest = Forest.from_children([[[1, 2], [], [3, 4], [], []]]).binary()
    size = layer.hidden_size
    x = torch.zeros(_rows(layer, forest), size, requires_grad=True)
    _both(layer, x, forest, torch.zeros(forest.n_nodes, size))


def _rows(layer: Recursive, forest: Forest) -> int:
    first = layer.get_submodule("layer0")
    assert isinstance(first, Recursion)
    return len(forest.leaves) if first.only_leaves_read else forest.n_nodes


def _both(layer: Recursive, x: Tensor, forest: Forest, d_y: Tensor) -> None:
    layer.zero_grad(set_to_none=True)
    x.grad = None
    y, _ = layer(x, forest)
    y.backward(d_y)


def in_a_fresh_process(name: str, threads: int) -> Figures:
    """`measure` in a new process."""
    command = [sys.executable, "-m", "benchmarks.trees_large", name, str(threads)]
    environment = {**os.environ, **AT_ONCE, "OMP_NUM_THREADS": str(threads)}
    root = Path(__file__).parent.parent
    done = subprocess.run(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return Figures(**json.loads(done.stdout))


def row(found: Figures) -> tuple[str, ...]:
    """A row of the table."""
    seconds = (found.forest_s, found.forward_s, found.both_s)
    return (
        found.title,
        f"{found.n_nodes:,}",
        *(f"{s:.2f}" for s in seconds),
        f"{found.peak_bytes / 2**20:.0f}",
        f"{found.peak_bytes / found.output_bytes:.1f}",
    )


if __name__ == "__main__":
    typer.echo(json.dumps(asdict(measure(CASES[sys.argv[1]], int(sys.argv[2])))))
