"""The arrays that sums are computed into, and the lines of a program's totals made of them.

Results of equal width lie in one array, one behind another, and it is divided once: an array and a
division each take some microseconds, and a cell has a dozen parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from cellwise.backends.cpu.compiled import Closing, Compiled
from cellwise.backends.cpu.drafts import At
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.precisions import DTYPES
from cellwise.backends.cpu.sum_calls import SumCalls
from cellwise.backends.cpu.totals import NO_ENDS, closed
from cellwise.graph.node import Node


class Results:
    """What the sums of a program come to.

    Attributes:
        places: where each result lies, by what drafts call it: `out 0`, …
        needs: what the arrays are called: `results 0`, …
    """

    def __init__(self, compiled: Compiled, sums: SumCalls):
        self._compiled, self._sums = compiled, sums
        self._dtype = DTYPES[compiled.precision]
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, plan in enumerate(sums.plans):
            groups.setdefault(plan.shape[1:], []).append(number)
        self.needs = [f"results {number}" for number in range(len(groups))]
        self.places: dict[str, At] = {}
        self._rows: dict[int, tuple[int, int, int]] = {}
        self._shapes: list[tuple[int, ...]] = []
        for need, (tail, numbers) in zip(self.needs, groups.items(), strict=True):
            at = 0
            for number in numbers:
                n_rows, row_bytes = sums.plans[number].shape[0], prod(tail) * compiled.item_bytes
                self.places[f"out {number}"] = At(need, at * row_bytes)
                self._rows[number] = len(self._shapes), at, n_rows
                at += n_rows
            self._shapes.append((at, *tail))
        self._sizes = self._divided([numbers for _, numbers in groups.items()])
        self._terms = [
            (name, [(self._piece(closing), closing.minus) for closing in closings])
            for name, closings in (compiled.sums if self._sizes else ())
        ]

    def _divided(self, groups: Sequence[Sequence[int]]) -> list[list[int]]:
        """The rows of each piece of each array; nothing if lines need them in other forms."""
        compiled, nodes = self._compiled, [plan.node for plan in self._sums.plans]
        forms: dict[Node, set[int]] = {node: set() for node in nodes}
        for _, closings in compiled.sums:
            for closing in closings:
                forms[closing.sum].add(closing.cut)
        many = any(len(found) > 1 for found in forms.values())
        if many or compiled.expressions or self._sums.changed:
            return []
        sizes: list[list[int]] = []
        self._first: dict[Node, int] = {}
        n_pieces = 0
        for numbers in groups:
            sizes.append([])
            for number in numbers:
                cut = next(iter(forms[nodes[number]]), -1)
                rows = [self._rows[number][2]] if cut < 0 else compiled.cuts[cut][1]
                self._first[nodes[number]] = n_pieces
                sizes[-1] += rows
                n_pieces += len(rows)
        return sizes

    def _piece(self, closing: Closing) -> int:
        return self._first[closing.sum] + closing.piece

    def new(self) -> list[Tensor]:
        """The arrays, in the order of `needs`."""
        dtype = self._dtype
        return [torch.empty(shape, dtype=dtype, device="cpu") for shape in self._shapes]

    def lines(
        self,
        arrays: Sequence[Tensor],
        fixed: Fixed | None = None,
        ends: Mapping[str, Tensor] = NO_ENDS,
    ) -> dict[str, Tensor]:
        """The lines of the program's totals, by name, once the arrays are filled; as `closed`."""
        if not self._sizes:
            outs = [self._result(arrays, number) for number in range(len(self._rows))]
            return closed(self._compiled, self._sums.shaped(outs), fixed, ends)
        pieces: list[Tensor] = []
        for array, sizes in zip(arrays, self._sizes, strict=True):
            pieces += array.split_with_sizes(sizes) if len(sizes) > 1 else (array,)
        found = {}
        for name, ((first, minus), *others) in self._terms:
            total = -pieces[first] if minus else pieces[first]
            for piece, taken in others:
                total = total - pieces[piece] if taken else total + pieces[piece]
            found[name] = total
        return found

    def _result(self, arrays: Sequence[Tensor], number: int) -> Tensor:
        group, start, n_rows = self._rows[number]
        array = arrays[group]
        return array if len(array) == n_rows else array.narrow(0, start, n_rows)
