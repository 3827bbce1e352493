"""One fold over a forest: a bound cell, its arrays, and the names that give them their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cellwise.backends import NODES_BACKENDS, asked_first, serving_nodes
from cellwise.backends.base import NodesBound, NodesFeed, PreparedNodesFold
from cellwise.passes.content import content
from cellwise.passes.nodes import CompiledNodes
from cellwise.structures.known import Known
from cellwise.structures.nodes import Order

nodes_bound_of: Known[NodesBound] = Known()
"""The cell that was bound under a key."""


def bind_nodes(
    compiled: CompiledNodes,
    sizes: Mapping[str, int],
    constants: Mapping[str, float],
    backend: str,
    n_labels: int,
) -> str:
    """Make a compiled cell over nodes known under a key that names its content and back end."""
    numbers = tuple(sorted(sizes.items())), tuple(sorted(constants.items()))
    bound = NodesBound(compiled, *numbers, backend, n_labels)
    text = f"{content(compiled.forward)}{compiled.results}{numbers}{backend}{n_labels}"
    return nodes_bound_of.add(bound, text)


@dataclass
class NodesCall:
    """One fold.

    Attributes:
        bound: the cell.
        order: the forest in the order of the fold.
        inputs: [N, I], in the forest's order; or [leaves, I], those of the leaves.
        parameters: in the cell's order.
    """

    bound: NodesBound
    order: Order
    inputs: Tensor
    parameters: Sequence[Tensor]

    @property
    def results(self) -> tuple[str, ...]:
        """The output, then the states."""
        return self.bound.compiled.results

    def backend_name(self) -> str:
        """The back end that serves the arrays and the forest at hand."""
        return serving_nodes(self.bound, self.inputs, self.order.nodes)[0].name

    def prepared(self) -> PreparedNodesFold | None:
        """The fold with all that its back end can make ready before it has the arrays."""
        bound, x, nodes = self.bound, self.inputs, self.order.nodes
        return NODES_BACKENDS[asked_first(bound)].prepared(bound, x, nodes, x.shape[0])

    def forward(
        self, backend: str, *, differentiable: bool = False, saving: bool = True
    ) -> list[Tensor]:
        """The rows [N, ·] of the results, then, if `saving`, of what the backward needs."""
        served = NODES_BACKENDS[backend]
        keep = [*self.results, *(served.saved(self.bound) if saving else ())]
        feed = NodesFeed(
            {self._input: self.sorted_inputs()},
            self._parameters(),
            self.inputs,
            differentiable,
        )
        swept = served.sweep(self.bound, "forward", feed, self.order.nodes, keep)
        return [swept.rows[name] for name in keep]

    def backward(
        self,
        backend: str,
        kept: Sequence[Tensor],
        cotangents: Sequence[Tensor],
        *,
        differentiable: bool = False,
    ) -> list[Tensor]:
        """The cotangents of the input and the parameters, given those of the results' rows."""
        served, compiled = NODES_BACKENDS[backend], self.bound.compiled
        names = [*self.results, *served.saved(self.bound)]
        rows = {self._input: self.sorted_inputs(), **dict(zip(names, kept, strict=True))}
        outs = [compiled.outs[name] for name in self.results]
        rows |= dict(zip(outs, cotangents, strict=True))
        d_input = compiled.names[self._input]
        feed = NodesFeed(rows, self._parameters(), self.inputs, differentiable)
        swept = served.sweep(self.bound, "backward", feed, self.order.nodes, [d_input])
        d_parameters = [swept.totals[compiled.names[n]] for n in compiled.forward.parameters]
        pairs = zip(d_parameters, self.parameters, strict=True)
        return [
            self.unsorted(swept.rows[d_input]),
            *(d if d.shape == p.shape else d.expand_as(p) for d, p in pairs),
        ]

    @property
    def _input(self) -> str:
        return self.bound.compiled.forward.inputs[0]

    def _parameters(self) -> dict[str, Tensor]:
        return dict(zip(self.bound.compiled.forward.parameters, self.parameters, strict=True))

    @property
    def _whole(self) -> bool:
        return len(self.inputs) == self.order.nodes.n_rows

    def sorted_inputs(self) -> Tensor:
        """The input in the order of the fold; leaves alone lie in it as they are."""
        return self.inputs.index_select(0, self.order.order) if self._whole else self.inputs

    def unsorted(self, rows: Tensor) -> Tensor:
        """Rows in the order of the fold as the input's were given."""
        if self._whole:
            return rows.index_select(0, self.order.rank)
        return rows[: len(self.inputs)]

    def outputs(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """The output in the forest's order, [N, ·], and each state at the ends of the sweep.

        `rows` are those of the results, and may be followed by others.
        """
        y = rows[0].index_select(0, self.order.rank)
        states = dict(zip(self.results, rows, strict=False))
        names = self.bound.compiled.states
        return [y, *(states[name].index_select(0, self.order.end_rows) for name in names)]

    def sent(self, cotangents: Sequence[Tensor | None]) -> list[Tensor]:
        """The cotangents of the results' rows, from those of the outputs."""
        d_y, *d_ends = cotangents
        found: dict[str, Tensor] = {}
        if d_y is not None:
            found[self.results[0]] = d_y.index_select(0, self.order.order)
        for name, sent in zip(self.bound.compiled.states, d_ends, strict=True):
            if sent is not None:
                rows = found.get(name)
                rows = self._zeros(name) if rows is None else rows
                found[name] = rows.index_add(0, self.order.end_rows, sent)
        return [found[n] if n in found else self._zeros(n) for n in self.results]

    def _zeros(self, name: str) -> Tensor:
        sizes = dict(self.bound.sizes)
        shape = [d.evaluate(sizes) for d in self.bound.compiled.forward.shape_of(name)]
        like = self.inputs
        return torch.zeros(self.order.nodes.n_rows, *shape, dtype=like.dtype, device=like.device)
