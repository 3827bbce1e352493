"""Cells whose state enters linearly, and the simple recurrent unit that looks at its own cell."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.cells.formulas.fold import Named, Step, of_input


def sru(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    f, r = of_input(p, "f", x).sigmoid(), of_input(p, "r", x).sigmoid()
    c = torch.lerp(x @ p["U_g"].T, s["c"], f)
    return {"c": c, "h": torch.lerp(x @ p["U_x"].T, c.tanh(), r)}


def sru_peephole(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    f = (of_input(p, "f", x) + s["c"] @ torch.diag(p["w_f"])).sigmoid()
    r = (of_input(p, "r", x) + s["c"] @ torch.diag(p["w_r"])).sigmoid()
    c = torch.lerp(x @ p["U_g"].T, s["c"], f)
    return {"c": c, "h": torch.lerp(x @ p["U_x"].T, c, r)}


def mingru(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    return {"h": torch.lerp(s["h"], of_input(p, "h", x), of_input(p, "z", x).sigmoid())}


def minlstm(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """With the quotients as the paper has them."""
    f, i = of_input(p, "f", x).sigmoid(), of_input(p, "i", x).sigmoid()
    return {"h": f / (f + i) * s["h"] + i / (f + i) * of_input(p, "h", x)}


def trnn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    return {"h": torch.lerp(x @ p["U_z"].T, s["h"], of_input(p, "f", x).sigmoid())}


STEPS: dict[str, Step] = {
    "sru": sru,
    "sru_peephole": sru_peephole,
    "mingru": mingru,
    "minlstm": minlstm,
    "trnn": trnn,
}
