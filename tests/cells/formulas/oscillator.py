"""Cells that are discretised differential equations, with the zoo's own step sizes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from tests.cells.formulas.fold import Named, Step, joined, of_input


def ctrnn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """tau dh/dt = -h + W sigma(h + theta) + I, one step of 20 ms with tau = 100 ms."""
    rate = torch.sigmoid(s["h"] + p["b_h"])
    target = linear(torch.cat([x, rate], -1), torch.cat([p["U_h"], p["W_h"]], 1))
    return {"h": torch.lerp(s["h"], target, 20 / 100)}


def antisymmetric(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    matrix = p["W_h"] - p["W_h"].mT - 0.01 * torch.eye(len(p["W_h"]), dtype=x.dtype)
    return {"h": s["h"] + 0.1 * torch.tanh(of_input(p, "h", x) + linear(s["h"], matrix))}


def cornn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """The authors' cell: one matrix for the joined vector [x, z, y]."""
    weight = torch.cat([p["U_z"], p["W_z"], p["W_y"]], 1)
    force = torch.tanh(linear(torch.cat([x, s["z"], s["y"]], -1), weight, p["b_z"]))
    z = s["z"] + 0.042 * (force - 2.7 * s["y"] - 4.7 * s["z"])
    return {"z": z, "y": s["y"] + 0.042 * z}


def lem(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """With the paper's sigma-hat, 0.5 (1 + tanh(x / 2))."""
    slow = 0.5 * (1 + torch.tanh(joined(p, "a", x, s["y"]) / 2))
    fast = 0.5 * (1 + torch.tanh(joined(p, "e", x, s["y"]) / 2))
    z = torch.lerp(s["z"], joined(p, "z", x, s["y"]).tanh(), slow)
    return {"z": z, "y": torch.lerp(s["y"], joined(p, "y", x, z).tanh(), fast)}


STEPS: dict[str, Step] = {
    "ctrnn": ctrnn,
    "antisymmetric": antisymmetric,
    "cornn": cornn,
    "lem": lem,
}
