"""The inside of `benchmarks.memory`: the peak memory of one forward and backward, alone here.

    python -m benchmarks.memory_inside WHO WORKLOAD

Measured is how far the process's resident memory rises above where it stood just before the call
(Linux's high-water mark, reset just before it; elsewhere `ru_maxrss`, which cannot be reset). It
counts all that is allocated by anybody: torch, oneDNN, our kernels. Weights, inputs and cotangents
are there before, compiled code and libraries too, since a tiny call was made first.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor, nn

from cellwise.bench.torch_twin import torch_twin
from cellwise.bench.workload import Workload
from cellwise.errors import ConfigError
from cellwise.layers import Recurrent

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def peak_rise_bytes(call: Callable[[], object]) -> int:
    """How far resident memory rises above its level now while `call` runs."""
    resettable = _reset()
    before = _status("VmRSS") if resettable else _highest()
    call()
    return (_status("VmHWM") if resettable else _highest()) - before


def _reset() -> bool:
    """Set the high-water mark to the present level; False where there is no such thing."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _status(name: str) -> int:
    line = next(s for s in _STATUS.read_text().splitlines() if s.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _highest() -> int:
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024


def module_of(who: str, workload: Workload) -> nn.Module:
    """Our layer ("fast", "lean", or "ours" as it comes), or torch's module ("torch").

    Raises:
        ConfigError: there is none.
    """
    layer = workload.layer()
    if who in ("fast", "lean"):
        options: dict[str, Any] = {"memory": who, "backend": workload.backend}
        size = workload.hidden_size
        return Recurrent(layer.cell, size, size, bidirectional=workload.bidirectional, **options)
    module = torch_twin(layer) if who == "torch" else layer
    if module is None:
        raise ConfigError(f"torch.nn has no {workload.cell}")
    return module


def measure(who: str, workload: Workload) -> dict[str, int]:
    """The rise in bytes, and how many there are in the output."""
    torch.set_num_threads(workload.threads)
    module = module_of(who, workload)
    size, width = workload.hidden_size, workload.width
    _both(module, torch.zeros(2, 1, size), torch.zeros(2, 1, width))
    module.zero_grad(set_to_none=True)
    x = workload.padded().requires_grad_()
    d_y = torch.ones(workload.n_steps, workload.batch_size, width)
    rise = peak_rise_bytes(lambda: _both(module, x, d_y))
    return {"peak_bytes": rise, "output_bytes": d_y.numel() * d_y.element_size()}


def _both(module: nn.Module, x: Tensor, d_y: Tensor) -> None:
    y, _ = module(x)
    y.backward(d_y)


if __name__ == "__main__":
    typer.echo(json.dumps(measure(sys.argv[1], Workload(**json.loads(sys.argv[2])))))
