"""What `benchmarks.trees` measures: a cell over a forest, with data drawn from fixed seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from cellwise.bench.contenders import TorchCall
from cellwise.bench.operations import BACKWARD, product_flops
from cellwise.errors import BackendError
from cellwise.layers import Recursive
from cellwise.layers.recursion import Recursion
from cellwise.structures.forest import Forest

LEAVES = (5, 35)
"""The least and the most leaves of a random tree."""

AGREEMENT = 1e-9
"""How far a peer may lie from us in double precision, as a share of the largest number.

In single precision two sums over a grid in another order lie a thousandth apart.
"""

Weights = Mapping[str, Tensor]
"""Tensors by the names of the cell's parameters: the weights, or their gradients."""


def random_children(n_leaves: int, draw: random.Random) -> list[list[int]]:
    """The children of each node of a binary tree; how many leaves go left is drawn evenly."""
    children: list[list[int]] = [[]]
    open_ = [(0, n_leaves)]
    while open_:
        node, count = open_.pop()
        if count > 1:
            left = draw.randint(1, count - 1)
            children[node] = [len(children), len(children) + 1]
            open_ += zip(children[node], (left, count - left), strict=True)
            children += [[], []]
    return children


def random_lists(n_trees: int, n_inner: int, seed: int = 0) -> list[list[list[int]]]:
    """Binary trees that have so many nodes with children together."""
    draw = random.Random(seed)
    counts = [draw.randint(*LEAVES) for _ in range(n_trees)]
    while (excess := sum(counts) - n_trees - n_inner) != 0:
        tree = draw.randrange(n_trees)
        counts[tree] = max(1, counts[tree] - (1 if excess > 0 else -1))
    return [random_children(count, draw) for count in counts]


@dataclass(frozen=True)
class TreeWorkload:
    """One fold.

    Attributes:
        title: what tables call it.
        cell: a cell of the zoo.
        forest: the trees.
        input_size: I.
        hidden_size: H.
        mode: "forward" (without gradients) or "both".
        threads: how many compute.
        backend: what our layer is asked to take.
    """

    title: str
    cell: str
    forest: Forest
    input_size: int
    hidden_size: int
    mode: Literal["forward", "both"] = "both"
    threads: int = 1
    backend: Literal["auto", "cpu", "reference"] = "auto"

    def layer(self) -> Recursive:
        """Our layer, with the same parameters every time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            return Recursive(self.cell, self.input_size, self.hidden_size, backend=self.backend)

    def inputs(self) -> Tensor:
        """A row for each leaf, or for each node where all read one."""
        leaves = recursion(self.layer()).only_leaves_read
        count = len(self.forest.leaves) if leaves else self.forest.n_nodes
        generator = torch.Generator().manual_seed(3)
        return torch.randn((count, self.input_size), generator=generator)

    def gflop(self) -> float:
        """The operations of the products of a call, in 10⁹."""
        first = recursion(self.layer())
        system, sizes = first.cell.system, first.sizes
        n_leaves = len(self.forest.leaves) if system.leaf else 0
        flops = product_flops(system, sizes) * (self.forest.n_nodes - n_leaves)
        flops += product_flops(replace(system, equations=system.leaf), sizes) * n_leaves
        return flops * (1 + BACKWARD if self.mode == "both" else 1) / 1e9

    def call(self, module: nn.Module, forward: Callable[[Tensor], Tensor]) -> TorchCall:
        """A call that computes the outputs of all nodes, in the forest's order."""
        both = self.mode == "both"
        weights = list(module.parameters())
        return TorchCall(forward, self.inputs(), weights, both=both, threads=self.threads)


def recursion(layer: Recursive) -> Recursion:
    """The parameters of a layer with one sweep."""
    first = layer.get_submodule("layer0")
    assert isinstance(first, Recursion)
    return first


def weights_of(layer: Recursive) -> dict[str, Tensor]:
    """The weights of a layer by their names in the equations."""
    return {name: p.detach() for name, p in recursion(layer).named_parameters()}


def ours(workload: TreeWorkload, *, anew: bool = False) -> TorchCall:
    """Our layer.

    Args:
        workload: what is computed.
        anew: the forest's levels, and which thread computes what, are worked out in each call.
    """
    layer, forest = workload.layer(), workload.forest

    def forward(x: Tensor) -> Tensor:
        y: Tensor = layer(x, replace(forest) if anew else forest)[0]
        return y

    call = workload.call(layer, forward)
    call.title = f"cellwise {workload.cell}" + (", a new forest each time" if anew else "")
    report = layer.backend_report()
    names = dict.fromkeys(report[what].backend for what in ("forward", "backward"))
    call.note = f"backend {' and '.join(names)}"
    return call


class Peer(nn.Module):
    """The same cell written by hand, with weights put together as it likes them.

    Attributes:
        title: what tables call it.
    """

    title = ""

    def __init__(self, layer: Recursive):
        super().__init__()
        for name, weight in self.gathered(weights_of(layer)).items():
            self.register_parameter(name, nn.Parameter(weight.clone()))

    @staticmethod
    def gathered(weights: Weights) -> dict[str, Tensor]:
        """Our weights, or their gradients, put together as this peer has its own."""
        raise NotImplementedError


def peer_call(workload: TreeWorkload, make: Callable[[Recursive, Forest], Peer]) -> TorchCall:
    """A peer, of which it has been shown that it computes what we do.

    Raises:
        BackendError: it cannot be had here, or computes something else.
    """
    far = distance(workload, make(workload.layer(), workload.forest))
    if far > AGREEMENT:
        raise BackendError(f"it differs from ours by {far:.1e} of the largest number")
    peer = make(workload.layer(), workload.forest)
    call = workload.call(peer, peer)
    call.title = peer.title
    return call


def distance(workload: TreeWorkload, peer: Peer) -> float:
    """How far a peer's outputs and gradients lie from ours, at most, in double precision."""
    layer = workload.layer()
    ours = _doubled(workload, layer, lambda x: layer(x, workload.forest)[0])
    ours += peer.gathered(gradients(recursion(layer))).values()
    theirs = [*_doubled(workload, peer, peer), *gradients(peer).values()]
    pairs = zip(ours, theirs, strict=True)
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)


def _doubled(
    workload: TreeWorkload, module: nn.Module, forward: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """The outputs and the inputs' gradient; the module's weights have theirs."""
    weights, x = list(module.double().parameters()), workload.inputs().double()
    return TorchCall(forward, x, weights, both=True, threads=workload.threads).outputs()


def gradients(module: nn.Module) -> dict[str, Tensor]:
    """The gradients of a module's parameters."""
    return {n: p.grad for n, p in module.named_parameters() if p.grad is not None}


def stacked(weights: Weights, names: Sequence[str]) -> Tensor:
    """Rows of several weights, one below the other: "A B" has B beside A."""
    return torch.cat([torch.cat([weights[n] for n in name.split()], -1) for name in names])
