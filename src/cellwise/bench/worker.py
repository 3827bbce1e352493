"""The process of a contender that compiles: `python -m cellwise.bench.worker PEER WORKLOAD`.

It builds the contender and writes a JSON line with the seconds that the first call took, or why
there is none; then, for every line with a number of calls on standard input, the seconds of one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from cellwise.bench.contenders import TorchCall, loops_of, masked
from cellwise.bench.scan import ScannedCall
from cellwise.bench.timing import time_calls
from cellwise.bench.workload import Workload
from cellwise.errors import CellwiseError

TITLES = {"compiled": "torch.compile of the loop", "jax": "jax.lax.scan"}
"""Who runs in a process of its own, and what tables call it."""


def compiled(workload: Workload) -> TorchCall:
    """The eager loop under torch.compile, padded."""
    loops = loops_of(workload)
    forward = torch.compile(masked(workload, loops), dynamic=False)
    weights = [weight for loop in loops for weight in loop.parameters()]
    both = workload.mode == "both"
    return TorchCall(forward, workload.padded(), weights, both=both, threads=workload.threads)


def build(peer: str, workload: Workload) -> Callable[[], object]:
    """The call of a contender."""
    return compiled(workload) if peer == "compiled" else ScannedCall(workload)


def started(peer: str, workload: Workload) -> tuple[Callable[[], object] | None, dict[str, Any]]:
    """The call of a contender, if it can be had, and what to say first."""
    start = time.perf_counter()
    try:
        call = build(peer, workload)
        call()
    except (CellwiseError, ImportError, RuntimeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return None, {"skipped": lines[0]}
    return call, {"build_seconds": time.perf_counter() - start}


def _limit_threads(count: int) -> None:
    """JAX takes as many threads as there are processors for it."""
    torch.set_num_threads(count)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def serve(peer: str, workload: Workload) -> None:
    """Build the contender, then answer until standard input ends."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print as they like
    _limit_threads(workload.threads)
    call, message = started(peer, workload)
    channel.write(json.dumps(message) + "\n")
    channel.flush()
    for line in sys.stdin if call is not None else ():
        assert call is not None
        channel.write(json.dumps({"seconds": time_calls(call, int(line))}) + "\n")
        channel.flush()


def described(workload: Workload) -> str:
    """A workload as the argument that the worker takes."""
    return json.dumps(asdict(workload))


if __name__ == "__main__":
    serve(sys.argv[1], Workload(**json.loads(sys.argv[2])))
