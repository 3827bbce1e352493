"""Those who run in this process: our layer, torch's module, the eager loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from cellwise.bench.eager import EagerLoop
from cellwise.bench.timing import time_calls
from cellwise.bench.torch_twin import TWINS, torch_twin
from cellwise.bench.workload import Workload, cotangent
from cellwise.errors import BackendError
from cellwise.layers import Recurrent
from cellwise.structures.batch import ragged_levels


class TorchCall:
    """A call of something that torch differentiates.

    Attributes:
        title: what tables call it.
        note: what a reader of the table must know.

    Args:
        forward: from x to y.
        x: the inputs.
        weights: what else gets a gradient.
        both: with the backward; else without gradients.
        threads: how many compute.
    """

    title = note = ""

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        x: Tensor,
        weights: Sequence[Tensor],
        *,
        both: bool,
        threads: int,
    ):
        self.forward, self.both, self.threads = forward, both, threads
        self.x = x.detach().clone().requires_grad_(both)
        self.leaves = [self.x, *weights]
        torch.set_num_threads(threads)
        with torch.no_grad():
            self.d_y = cotangent(forward(self.x))

    def __call__(self) -> Tensor:
        """Compute once."""
        if not self.both:
            with torch.no_grad():
                return self.forward(self.x)
        for leaf in self.leaves:
            leaf.grad = None
        y = self.forward(self.x)
        y.backward(self.d_y)
        return y

    def seconds(self, repeats: int) -> float:
        """The seconds that a call takes, over so many calls."""
        torch.set_num_threads(self.threads)
        return time_calls(self, repeats)

    def outputs(self) -> list[Tensor]:
        """y, and with a backward the cotangent of x."""
        y = self().detach()
        return [y] if self.x.grad is None else [y, self.x.grad]


def of_module(module: nn.Module, workload: Workload) -> TorchCall:
    """A call of a module that is used as nn.LSTM is; ragged batches come packed."""
    both, threads = workload.mode == "both", workload.threads
    weights = list(module.parameters())
    if not workload.ragged:
        padded = workload.padded()
        return TorchCall(lambda x: _first(module(x)), padded, weights, both=both, threads=threads)
    packed = workload.packed()

    def forward(data: Tensor) -> Tensor:
        return _first(module(PackedSequence(data, packed.batch_sizes))).data

    return TorchCall(forward, packed.data, weights, both=both, threads=threads)


def _first(result: tuple[Tensor, object]) -> Tensor:
    return result[0]


def ours(workload: Workload) -> TorchCall:
    """Our layer."""
    layer = workload.layer()
    call = of_module(layer, workload)
    call.title = f"cellwise {workload.cell}"
    call.note = served_by(layer)
    return call


def served_by(layer: Recurrent) -> str:
    """The back ends that serve a layer's forward and backward."""
    report = layer.backend_report()
    names = dict.fromkeys(report[call].backend for call in ("forward", "backward"))
    return f"backend {' and '.join(names)}"


def our_padded(workload: Workload) -> TorchCall:
    """Our layer on the same batch with all sequences at their full length."""
    call = ours(replace(workload, ragged=False))
    call.title += ", padded"
    return call


def our_lstm(workload: Workload) -> TorchCall:
    """Our LSTM of the same size: what others are compared with per operation."""
    return ours(replace(workload, cell="lstm", equations=""))


def torch_module(workload: Workload) -> TorchCall:
    """What torch.nn has for the cell.

    Raises:
        BackendError: it has nothing.
    """
    module = torch_twin(workload.layer())
    if module is None:
        raise BackendError("torch.nn has no such cell")
    call = of_module(module, workload)
    call.title = f"nn.{type(module).__name__}"
    call.note = "" if TWINS[workload.cell].same else "resets after the product"
    return call


def loops_of(workload: Workload) -> list[EagerLoop]:
    """The eager loops of a layer's directions, with its weights.

    Raises:
        BackendError: the equations hold what the loop does not know.
    """
    layer = workload.layer()
    cell = layer.cell
    return [
        EagerLoop(
            cell.system,
            direction.sizes,
            direction.constants,
            {name: direction.weight(name) for name in cell.parameters},
        )
        for direction in layer._directions
    ]


def eager(workload: Workload) -> TorchCall:
    """The eager loop; of a ragged batch it computes the live rows only.

    Raises:
        BackendError: the equations hold what the loop does not know.
    """
    loops = loops_of(workload)
    weights = [weight for loop in loops for weight in loop.parameters()]
    both, threads = workload.mode == "both", workload.threads
    forward = _packed(workload, loops) if workload.ragged else _padded(loops)
    x = workload.packed().data if workload.ragged else workload.padded()
    call = TorchCall(forward, x, weights, both=both, threads=threads)
    call.title = "eager torch loop"
    return call


def _padded(loops: Sequence[EagerLoop]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        parts = [torch.stack(loops[0](x.unbind(0)))]
        if len(loops) > 1:
            parts.append(torch.stack(loops[1](x.flip(0).unbind(0))).flip(0))
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    return forward


def _packed(workload: Workload, loops: Sequence[EagerLoop]) -> Callable[[Tensor], Tensor]:
    lengths = torch.tensor(workload.lengths)
    levels = ragged_levels(lengths, workload.n_rows, max(workload.lengths))
    sizes: list[int] = levels.sizes.tolist()
    backwards = levels.reversed(torch.arange(workload.n_rows))

    def forward(rows: Tensor) -> Tensor:
        parts = [torch.cat(loops[0](rows.split(sizes)))]
        if len(loops) > 1:
            parts.append(torch.cat(loops[1](rows[backwards].split(sizes)))[backwards])
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    return forward


def masked(workload: Workload, loops: Sequence[EagerLoop]) -> Callable[[Tensor], Tensor]:
    """The eager loop over a padded batch with a mask, as compilers like it."""
    live = workload.mask() if workload.ragged else None

    def sweep(loop: EagerLoop, x: Tensor, mask: Tensor | None) -> Tensor:
        return torch.stack(loop(x.unbind(0), None if mask is None else mask.unbind(0)))

    def forward(x: Tensor) -> Tensor:
        parts = [sweep(loops[0], x, live)]
        if len(loops) > 1:
            mask = None if live is None else live.flip(0)
            parts.append(sweep(loops[1], x.flip(0), mask).flip(0))
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    return forward
