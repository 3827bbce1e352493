"""What machine to emit for: how wide its vectors are, how many registers it has."""

from __future__ import annotations

import os
from functools import cache
from typing import Literal, NamedTuple

import llvmlite.binding as llvm

from cellwise.errors import BackendError

Precision = Literal["f32", "f64"]

BYTES: dict[Precision, int] = {"f32": 4, "f64": 8}

LINE_BYTES = 64
"""A line of the caches, of numbers and of instructions."""

VARIABLE = "CELLWISE_TARGET"
"""The environment variable that chooses another instruction set than the machine's best."""


class Target(NamedTuple):
    """An instruction set.

    Attributes:
        name: avx512, avx2, sse2 or neon.
        triple: LLVM's name of the platform.
        cpu: LLVM's name of the processor.
        features: LLVM's list of what it has, comma-separated.
        vector_bytes: the width of a vector register.
        n_registers: how many of them there are.
        fused: multiplies and adds in one instruction.
    """

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    n_registers: int
    fused: bool = True

    def lanes(self, precision: Precision) -> int:
        """How many numbers a vector register holds."""
        return self.vector_bytes // BYTES[precision]

    @property
    def family(self) -> str:
        """x86 or arm."""
        return "arm" if self.name == "neon" else "x86"


_LEVELS = {
    "avx512": ("x86-64-v4", "-prefer-256-bit", 64, 32, True),
    "avx2": ("x86-64-v3", "", 32, 16, True),
    "sse2": ("x86-64", "", 16, 16, False),
    "neon": ("generic", "+neon", 16, 32, True),
}

_NEEDS = {
    "avx512": ("avx512f", "avx512vl", "avx512dq", "avx512bw", "fma"),
    "avx2": ("avx2", "fma"),
    "sse2": ("sse2",),
}


@cache
def target(name: str) -> Target:
    """The instruction set of this name, for this machine's platform if it is of the family.

    Raises:
        BackendError: there is none of this name.
    """
    if name not in _LEVELS:
        raise BackendError(f"unknown target '{name}': known are {', '.join(_LEVELS)}")
    cpu, features, width, registers, fused = _LEVELS[name]
    family = "aarch64" if name == "neon" else "x86_64"
    native = llvm.get_default_triple()
    triple = native if native.split("-")[0] in _aliases(family) else f"{family}-unknown-linux-gnu"
    return Target(name, triple, cpu, features, width, registers, fused)


def _aliases(family: str) -> tuple[str, ...]:
    return ("aarch64", "arm64") if family == "aarch64" else ("x86_64", "amd64")


@cache
def runnable() -> tuple[Target, ...]:
    """The instruction sets that this machine executes, the widest first."""
    architecture = llvm.get_default_triple().split("-")[0]
    if architecture in _aliases("aarch64"):
        return (target("neon"),)
    if architecture not in _aliases("x86_64"):
        return ()
    has = llvm.get_host_cpu_features()
    return tuple(target(n) for n, needs in _NEEDS.items() if all(has.get(f) for f in needs))


def chosen() -> Target:
    """The target in use: the machine's best, or what CELLWISE_TARGET names.

    Raises:
        BackendError: this machine does not execute it, or executes none.
    """
    known = runnable()
    if not known:
        raise BackendError(f"no kernels for this processor: {llvm.get_default_triple()}")
    wanted = os.environ.get(VARIABLE, "")
    if not wanted:
        return known[0]
    found = target(wanted)
    if found not in known:
        names = ", ".join(t.name for t in known)
        raise BackendError(f"this machine cannot execute {wanted} code: it can {names}")
    return found
