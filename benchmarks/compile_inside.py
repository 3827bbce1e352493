"""The inside of `benchmarks.compile_time`: what a cell's first call costs in this process.

python -m benchmarks.compile_inside CELL HIDDEN BACKEND [alone|later]
"""

from __future__ import annotations

import json
import sys
import time

import torch
import typer

from cellwise.layers import Recurrent

PLAIN = "h[t] = x[t] + 0.5 * h[t-1]"
OTHER = "h[t] = tanh(U @ x[t] + W @ h[t-1])"


def first_call(
    cell: str, hidden_size: int, backend: str, *, later: bool = False
) -> dict[str, float]:
    """The seconds that a cell takes until its first forward and backward are done.

    What torch and Python do once a process is done beforehand with another cell, on plain torch;
    `later`: also what the back end does once a process, such as loading LLVM. A second layer and
    a second call are taken off, so that the rest is what compiling costs, and not what first
    values of weights and the arithmetic do.

    Returns:
        `derive`: reading the cell and deriving its backward, the first layer less the second one;
        `compile`: the first call less the second one.
    """
    _call(Recurrent(PLAIN, 2, 2, backend="reference"))
    if later:
        _call(_layer(OTHER, hidden_size, backend)[1])
    (first, layer), (second, _) = (_layer(cell, hidden_size, backend) for _ in range(2))
    calls = _call(layer), _call(layer)
    return {"derive": max(0.0, first - second), "compile": max(0.0, calls[0] - calls[1])}


def _layer(cell: str, hidden_size: int, backend: str) -> tuple[float, Recurrent]:
    """The seconds that a layer takes, and the layer."""
    start = time.perf_counter()
    layer = Recurrent(cell, hidden_size, hidden_size, backend=backend)  # type: ignore[arg-type]
    return time.perf_counter() - start, layer


def _call(layer: Recurrent) -> float:
    """The seconds of a forward and backward over two steps of one sequence."""
    x = torch.zeros(2, 1, layer.input_size, requires_grad=True)
    start = time.perf_counter()
    y, _ = layer(x)
    assert isinstance(y, torch.Tensor)
    y.sum().backward()
    return time.perf_counter() - start


if __name__ == "__main__":
    found = first_call(sys.argv[1], int(sys.argv[2]), sys.argv[3], later=sys.argv[4:] == ["later"])
    typer.echo(json.dumps(found))
