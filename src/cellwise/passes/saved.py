"""Saved: which signals of the forward sweep the backward reads, and which it computes again."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from cellwise.graph.system import Equation, System
from cellwise.passes.sections import names_read

Memory = Literal["fast", "lean"]
"""`fast`: all that the backward reads is kept. `lean`: states alone, the rest is computed again."""


def saved(forward: System, backward: System) -> tuple[str, ...]:
    """The signals that the forward must keep: what is given to the backward and no input."""
    return tuple(name for name in backward.given if name not in forward.inputs)


def lean(forward: System, backward: System) -> System:
    """The backward equations with every given signal computed again that is no state.

    Given the states at every step, all other signals follow without a recurrence: their products
    are taken over all steps at once, at the cost of the forward's products a second time.
    """
    states = forward.states
    wanted = [n for n in backward.given if n not in states and n not in forward.inputs]
    lines = _needed(forward, wanted)
    if not lines:
        return backward
    reads = names_read([line.value for line in (*lines, *backward.equations, *backward.totals)])
    outside = {*states, *forward.inputs, *forward.given}
    given = tuple(dict.fromkeys(n for n in (*backward.given, *reads) if n in outside))
    constants = dict(forward.constants) | dict(backward.constants)
    return replace(
        backward,
        equations=(*lines, *backward.equations),
        given=given,
        constants=tuple(constants.items()),
    )


def _needed(forward: System, wanted: list[str]) -> list[Equation]:
    """The lines of the forward that define signals, with those that they read at the same step."""
    values = {line.name: line for line in forward.equations}
    needed: set[str] = set()
    stack = list(wanted)
    while stack:
        name = stack.pop()
        if name in values and name not in needed and name not in forward.states:
            needed.add(name)
            stack.extend(names_read([values[name].value], "t"))
    return [line for line in forward.equations if line.name in needed]
