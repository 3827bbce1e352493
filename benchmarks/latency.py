"""How long a step takes at batch size 1: inside a sequence, and one at a time from Python.

python -m benchmarks.latency                 # the LSTM of size 128, beside nn.LSTM
python -m benchmarks.latency gru --hidden 64
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from benchmarks.command import run_command
from cellwise.bench.contenders import ours, torch_module
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table, shown
from cellwise.bench.timing import Sampler, Spread, interleave, ratios, time_calls
from cellwise.bench.torch_twin import TWINS, torch_twin
from cellwise.bench.workload import Workload

Figures = dict[str, tuple[Spread, Spread | None]]
"""Microseconds a step, and the time over ours, by what was measured."""

HEAD = ("what", "µs a step", "time / ours")


class Steps:
    """Something that takes one step a call, from where the last one ended."""

    def __init__(self, step: Callable[[Tensor], object], x: Tensor):
        self.step, self.x = step, x

    def seconds(self, repeats: int) -> float:
        """The seconds of a step, over so many."""
        with torch.no_grad():
            return time_calls(lambda: self.step(self.x), repeats)


def our_stepper(workload: Workload) -> Steps | None:
    """One step of our layer at a time, if it can."""
    layer: Any = workload.layer()
    if not hasattr(layer, "stepper"):
        return None
    return Steps(layer.stepper(1), torch.zeros(1, workload.hidden_size, dtype=workload.dtype))


def torch_stepper(workload: Workload) -> Steps | None:
    """One step of torch's module at a time, the state carried along."""
    module = torch_twin(workload.layer())
    if module is None:
        return None
    state: Any = None

    def step(x: Tensor) -> None:
        nonlocal state
        _, state = module(x, state)

    return Steps(step, torch.zeros(1, 1, workload.hidden_size, dtype=workload.dtype))


def measure(workload: Workload, rounds: int) -> Figures:
    """Microseconds a step, and the time over ours, by what was measured."""
    inside: dict[str, Sampler] = {"ours, inside a sequence": ours(workload)}
    if workload.cell in TWINS:
        inside["torch.nn, inside a sequence"] = torch_module(workload)
    single = {
        "ours, a step from Python": our_stepper(workload),
        "torch.nn, a step from Python": torch_stepper(workload),
    }
    found = _spreads(interleave(inside, rounds), workload.n_steps)
    stepping: dict[str, Sampler] = {name: one for name, one in single.items() if one is not None}
    return found | (_spreads(interleave(stepping, rounds), 1) if stepping else {})


def _spreads(times: dict[str, list[float]], n_steps: int) -> Figures:
    our = next((own for name, own in times.items() if name.startswith("ours")), None)
    return {
        name: (Spread.of([s / n_steps * 1e6 for s in own]), ratios(own, our) if our else None)
        for name, own in times.items()
    }


def main(
    cell: Annotated[str, typer.Argument(help="A cell of the zoo.")] = "lstm",
    hidden: Annotated[int, typer.Option(help="H, and I.")] = 128,
    steps: Annotated[int, typer.Option(help="T of the sequence.")] = 1000,
    rounds: Annotated[int, typer.Option(help="Rounds; all take turns in each.")] = 9,
    backend: Annotated[str, typer.Option(help="Our back end.")] = "auto",
) -> None:
    """Measure a step at batch size 1, on one thread."""
    workload = Workload(
        cell, batch_size=1, hidden_size=hidden, n_steps=steps, mode="forward", backend=backend
    )
    found = measure(workload, rounds)
    rows = [(name, shown(spread), shown(ratio)) for name, (spread, ratio) in found.items()]
    typer.echo(f"{this_machine(1)}\n\n{cell}, B=1 H={hidden}\n\n{markdown_table(HEAD, rows)}")


if __name__ == "__main__":
    run_command(main)
