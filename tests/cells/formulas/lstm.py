"""The long short-term memory and its relatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from tests.cells.formulas.fold import Named, Step, joined, stacked


def lstm(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    i, f, g, o = stacked(p, "ifgo", x, s["h"])
    c = f.sigmoid() * s["c"] + i.sigmoid() * g.tanh()
    return {"h": o.sigmoid() * c.tanh(), "c": c}


def lstm_no_forget(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    i, g, o = stacked(p, "igo", x, s["h"])
    c = torch.addcmul(s["c"], i.sigmoid(), g.tanh())
    return {"h": o.sigmoid() * c.tanh(), "c": c}


def lstm_peephole(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    i, f, g, o = stacked(p, "ifgo", x, s["h"])
    i = (i + s["c"] @ torch.diag(p["p_i"])).sigmoid()
    f = (f + s["c"] @ torch.diag(p["p_f"])).sigmoid()
    c = f * s["c"] + i * g.tanh()
    return {"h": (o + c @ torch.diag(p["p_o"])).sigmoid() * c.tanh(), "c": c}


def lstm_coupled(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    i, g, o = stacked(p, "igo", x, s["h"])
    c = torch.lerp(s["c"], g.tanh(), i.sigmoid())
    return {"h": o.sigmoid() * c.tanh(), "c": c}


def lstm_projected(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    signals = lstm(x, s, p)
    return {"h": signals["h"] @ p["W_p"].T, "c": signals["c"]}


def _normed(v: Tensor, gain: Tensor) -> Tensor:
    return layer_norm(v, v.shape[-1:], weight=gain)


def lstm_layernorm(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    sums = {
        gate: _normed(x @ p[f"U_{gate}"].T, p[f"s_{gate}"])
        + _normed(s["h"] @ p[f"W_{gate}"].T, p[f"r_{gate}"])
        + p[f"b_{gate}"]
        for gate in "fiog"
    }
    c = sums["f"].sigmoid() * s["c"] + sums["i"].sigmoid() * sums["g"].tanh()
    shown = layer_norm(c, c.shape[-1:], weight=p["s_c"], bias=p["b_c"])
    return {"h": sums["o"].sigmoid() * shown.tanh(), "c": c}


def slstm(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """Equations 8 to 17 in the authors' order; the forget gate is a sigmoid."""
    i, f, z, o = stacked(p, "ifzo", x, s["h"])
    log_forget = torch.nn.functional.logsigmoid(f) + s["m"]
    m = torch.maximum(log_forget, i)
    keep, take = torch.exp(log_forget - m), torch.exp(i - m)
    c, n = keep * s["c"] + take * z.tanh(), keep * s["n"] + take
    return {"h": o.sigmoid() * c / n, "c": c, "n": n, "m": m}


def slstm_without_stabiliser(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    """Equations 8 to 14: overflows where the gate's sum is large."""
    i, f, z, o = stacked(p, "ifzo", x, s["h"])
    c = f.sigmoid() * s["c"] + i.exp() * z.tanh()
    n = f.sigmoid() * s["n"] + i.exp()
    return {"h": o.sigmoid() * c / n, "c": c, "n": n}


def janet(x: Tensor, s: Named, p: Named) -> dict[str, Tensor]:
    gate = joined(p, "f", x, s["h"])
    candidate = joined(p, "g", x, s["h"]).tanh()
    return {"h": gate.sigmoid() * s["h"] + (1 - gate).sigmoid() * candidate}


STEPS: dict[str, Step] = {
    "lstm": lstm,
    "lstm_no_forget": lstm_no_forget,
    "lstm_peephole": lstm_peephole,
    "lstm_coupled": lstm_coupled,
    "lstm_projected": lstm_projected,
    "lstm_layernorm": lstm_layernorm,
    "slstm": slstm,
    "janet": janet,
}
