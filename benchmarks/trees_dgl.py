"""DGL's Tree-LSTM, as its example has it, where DGL can be imported.

Its library for loading graphs from disk, graphbolt, is compiled for certain versions of torch, and
`import dgl` fails with others; message passing does not need it, so that an empty module stands in.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.trees_workload import Peer, Weights, stacked
from cellwise.errors import BackendError
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest

GRAPHBOLT = "dgl.graphbolt"


class _Hollow(ModuleType):
    """A module in which every public name is an empty class."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def imported() -> Any:
    """DGL.

    Raises:
        BackendError: it is not installed, or does not work here.
    """
    if "dgl" not in sys.modules:
        os.environ.setdefault("DGLBACKEND", "pytorch")
        sys.modules.setdefault(GRAPHBOLT, _Hollow(GRAPHBOLT))
    try:
        return importlib.import_module("dgl")
    except (ImportError, OSError) as error:
        raise BackendError(f"DGL cannot be imported: {error}") from error


class WithDGL(Peer):
    """The binary Tree-LSTM in DGL: children send h and c, nodes take them frontier by frontier."""

    W_iou: Tensor
    U_iou: Tensor
    b_iou: Tensor
    U_f: Tensor
    b_f: Tensor

    def __init__(self, layer: Recursive, forest: Forest):
        self.dgl = imported()
        super().__init__(layer)
        self.title = f"DGL {self.dgl.__version__}, its Tree-LSTM"
        edges = torch.tensor(forest.children), torch.tensor(forest.readers)
        self.graph = self.dgl.graph(edges, num_nodes=forest.n_nodes)
        self.frontiers = list(self.dgl.topological_nodes_generator(self.graph))
        self.leaves = torch.tensor(forest.leaves)
        self.hidden_size = layer.hidden_size

    @staticmethod
    def gathered(weights: Weights) -> dict[str, Tensor]:
        """The names of DGL's example: U is for states."""
        return {
            "W_iou": stacked(weights, ("U_i", "U_o", "U_u")),
            "U_iou": stacked(weights, ("W_il W_ir", "W_ol W_or", "W_ul W_ur")),
            "b_iou": stacked(weights, ("b_i", "b_o", "b_u")),
            "U_f": stacked(weights, ("W_fll W_flr", "W_frl W_frr")),
            "b_f": weights["b_f"],
        }

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all nodes, [N, H]."""
        size, n_nodes = self.hidden_size, self.graph.num_nodes()
        iou = x.new_zeros(n_nodes, 3 * size)
        zeros = x.new_zeros(n_nodes, size)
        with self.graph.local_scope():
            data = self.graph.ndata
            data["iou"] = iou.index_copy(0, self.leaves, linear(x, self.W_iou))
            data["h"] = data["c"] = zeros
            leaves, *others = self.frontiers
            self.graph.apply_nodes(self._applied, leaves)
            self.dgl.prop_nodes(self.graph, others, _sent, self._taken, self._applied)
            y: Tensor = data["h"]
            return y

    def _taken(self, nodes: Any) -> dict[str, Tensor]:
        h = nodes.mailbox["h"].reshape(-1, 2 * self.hidden_size)
        bias = self.b_f.repeat(2)
        f = torch.sigmoid(linear(h, self.U_f, bias)).view(-1, 2, self.hidden_size)
        return {"iou": linear(h, self.U_iou), "c": (f * nodes.mailbox["c"]).sum(1)}

    def _applied(self, nodes: Any) -> dict[str, Tensor]:
        i, o, u = (nodes.data["iou"] + self.b_iou).chunk(3, 1)
        c = torch.sigmoid(i) * torch.tanh(u) + nodes.data["c"]
        return {"h": torch.sigmoid(o) * torch.tanh(c), "c": c}


def _sent(edges: Any) -> dict[str, Tensor]:
    return {"h": edges.src["h"], "c": edges.src["c"]}
