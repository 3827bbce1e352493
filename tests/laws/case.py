"""A case: a system with numbers for its sizes, a ragged batch and all arrays, drawn from a seed.

The sequences are sorted by falling length, as a fold has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import NDArray
from torch import Tensor

from cellwise.equation import read_system
from cellwise.graph.dimension import Shape
from cellwise.graph.node import walk
from cellwise.graph.system import System
from cellwise.structures.call import Arrays
from tests.evaluate import Feed
from tests.laws.generate import chain_texts

Array = NDArray[np.float64]
Place = tuple[str, str, int]
"""Where an array belongs: ("input" or "state", name, sequence), or ("parameter", name, 0)."""


@dataclass(frozen=True)
class Case:
    """A system with data; prints so that it can be pasted into a test.

    Attributes:
        source: the text of a cell, or a system.
        dimensions: the numbers of the system's symbolic sizes, in order of first use, again from
            the start if there are more symbols.
        lengths: of the sequences, falling.
        seed: of all arrays.
        positive: all inputs are positive.
    """

    source: str | System
    dimensions: tuple[int, ...]
    lengths: tuple[int, ...]
    seed: int
    positive: bool = False

    def __repr__(self) -> str:
        quoted = f'"""\n{self.source}\n"""' if isinstance(self.source, str) else repr(self.source)
        return f"Case({quoted}, {self.dimensions}, {self.lengths}, {self.seed})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @cached_property
    def system(self) -> System:
        """The system, learned initial states included."""
        return read_system(self.source) if isinstance(self.source, str) else self.source

    @cached_property
    def sizes(self) -> dict[str, int]:
        """A number for every symbolic size."""
        shapes = [node.shape for node in walk(self.system.roots())]
        names = [name for shape in shapes for size in shape for name in size.names()]
        return {
            name: self.dimensions[place % len(self.dimensions)]
            for place, name in enumerate(dict.fromkeys(names))
        }

    def numbers(self, shape: Shape) -> tuple[int, ...]:
        """A symbolic shape as numbers."""
        return tuple(size.evaluate(self.sizes) for size in shape)

    @cached_property
    def learned(self) -> dict[str, str]:
        """For a state that starts from a parameter, the parameter's name."""
        return {state: str(node.attributes[0]) for state, node in self.system.initial}

    @cached_property
    def arrays(self) -> dict[Place, Array]:
        """All that the system is given: inputs [T, ·] and states [·] a sequence, parameters."""
        rng, system = np.random.default_rng(self.seed), self.system
        found: dict[Place, Array] = {}
        for name, shape in system.parameters.items():
            numbers = self.numbers(shape)
            fan = max(int(np.prod(numbers[1:])), 1)
            found["parameter", name, 0] = np.asarray(rng.normal(size=numbers)) / fan**0.5
        for place, length in enumerate(self.lengths):
            for name in system.inputs:
                data = np.asarray(rng.normal(size=(length, *self.numbers(system.shape_of(name)))))
                found["input", name, place] = np.abs(data) + 0.5 if self.positive else data
            for name in system.states:
                if name not in self.learned:
                    numbers = self.numbers(system.shape_of(name))
                    found["state", name, place] = np.asarray(rng.normal(size=numbers))
        return found

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        """Further numbers: directions and cotangents."""
        return np.asarray(np.random.default_rng((self.seed, seed)).normal(size=shape))

    @property
    def level_sizes(self) -> Tensor:
        """How many sequences have a step t: int64 [T]."""
        steps = range(max(self.lengths, default=0))
        return torch.tensor([sum(n > t for n in self.lengths) for t in steps], dtype=torch.int64)

    def rows(self, pieces: list[Array]) -> Tensor:
        """Sequences [T, ·] as rows, level by level."""
        levels = range(max(self.lengths, default=0))
        rows = [piece[t] for t in levels for piece in pieces if t < len(piece)]
        empty = pieces[0][:0]
        return torch.from_numpy(np.stack(rows) if rows else empty)

    def pieces(self, rows: Tensor) -> list[Array]:
        """Rows as sequences [T, ·]."""
        table = iter(rows.detach().numpy())
        found: list[list[Array]] = [[] for _ in self.lengths]
        for t in range(max(self.lengths, default=0)):
            for place, length in enumerate(self.lengths):
                if t < length:
                    found[place].append(next(table))
        shape = rows.shape[1:]
        return [np.stack(steps) if steps else np.zeros((0, *shape)) for steps in found]

    def tensors(self, parameters: Iterable[str]) -> Arrays:
        """The arrays as a fold takes them: learned states repeated for every sequence."""
        every = range(len(self.lengths))
        inputs = [
            self.rows([self.arrays["input", name, place] for place in every])
            for name in self.system.inputs
        ]
        edges = [
            torch.from_numpy(np.stack([self.start(name, place) for place in every]))
            for name in self.system.states
        ]
        weights = [
            torch.from_numpy(self.arrays["parameter", name, 0].copy()) for name in parameters
        ]
        return Arrays(inputs, edges, weights)

    def start(self, state: str, place: int) -> Array:
        """What a state of a sequence starts from."""
        if state in self.learned:
            return self.arrays["parameter", self.learned[state], 0]
        return self.arrays["state", state, place]

    @cached_property
    def folded(self) -> System:
        """The system as a fold has it: initial states are arguments, not parameters."""
        return replace(self.system, initial=())

    def feed(self, place: int = 0) -> Feed:
        """What the numpy evaluator reads of one sequence."""
        return Feed(
            self.lengths[place],
            {name: self.arrays["input", name, place] for name in self.system.inputs},
            {n: self.start(n, place) for n in self.system.states if n not in self.learned},
            {name: self.arrays["parameter", name, 0] for name in self.system.parameters},
            sizes=self.sizes,
        )


@st.composite
def cases(draw: DrawFn, depth: int = 3, longest: int = 4) -> Case:
    """Random cells with random sizes and lengths."""
    lengths = draw(st.lists(st.integers(0, longest), min_size=1, max_size=3))
    return Case(
        draw(chain_texts(depth)),
        tuple(draw(st.lists(st.integers(1, 3), min_size=4, max_size=4))),
        tuple(sorted(lengths, reverse=True)),
        draw(st.integers(0, 9999)),
    )
