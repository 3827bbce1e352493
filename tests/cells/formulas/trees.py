"""The cells over trees and grids: what a node computes of its input and of its children."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from cellwise.structures.forest import Forest
from tests.cells.formulas.fold import Named, joined


@dataclass(frozen=True)
class Child:
    """What a node sees of a child: its signals, and the edge's slot and label."""

    signals: Named
    slot: str
    label: int


Formula = Callable[[Tensor, Sequence[Child], Named], dict[str, Tensor]]
"""`formula(x, children, p)`: the signals of a node with the input x [I]."""


def run_over_nodes(
    formula: Formula, x: Tensor, forest: Forest, parameters: Named, output: str
) -> tuple[Tensor, dict[str, Tensor]]:
    """The output at every node, [N, H], and all signals at the roots: plain recursion."""
    known: dict[int, dict[str, Tensor]] = {}

    def signals(node: int) -> dict[str, Tensor]:
        if node not in known:
            known[node] = formula(x[node], [child(e) for e in edges_of(node)], parameters)
        return known[node]

    def edges_of(node: int) -> range:
        return range(int(forest.first[node]), int(forest.first[node + 1]))

    def child(edge: int) -> Child:
        slot = "" if forest.slots is None else forest.slot_names[int(forest.slots[edge])]
        label = 0 if forest.relations is None else int(forest.relations[edge])
        return Child(signals(int(forest.children[edge])), slot, label)

    y = torch.stack([signals(node)[output] for node in range(forest.n_nodes)])
    roots = [signals(int(root)) for root in forest.roots]
    return y, {name: torch.stack([root[name] for root in roots]) for name in roots[0]}


def _summed(children: Sequence[Child], name: str, like: Tensor) -> Tensor:
    return torch.stack([like * 0, *(child.signals[name] for child in children)]).sum(0)


def _in_slot(children: Sequence[Child], slot: str, name: str, like: Tensor) -> Tensor:
    return next((c.signals[name] for c in children if c.slot == slot), torch.zeros_like(like))


def _pair(children: Sequence[Child], name: str) -> Tensor:
    left, right = sorted(children, key=lambda child: child.slot)
    return torch.cat([left.signals[name], right.signals[name]])


def recursive(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    """Iyyer's form: a matrix for each child."""
    if not children:
        return {"h": x}
    left, right = _pair(children, "h").chunk(2)
    of_left, of_right = p["W"].chunk(2, 1)
    return {"h": (of_left @ left + of_right @ right + p["b"]).tanh()}


def rntn(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    if not children:
        return {"h": x}
    both = _pair(children, "h")
    products = torch.stack([both @ matrix @ both for matrix in p["V"]])
    return {"h": (products + linear(both, p["W"], p["b"])).tanh()}


def tree_lstm(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    """Equations 2 to 8, a child after another."""
    total = _summed(children, "h", p["b_i"])
    c = joined(p, "i", x, total).sigmoid() * joined(p, "u", x, total).tanh()
    for child in children:
        c = c + joined(p, "f", x, child.signals["h"]).sigmoid() * child.signals["c"]
    return {"h": joined(p, "o", x, total).sigmoid() * c.tanh(), "c": c}


def tree_lstm_binary(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    """Equations 9 to 14, for all nodes: a leaf's children and an inner node's word are missing."""
    below = _pair(children, "h") if children else x.new_zeros(2 * len(p["b_i"]))
    word = 0 * x if children else x

    def gate(name: str, bias: str) -> Tensor:
        weight = torch.cat([p[f"W_{name}l"], p[f"W_{name}r"]], 1)
        of_word = p[f"U_{name}"] @ word if f"U_{name}" in p else 0
        return weight @ below + of_word + p[f"b_{bias}"]

    c = gate("i", "i").sigmoid() * gate("u", "u").tanh()
    for child in children:
        c = c + gate(f"f{child.slot[0]}", "f").sigmoid() * child.signals["c"]
    return {"h": gate("o", "o").sigmoid() * c.tanh(), "c": c}


def tree_gru(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    total = _summed(children, "h", p["b_z"])
    seen = torch.zeros_like(total)
    for child in children:
        h = child.signals["h"]
        seen = seen + joined(p, "r", x, h).sigmoid() * h
    return {
        "h": torch.lerp(total, joined(p, "h", x, seen).tanh(), joined(p, "z", x, total).sigmoid())
    }


def dependency(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    total = linear(x, p["U"], p["b"])
    for child in children:
        total = total + linear(child.signals["h"], p["W"][child.label])
    return {"h": total.tanh()}


def mdlstm(x: Tensor, children: Sequence[Child], p: Named) -> dict[str, Tensor]:
    ways = {"l": "left", "u": "up"}

    def seen(name: str) -> dict[str, Tensor]:
        return {way: _in_slot(children, slot, name, p["b_i"]) for way, slot in ways.items()}

    h, c_before = seen("h"), seen("c")
    total = {
        gate: linear(x, p[f"U_{gate}"], p[f"b_{gate}"])
        + sum(p[f"W_{gate}{way}"] @ h[way] for way in ways)
        for gate in ("i", "fl", "fu", "o", "g")
    }
    c = total["i"].sigmoid() * total["g"].tanh()
    c = c + sum(total[f"f{way}"].sigmoid() * c_before[way] for way in ways)
    return {"h": total["o"].sigmoid() * c.tanh(), "c": c}


FORMULAS: dict[str, Formula] = {
    "recursive": recursive,
    "rntn": rntn,
    "tree_lstm": tree_lstm,
    "tree_lstm_binary": tree_lstm_binary,
    "tree_gru": tree_gru,
    "dependency": dependency,
    "mdlstm": mdlstm,
}
