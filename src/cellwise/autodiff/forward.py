"""Forward mode: the tangent equations of a system."""

from __future__ import annotations

from dataclasses import replace

from cellwise.autodiff.derivative import Derivative, names_of
from cellwise.autodiff.linear import linearise
from cellwise.autodiff.reads import given_names, named_values
from cellwise.autodiff.rules import zeros
from cellwise.graph.build import build
from cellwise.graph.node import Node
from cellwise.graph.system import System


def tangent(system: System) -> Derivative:
    """The system that computes how all values change along a change of inputs and parameters.

    A signal `s[t]` gives `s_dot[t]`, an input `x` the input `x_dot`, a parameter `W` the parameter
    `W_dot`. The values of the system itself are `given`: inputs and signals that the tangents read.
    Tangents of signals that are given to the system are given as well.
    """
    names = _tangent_names(system)
    lines = list(system.lines())
    tangents = linearise([line.value for line in lines], lambda node: _leaf(node, names))
    derived = named_values(
        system,
        [
            replace(e, name=names[e.name], value=zeros(e.value.shape) if value is None else value)
            for e, value in zip(lines, tangents, strict=True)
        ],
    )
    values = [line.value for line in derived]
    n_leaf, n_totals = len(system.leaf), len(system.totals)
    result = System(
        equations=tuple(derived[n_leaf : len(derived) - n_totals]),
        output=names[system.output],
        totals=tuple(derived[len(derived) - n_totals :]),
        leaf=tuple(derived[:n_leaf]),
        initial=tuple((names[state], _renamed(node, names)) for state, node in system.initial),
        constants=system.constants,
        given=(*given_names(system, values), *(names[name] for name in system.given)),
    )
    return Derivative(result, names)


def _tangent_names(system: System) -> dict[str, str]:
    names = names_of(system)
    totals = [line.name for line in system.totals]
    moving = [*system.inputs, *system.given, *system.defined, *system.parameters, *totals]
    return {name: names.fresh(f"{name}_dot") for name in dict.fromkeys(moving)}


def _leaf(node: Node, names: dict[str, str]) -> Node | None:
    return _renamed(node, names) if node.operation in ("read", "parameter", "labelled") else None


def _renamed(node: Node, names: dict[str, str]) -> Node:
    name, *rest = node.attributes
    return build(node.operation, attributes=(names[str(name)], *rest))
