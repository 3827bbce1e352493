"""How fast this machine multiplies and adds: the yardstick of every kernel.

Each thread runs as many independent chains `a = a x + y` as the registers hold, so that neither the
latency of an instruction nor memory slows them. A target without a fused instruction does one
multiplication and one addition for it.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, Value
from cellwise.backends.cpu.machine import Library, assemble
from cellwise.backends.cpu.target import Precision, Target, chosen

NAME = "fma_chains"
UNROLLED = 4
"""How often the chains are written out in one turn of the loop."""

_NUMPY = {"f32": np.float32, "f64": np.float64}


def n_chains(target: Target) -> int:
    """How many accumulators there are registers for, two operands and a product aside."""
    return target.n_registers - (4 if target.n_registers <= 16 else 8)


def chains_module(target: Target, precision: Precision) -> str:
    """The IR of `fma_chains(numbers, turns)`.

    `numbers` holds a vector x, a vector y, then a vector a for every chain; each a becomes a x + y
    for `UNROLLED · turns` times.
    """
    module = ir.Module("peak")
    module.triple = target.triple
    kind = ir.FunctionType(ir.VoidType(), [POINTER, I64])
    function = ir.Function(module, kind, NAME)
    emitter, lanes = Emitter(function, target, precision), target.lanes(precision)
    numbers, turns = function.args
    places = [emitter.at(numbers, k * lanes) for k in range(n_chains(target) + 2)]
    x, y, *started = [emitter.load(place, lanes) for place in places]

    def turn(_index: Value, chains: list[Value]) -> list[Value]:
        for _ in range(UNROLLED):
            chains = [emitter.fma(chain, x, y) for chain in chains]
        return chains

    ended = emitter.loop(ir.Constant(I64, 0), turns, 1, turn, started, tight=True)
    for place, chain in zip(places[2:], ended, strict=True):
        emitter.store(chain, place)
    emitter.builder.ret_void()
    return str(module)


class Chains:
    """The compiled chains for one target and precision.

    Attributes:
        flops: operations of one turn of the loop.
    """

    def __init__(self, target: Target, precision: Precision):
        self._library = Library(assemble(chains_module(target, precision), target), target)
        address = self._library.address(NAME)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
        self._function: Callable[[int, int], None] = kind(address)
        self.lanes, self._type = target.lanes(precision), _NUMPY[precision]
        self.flops = 2 * self.lanes * UNROLLED * n_chains(target)
        self._n_numbers = self.lanes * (n_chains(target) + 2)

    def fresh(self) -> np.ndarray[Any, Any]:
        """Numbers whose chains stay where they are: x = 1/2, y = 1/4, so a settles at 1/2."""
        numbers = np.full(self._n_numbers, 0.5, dtype=self._type)
        numbers[self.lanes : 2 * self.lanes] = 0.25
        return numbers

    def run(self, numbers: np.ndarray[Any, Any], turns: int) -> None:
        """Run the chains; releases the interpreter."""
        self._function(numbers.ctypes.data, turns)


@cache
def _chains(target: Target, precision: Precision) -> Chains:
    return Chains(target, precision)


def fma_peak(
    threads: int = 1,
    precision: Precision = "f32",
    *,
    seconds: float = 0.02,
    on: Target | None = None,
) -> float:
    """The GFLOP/s that `threads` threads reach together, all of them at once.

    Args:
        threads: how many.
        precision: of the numbers.
        seconds: about how long to measure.
        on: the target; without it, the one in use.

    Raises:
        BackendError: there are no kernels for this processor.
    """
    chains = _chains(on or chosen(), precision)
    turns = 1000
    while (spent := _together(chains, threads, turns)) < seconds / 4:
        turns *= min(max(int(seconds / max(spent, 1e-9)), 2), 100)
    spent = _together(chains, threads, turns)
    return threads * turns * chains.flops / spent / 1e9


def _together(chains: Chains, threads: int, turns: int) -> float:
    """Seconds from the first thread's start to the last one's end."""
    begun, ended = [0.0] * threads, [0.0] * threads
    barrier = threading.Barrier(threads)

    def work(place: int) -> None:
        numbers = chains.fresh()
        barrier.wait()
        begun[place] = time.perf_counter()
        chains.run(numbers, turns)
        ended[place] = time.perf_counter()

    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(ended) - min(begun)
