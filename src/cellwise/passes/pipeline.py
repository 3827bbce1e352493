"""All passes, in order: from a cell's equations to the programs that back ends run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from cellwise.autodiff.derivative import all_names
from cellwise.autodiff.reverse import backward
from cellwise.errors import BackendError
from cellwise.graph.system import System
from cellwise.graph.verify import IllFormedError
from cellwise.graph.verify import verify as check
from cellwise.passes.accumulate import accumulate
from cellwise.passes.group import group, merge
from cellwise.passes.hoist import hoist
from cellwise.passes.name_products import name_products
from cellwise.passes.program import Program
from cellwise.passes.prune import prune
from cellwise.passes.saved import Memory, lean, saved
from cellwise.passes.sections import schedule
from cellwise.passes.share import share
from cellwise.passes.simplify import simplify

Pass = Callable[[System], System]

READABLE: tuple[Pass, ...] = (simplify, share)
"""What makes a derived system readable: fewer and shorter equations."""

PREPARE: tuple[Pass, ...] = (*READABLE, name_products)
"""What a cell goes through before it is differentiated."""

FORWARD: tuple[Pass, ...] = (hoist, group)
BACKWARD: tuple[Pass, ...] = (hoist, merge, accumulate, share, group)
"""What is done for speed alone: few, large products, outside of the loop where that can be."""


@dataclass(frozen=True)
class Compiled:
    """A cell, ready for a back end.

    Attributes:
        forward: computes the signals; `forward.system.output` is the output.
        backward: computes the cotangents, from the last step to the first.
        saved: what the forward must keep for the backward: signals, no inputs.
        names: for each input, signal and parameter of the cell, its cotangent's name in `backward`.
        out: the input of `backward` that holds the cotangent of the output.
        previous: for each state `s`, the name in `backward` of what a step sends to `s[t-1]`.
    """

    forward: Program
    backward: Program
    saved: tuple[str, ...]
    names: Mapping[str, str]
    out: str
    previous: Mapping[str, str]

    @cached_property
    def kept(self) -> list[str]:
        """The signals that a forward gives for the backward: the output, then all that is saved."""
        return list(dict.fromkeys([self.forward.system.output, *self.saved]))


def compile_system(system: System, *, memory: Memory = "fast", verify: bool = False) -> Compiled:
    """Derive the backward of a cell and make programs of both.

    Args:
        system: the cell's equations, over a chain.
        memory: whether the forward keeps all that the backward reads, or states alone.
        verify: check the system after every pass; tests do.

    Raises:
        StructureError: the system has no backward equations.
        BackendError: `verify` found that a pass broke the system; the message names the pass.
    """
    prepared = run(PREPARE, system, verify)
    if _fed(prepared) != _fed(system):
        prepared = system  # a simplified cell must not lose what a person feeds it
    derived = backward(prepared)
    taken = all_names(prepared)

    def shared(system: System) -> System:
        return share(system, taken=taken)

    readable = run((simplify, shared), derived.system, verify)
    if memory == "lean":
        readable = lean(prepared, readable)
    own = {*system.inputs, *system.given, *system.defined, *system.parameters}
    names = {name: cotangent for name, cotangent in derived.names.items() if name in own}
    results = {*names.values(), *derived.previous.values()}
    return Compiled(
        forward=_program(FORWARD, prepared, prepared.defined, verify),
        backward=_program(BACKWARD, readable, results, verify),
        saved=saved(prepared, readable),
        names=names,
        out=derived.out,
        previous=derived.previous,
    )


def _fed(system: System) -> tuple[object, ...]:
    """What a person feeds a cell: parameters, inputs and states."""
    return system.parameters.keys(), system.inputs, system.states


def _program(
    passes: tuple[Pass, ...], system: System, keep: Collection[str], verify: bool
) -> Program:
    def pruned(system: System) -> System:
        return prune(system, keep)

    return schedule(run((*passes, pruned), system, verify))


def run(passes: tuple[Pass, ...], system: System, verify: bool = False) -> System:
    """The system after some passes; with `verify`, checked after each."""
    for one in passes:
        system = one(system)
        if verify:
            try:
                check(system)
            except IllFormedError as error:
                raise BackendError(
                    f"the pass '{one.__name__}' broke the system: {error}"
                ) from error
    return system
