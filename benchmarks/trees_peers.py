"""Trees and grids in torch by hand: node by node, level by level, and a double loop over a grid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.trees_workload import Peer, Weights, stacked
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest

State = tuple[Tensor, Tensor]
"""h and c."""


class TreePeer(Peer):
    """The binary Tree-LSTM; all gates of a node are one product."""

    leaf: Tensor
    inner: Tensor
    bias: Tensor
    forget: Tensor

    def __init__(self, layer: Recursive, forest: Forest):
        super().__init__(layer)
        self.hidden_size = layer.hidden_size

    @staticmethod
    def gathered(weights: Weights) -> dict[str, Tensor]:
        """Gates in the order i, o, f_l, f_r, u: what has a sigmoid stands together."""
        inner = ("W_il W_ir", "W_ol W_or", "W_fll W_flr", "W_frl W_frr", "W_ul W_ur")
        return {
            "leaf": stacked(weights, ("U_i", "U_o", "U_u")),
            "inner": stacked(weights, inner),
            "bias": stacked(weights, ("b_i", "b_o", "b_u")),
            "forget": weights["b_f"],
        }

    def inner_bias(self) -> Tensor:
        """The bias of the gates of an inner node."""
        i, o, u = self.bias.chunk(3)
        return torch.cat([i, o, self.forget, self.forget, u])

    def leaves(self, x: Tensor) -> State:
        """The states of leaves, `[·, H]`."""
        z = linear(x, self.leaf, self.bias)
        i, o = z[..., : 2 * self.hidden_size].sigmoid().chunk(2, -1)
        c = i * z[..., 2 * self.hidden_size :].tanh()
        return o * c.tanh(), c

    def joined(self, z: Tensor, left: Tensor, right: Tensor) -> State:
        """The states of inner nodes, from their gates' products and their children's cells."""
        i, o, f_l, f_r = z[..., : 4 * self.hidden_size].sigmoid().chunk(4, -1)
        c = i * z[..., 4 * self.hidden_size :].tanh() + f_l * left + f_r * right
        return o * c.tanh(), c


class NodeByNode(TreePeer):
    """A recursion that computes one node at a time, as one writes it first."""

    title = "torch, node by node"

    def __init__(self, layer: Recursive, forest: Forest):
        super().__init__(layer, forest)
        bounds = zip(forest.first[:-1].tolist(), forest.first[1:].tolist(), strict=True)
        self.below = [forest.children[first:last].tolist() for first, last in bounds]
        self.roots: list[int] = forest.roots.tolist()
        self.row = {node: row for row, node in enumerate(forest.leaves.tolist())}

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all nodes, [N, H]."""
        rows, bias = x.unbind(), self.inner_bias()
        found: dict[int, Tensor] = {}

        def fold(node: int) -> State:
            if node in self.row:
                h, c = self.leaves(rows[self.row[node]])
            else:
                (h_l, c_l), (h_r, c_r) = map(fold, self.below[node])
                h, c = self.joined(linear(torch.cat([h_l, h_r]), self.inner, bias), c_l, c_r)
            found[node] = h
            return h, c

        for root in self.roots:
            fold(root)
        return torch.stack([found[node] for node in range(len(self.below))])


class LevelByLevel(TreePeer):
    """All nodes of a level at once, as one writes it for speed.

    Beside the level, those rows of lower ones are carried along that a higher one still reads.
    """

    title = "torch, level by level"

    def __init__(self, layer: Recursive, forest: Forest):
        super().__init__(layer, forest)
        self.steps: list[tuple[Tensor, Tensor]] = []
        waiting, first = forest.leaves, forest.first
        done = [waiting]
        for level in range(1, int(forest.levels.max()) + 1):
            nodes = np.flatnonzero(forest.levels == level)
            children = forest.children[first[nodes][:, None] + np.arange(2)].reshape(-1)
            place = np.full(forest.n_nodes, -1)
            place[waiting] = np.arange(len(waiting))
            rest = np.setdiff1d(np.arange(len(waiting)), place[children])
            self.steps.append((torch.tensor(place[children]), torch.tensor(rest)))
            waiting = np.concatenate([waiting[rest], nodes])
            done.append(nodes)
        self.rank = torch.from_numpy(np.argsort(np.concatenate(done)))

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all nodes, [N, H]."""
        bias, size = self.inner_bias(), self.hidden_size
        h, c = self.leaves(x)
        found, waiting = [h], torch.cat([h, c], 1)
        for taken, rest in self.steps:
            pairs = waiting.index_select(0, taken).view(-1, 2, 2, size)
            z = linear(pairs[:, :, 0].reshape(-1, 2 * size), self.inner, bias)
            h, c = self.joined(z, pairs[:, 0, 1], pairs[:, 1, 1])
            found.append(h)
            waiting = torch.cat([waiting.index_select(0, rest), torch.cat([h, c], 1)])
        return torch.cat(found).index_select(0, self.rank)


class GridPeer(Peer):
    """The two-dimensional LSTM over a batch of grids of one shape; all gates are one product."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: Recursive, forest: Forest):
        super().__init__(layer)
        self.hidden_size, self.n_grids = layer.hidden_size, forest.n_trees
        assert forest.slots is not None
        nodes = int(forest.sizes[0])
        above = int(np.count_nonzero(forest.slots[: forest.first[nodes]] == 1))
        self.n_columns = nodes - above
        self.n_rows = nodes // self.n_columns

    @staticmethod
    def gathered(weights: Weights) -> dict[str, Tensor]:
        """Gates in the order i, f_l, f_u, o, g: what has a sigmoid stands together."""
        gates = ("i", "fl", "fu", "o", "g")
        return {
            "weight": stacked(weights, [f"U_{g} W_{g}l W_{g}u" for g in gates]),
            "bias": stacked(weights, [f"b_{g}" for g in gates]),
        }

    def cell(self, x: Tensor, left: State, up: State) -> State:
        """The states at a point of each grid, [·, H]."""
        z = linear(torch.cat([x, left[0], up[0]], -1), self.weight, self.bias)
        i, f_l, f_u, o = z[..., : 4 * self.hidden_size].sigmoid().chunk(4, -1)
        c = i * z[..., 4 * self.hidden_size :].tanh() + f_l * left[1] + f_u * up[1]
        return o * c.tanh(), c


class DoubleLoop(GridPeer):
    """Two loops over rows and columns, a point of all grids at a time."""

    title = "torch, a double loop"

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all nodes, [N, H]."""
        points = x.view(self.n_grids, -1, x.shape[1]).unbind(1)
        zeros = x.new_zeros(self.n_grids, self.hidden_size)
        border: State = (zeros, zeros)
        above = [border] * self.n_columns
        found = []
        for row in range(self.n_rows):
            left = border
            for column in range(self.n_columns):
                point = points[row * self.n_columns + column]
                left = above[column] = self.cell(point, left, above[column])
                found.append(left[0])
        return torch.stack(found, 1).view(-1, self.hidden_size)


class Diagonals(GridPeer):
    """One loop over the diagonals, whose points do not depend on each other."""

    title = "torch, diagonal by diagonal"

    def __init__(self, layer: Recursive, forest: Forest):
        super().__init__(layer, forest)
        rows, columns = torch.meshgrid(
            torch.arange(self.n_rows), torch.arange(self.n_columns), indexing="ij"
        )
        self.at = (rows + columns).reshape(-1), rows.reshape(-1)
        starts = torch.arange(self.n_rows)[:, None]
        self.live = [(starts <= d).float() for d in range(self.n_rows + self.n_columns - 1)]

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all nodes, [N, H]; each diagonal has a place for every row."""
        points = x.view(self.n_grids, -1, x.shape[1])
        shape = (self.n_grids, len(self.live), self.n_rows, x.shape[1])
        slanted = x.new_zeros(shape)
        slanted[:, *self.at] = points
        h = c = x.new_zeros(self.n_grids, self.n_rows, self.hidden_size)
        found = []
        for diagonal, live in zip(slanted.unbind(1), self.live, strict=True):
            h, c = self.cell(diagonal, (h, c), (_down(h), _down(c)))
            h, c = h * live, c * live
            found.append(h)
        return torch.stack(found, 1)[:, self.at[0], self.at[1]].reshape(-1, self.hidden_size)


def _down(rows: Tensor) -> Tensor:
    """Each row where the next one was, and zeros at the border."""
    return torch.cat([torch.zeros_like(rows[:, :1]), rows[:, :-1]], 1)
