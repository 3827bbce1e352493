"""Elman's and Jordan's networks and those whose units see only their own past."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from tests.cells.formulas.fold import Named, Step, joined, of_input


def elman(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    return {"h": torch.tanh(joined(p, "h", x, s["h"]))}


def jordan(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    hidden = torch.tanh(joined(p, "h", x, s["y"]))
    return {"y": torch.tanh(linear(hidden, p["V_y"], p["b_y"]))}


def indrnn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    return {"h": (of_input(p, "h", x) + s["h"] @ torch.diag(p["w_h"])).clamp(min=0)}


def cfn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    forget = torch.sigmoid(joined(p, "theta", x, s["h"]))
    take = torch.sigmoid(joined(p, "eta", x, s["h"]))
    return {"h": forget * torch.tanh(s["h"]) + take * torch.tanh(x @ p["U_h"].T)}


def ran(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    take = torch.sigmoid(joined(p, "i", x, s["h"]))
    keep = torch.sigmoid(joined(p, "f", x, s["h"]))
    cell = take * (x @ p["U_g"].T) + keep * s["c"]
    return {"c": cell, "h": torch.tanh(cell)}


def scrn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    slow = torch.lerp(x @ p["U_s"].T, s["s"], 0.95)
    weight = torch.cat([p["U_h"], p["V_h"], p["W_h"]], 1)
    fast = torch.sigmoid(linear(torch.cat([x, slow, s["h"]], -1), weight))
    return {"s": slow, "h": fast, "y": fast @ p["V_y"].T + slow @ p["V_s"].T}


STEPS: dict[str, Step] = {
    "elman": elman,
    "jordan": jordan,
    "indrnn": indrnn,
    "cfn": cfn,
    "ran": ran,
    "scrn": scrn,
}
