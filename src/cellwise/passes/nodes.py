"""From a cell over trees or graphs to the equations that back ends run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cellwise.autodiff.recursion import backward_over_nodes, settle
from cellwise.errors import StructureError
from cellwise.graph.system import SLOTS, System
from cellwise.passes.lift import lift
from cellwise.passes.name_products import name_products_of_nodes
from cellwise.passes.share_nodes import share_nodes
from cellwise.passes.simplify import simplify


@dataclass(frozen=True)
class CompiledNodes:
    """A cell over nodes, ready for a back end.

    Attributes:
        forward: computes the signals; `results` are given back.
        backward: computes the cotangents, every node ahead of those that it reads.
        results: the output, then the states: what a fold computes of every node.
        states: what other nodes read.
        saved: what else the forward must keep for the backward.
        names: for each input, signal and parameter of the cell, its cotangent's name in `backward`.
        outs: for each result, the input of `backward` that holds its cotangent.
    """

    forward: System
    backward: System
    results: tuple[str, ...]
    states: tuple[str, ...]
    saved: tuple[str, ...]
    names: Mapping[str, str]
    outs: Mapping[str, str]

    @property
    def down(self) -> bool:
        """Whether nodes read their parents, rather than their children."""
        return any(index == "parent" for _, index in self.forward.reads())

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots of children that the equations name."""
        found = dict.fromkeys(index for _, index in self.forward.reads())
        return tuple(index for index in found if index in SLOTS and index != "parent")


def compile_nodes(system: System) -> CompiledNodes:
    """Derive the backward of a cell over nodes.

    Raises:
        StructureError: nodes read both parents and children, or what leaves do not define.
    """
    _check(system)
    results = tuple(dict.fromkeys([system.output, *system.states]))
    settled = settle(lift(share_nodes(simplify(system))))
    derived = simplify(backward_over_nodes(settled, results).system)
    prepared = name_products_of_nodes(settled, derived)
    if prepared.parameters.keys() != system.parameters.keys() or prepared.inputs != system.inputs:
        prepared = settle(lift(system))
    return _derived(prepared, results, system.states)


def labelled_nodes(compiled: CompiledNodes) -> CompiledNodes:
    """The same cell for trees alone: what an edge's label chooses is a matter of the child."""
    prepared = settle(lift(compiled.forward, above=True))
    return _derived(prepared, compiled.results, compiled.states)


def _derived(prepared: System, results: tuple[str, ...], states: tuple[str, ...]) -> CompiledNodes:
    derived = backward_over_nodes(prepared, results)
    readable = simplify(derived.system)
    own = {*prepared.inputs, *prepared.parameters}
    saved = [n for n in readable.given if n not in prepared.inputs and n not in results]
    return CompiledNodes(
        forward=prepared,
        backward=readable,
        results=results,
        states=states,
        saved=tuple(saved),
        names={name: cotangent for name, cotangent in derived.names.items() if name in own},
        outs=derived.outs,
    )


def _check(system: System) -> None:
    reads = system.reads()
    below = [(name, index) for name, index in reads if index in ("k", *SLOTS) and index != "parent"]
    above = [(name, index) for name, index in reads if index == "parent"]
    if above and (below or system.leaf):
        name, index = (below or [(system.leaf[0].name, "leaf")])[0]
        raise StructureError(
            f"a cell runs up a tree or down, but this one reads {above[0][0]}[parent]"
            f" and has {name}[{index}]"
        )
    at_leaves = {line.name for line in system.leaf}
    for name, index in below:
        if system.leaf and name in system.defined and name not in at_leaves:
            raise StructureError(
                f"'{name}' is read at [{index}], but no line says what {name}[leaf] is"
            )
