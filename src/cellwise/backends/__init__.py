"""What sweeps a compiled program over a structure; `BACKENDS` holds them by name."""

from torch import Tensor

from cellwise.backends.base import Backend, Bound, NodesBackend, NodesBound
from cellwise.backends.cpu import Cpu, CpuNodes
from cellwise.backends.nodes import Nodes
from cellwise.backends.reference import Reference
from cellwise.backends.reference_nodes import ReferenceNodes

BACKENDS: dict[str, Backend] = {"reference": Reference(), "cpu": Cpu()}
NODES_BACKENDS: dict[str, NodesBackend] = {"reference": ReferenceNodes(), "cpu": CpuNodes()}

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


def serving_nodes(
    bound: NodesBound, like: Tensor, nodes: Nodes | None = None
) -> tuple[NodesBackend, str]:
    """As `serving`, of a cell over nodes; which nodes may matter."""
    if bound.backend != "auto":
        return NODES_BACKENDS[bound.backend], f"backend={bound.backend!r} was asked for"
    reasons = []
    for name in PREFERRED:
        reason = NODES_BACKENDS[name].refuses(bound, like, nodes)
        if not reason:
            return NODES_BACKENDS[name], f"auto: compiled kernels serve it ({name})"
        reasons.append(f"{name} refuses: {reason}")
    return NODES_BACKENDS["reference"], f"auto: {'; '.join(reasons)}"


def asked_first(bound: Bound | NodesBound) -> str:
    """The name of the back end that serves a cell, unless `auto` finds that it refuses."""
    return PREFERRED[0] if bound.backend == "auto" else bound.backend


__all__ = [
    "BACKENDS",
    "NODES_BACKENDS",
    "Backend",
    "NodesBackend",
    "asked_first",
    "serving",
    "serving_nodes",
]
