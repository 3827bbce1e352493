"""What sweeps a compiled program over a structure; `BACKENDS` holds them by name."""

from torch import Tensor

from cellwise.backends.base import Backend, Bound
from cellwise.backends.cpu import Cpu
from cellwise.backends.reference import Reference

BACKENDS: dict[str, Backend] = {"reference": Reference(), "cpu": Cpu()}

PREFERRED = ("cpu",)
"""What `auto` tries before the reference."""


def serving(bound: Bound, like: Tensor) -> tuple[Backend, str]:
    """The back end that serves a cell on arrays like this one, and why it is that one."""
    if bound.backend != "auto":
        return BACKENDS[bound.backend], f"backend={bound.backend!r} was asked for"
    reasons = []
    for name in PREFERRED:
        reason = BACKENDS[name].refuses(bound, like)
        if not reason:
            return BACKENDS[name], f"auto: compiled kernels serve it ({name})"
        reasons.append(f"{name} refuses: {reason}")
    return BACKENDS["reference"], f"auto: {'; '.join(reasons)}"


__all__ = ["BACKENDS", "Backend", "serving"]
