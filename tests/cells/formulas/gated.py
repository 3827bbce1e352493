"""The gated recurrent unit and its relatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from tests.cells.formulas.fold import Named, Step, joined, of_input, stacked


def gru(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    z, r = (gate.sigmoid() for gate in stacked(p, "zr", x, s["h"]))
    return {"h": torch.lerp(s["h"], joined(p, "h", x, r * s["h"]).tanh(), z)}


def gru_v3(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    r, z = (gate.sigmoid() for gate in stacked(p, "rz", x, s["h"]))
    inner = linear(s["h"], p["W_n"], p["b_hn"])
    n = torch.tanh(linear(x, p["U_n"], p["b_in"]) + r * inner)
    return {"h": n + z * (s["h"] - n)}


def mgu(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    f = joined(p, "f", x, s["h"]).sigmoid()
    return {"h": torch.lerp(s["h"], joined(p, "h", x, f * s["h"]).tanh(), f)}


def mut1(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    z, r = of_input(p, "z", x).sigmoid(), joined(p, "r", x, s["h"]).sigmoid()
    candidate = torch.tanh(linear(r * s["h"], p["W_h"], p["b_h"]) + torch.tanh(x @ p["U_h"].T))
    return {"h": candidate * z + s["h"] * (1 - z)}


def mut3(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    z = joined(p, "z", x, s["h"].tanh()).sigmoid()
    r = joined(p, "r", x, s["h"]).sigmoid()
    candidate = joined(p, "h", x, r * s["h"]).tanh()
    return {"h": candidate * z + s["h"] * (1 - z)}


def ugrnn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    gate, candidate = stacked(p, "fh", x, s["h"])
    return {"h": torch.lerp(candidate.tanh(), s["h"], gate.sigmoid())}


def fastgrnn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    shared = linear(torch.cat([x, s["h"]], -1), torch.cat([p["U_h"], p["W_h"]], 1))
    gate = (shared + p["b_z"]).sigmoid()
    candidate = (shared + p["b_h"]).tanh()
    zeta, nu = p["zeta"].sigmoid(), p["nu"].sigmoid()
    return {"h": gate * s["h"] + (zeta * (1 - gate) + nu) * candidate}


def rhn(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """Equations 6 to 9: the input at the first of the two layers only."""
    state = s["h"]
    for layer in (1, 2):
        sums = {}
        for gate in ("g", "t"):
            sums[gate] = linear(state, p[f"W_{gate}{layer}"], p[f"b_{gate}{layer}"])
            if layer == 1:
                sums[gate] = sums[gate] + x @ p[f"U_{gate}"].T
        transform = sums["t"].sigmoid()
        state = sums["g"].tanh() * transform + state * (1 - transform)
    return {"h": state}


def brc(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    a = 1 + (x @ p["U_a"].T + s["h"] @ torch.diag(p["w_a"])).tanh()
    c = (x @ p["U_c"].T + s["h"] @ torch.diag(p["w_c"])).sigmoid()
    return {"h": torch.lerp((x @ p["U_h"].T + a * s["h"]).tanh(), s["h"], c)}


def nbrc(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    a = 1 + joined(p, "a", x, s["h"]).tanh()
    c = joined(p, "c", x, s["h"]).sigmoid()
    return {"h": torch.lerp((x @ p["U_h"].T + a * s["h"]).tanh(), s["h"], c)}


STEPS: dict[str, Step] = {
    "gru": gru,
    "gru_v3": gru_v3,
    "mgu": mgu,
    "mut1": mut1,
    "mut3": mut3,
    "ugrnn": ugrnn,
    "fastgrnn": fastgrnn,
    "rhn": rhn,
    "brc": brc,
    "nbrc": nbrc,
}
