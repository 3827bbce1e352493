"""The recipe `pronounce`, with our layers and with torch.nn.LSTM in their place.

    python -m benchmarks.pronounce               # both in full
    python -m benchmarks.pronounce --epochs 1

Both start from the same weights and draw the same dropout; torch's second biases stay zero, since
ours has one. torch's encoder reads packed sequences, for its second direction must start at each
sequence's own end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.bench.torch_twin import torch_twin
from cellwise.errors import ConfigError
from cellwise.layers import Recurrent
from cellwise.tasks import TASKS, Transduce
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.training.config import RunConfig, parse_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train
from cellwise.training.sources import recipe_text

WITH_TORCH = "transduce_with_torch"
HEAD = ("layers", "seconds", "epochs", "WER", "PER", "seconds / ours")


class TorchLayer(nn.Module):
    """torch's module in the place of a `Recurrent`, with its weights and called like it.

    Args:
        layer: what to replace.

    Raises:
        ConfigError: torch has no such cell.
    """

    def __init__(self, layer: Recurrent):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            module = torch_twin(layer)
        if module is None:
            raise ConfigError(f"torch.nn has no {layer.cell.name}")
        self.module = module
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_hh"))

    def forward(
        self, x: Tensor, state: Sequence[Tensor] | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `Recurrent.forward` on padded batches [T, B, I]."""
        given = None if state is None else self._given(state)
        if lengths is None:
            y, last = self.module(x, given)
            return y, _tuple(last)
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        outputs, last = self.module(packed, given)
        return pad_packed_sequence(outputs, total_length=len(x))[0], _tuple(last)

    def _given(self, state: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        whole = tuple(part.contiguous() for part in state)
        return whole if isinstance(self.module, nn.LSTM) else whole[0]


def _tuple(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


class TransduceWithTorch(Transduce):
    """The task with torch's modules in its model."""

    name = WITH_TORCH

    def build(self) -> EncoderDecoder:
        """A fresh model, its recurrent layers replaced."""
        model: nn.Module = super().build()
        for name in ("encoder", "decoder"):
            layer = model.get_submodule(name)
            assert isinstance(layer, Recurrent)
            setattr(model, name, TorchLayer(layer))
        assert isinstance(model, EncoderDecoder)
        return model


@dataclass(frozen=True)
class Result:
    """What a training took and gave: `metrics` are those of the test part."""

    seconds: float
    epochs: int
    metrics: Mapping[str, float]


def configured(task: str, overrides: Sequence[str]) -> RunConfig:
    """The recipe, for a task of that name."""
    text = recipe_text("pronounce").replace('task = "transduce"', f'task = "{task}"', 1)
    return parse_config(text, Path.cwd(), source="recipe pronounce", overrides=overrides)


def trained(task: str, overrides: Sequence[str], folder: Path, reporter: Reporter) -> Result:
    """Train into a folder, and judge on the test part; the judging is not timed."""
    start = time.perf_counter()
    outcome = train(configured(task, overrides), folder, reporter=reporter)
    seconds = time.perf_counter() - start
    return Result(seconds, outcome.epochs, load_run(folder).evaluate())


def measure(overrides: Sequence[str], folder: Path, reporter: Reporter) -> dict[str, Result]:
    """Train with our layers, then with torch's."""
    TASKS.setdefault(WITH_TORCH, TransduceWithTorch)
    names = {"ours": Transduce.name, "torch.nn": WITH_TORCH}
    return {who: trained(task, overrides, folder / task, reporter) for who, task in names.items()}


def rows(found: Mapping[str, Result]) -> list[tuple[str, ...]]:
    """The rows of the table."""
    base = found["ours"].seconds
    return [
        (
            who,
            f"{one.seconds:.1f}",
            str(one.epochs),
            f"{100 * one.metrics['sequence_error_rate']:.2f} %",
            f"{100 * one.metrics['token_error_rate']:.2f} %",
            f"{one.seconds / base:.2f}",
        )
        for who, one in found.items()
    ]


def main(
    epochs: Annotated[int | None, typer.Option(help="Fewer than the recipe's.")] = None,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train the recipe twice, and compare seconds and error rates."""
    overrides = [f"training.threads={threads}", *(set_ or ())]
    if epochs is not None:
        overrides.append(f"training.epochs={epochs}")
    with TemporaryDirectory() as scratch:
        found = measure(overrides, out or Path(scratch), make_reporter())
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, rows(found))}")


if __name__ == "__main__":
    typer.run(main)
