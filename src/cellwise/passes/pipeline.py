"""All passes, in order: from a cell's equations to the programs that back ends run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cellwise.autodiff.reverse import backward
from cellwise.graph.system import System
from cellwise.graph.verify import verify as check
from cellwise.passes.program import Program


@dataclass(frozen=True)
class Compiled:
    """A cell, ready for a back end.

    Attributes:
        forward: computes the signals; `forward.system.output` is the output.
        backward: computes the cotangents from the last step to the first.
        saved: what the forward must keep for the backward: signals (no inputs) that `backward` reads.
        names: for each input, signal and parameter, the name of its cotangent in `backward`.
        out: the input of `backward` that holds the cotangent of the output.
        previous: for each state `s`, the name in `backward` of what a step sends to `s[t-1]`.
    """

    forward: Program
    backward: Program
    saved: tuple[str, ...]
    names: Mapping[str, str]
    out: str
    previous: Mapping[str, str]


def compile_system(system: System, *, verify: bool = False) -> Compiled:
    """Derive the backward of `system` and make programs of both."""
    derived = backward(system)
    check(derived.system)
    return Compiled(
        forward=_program(system),
        backward=_program(derived.system),
        saved=tuple(name for name in derived.system.given if name not in system.inputs),
        names=derived.names,
        out=derived.out,
        previous=derived.previous,
    )


def _program(system: System) -> Program:
    return Program(system, (), system.equations, (), system.totals)
