"""Compiled back ends agree with the reference: random cells, the zoo, odd sizes, every target."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings

from cellwise import cells
from cellwise.backends.cpu.target import VARIABLE, runnable
from cellwise.passes.saved import Memory
from tests.conftest import LONG_RUN
from tests.laws.agreement import (
    DTYPES,
    Batch,
    Folded,
    Group,
    MismatchError,
    groups,
    judge,
    served_texts,
    unserved_texts,
)

N_GROUPS = 36
N_BATCHES = 14
"""A case is a cell with sizes and a batch: this makes 504. A cell is compiled once for all its."""
BATCHES = (
    Batch((0, 0), 1),
    Batch((1,), 2),
    Batch((5,), 3, zero=True),
    Batch((7, 7, 4, 4, 3, 2, 2, 1, 1, 0), 4),
    Batch((3,) * 31, 5),
)
"""No steps, one step, one row, ragged rows, more rows than are computed at once."""
REASONS = (
    "it computes a matrix at every step",
    "it multiplies with a matrix that varies",
    "it multiplies with a third-order array that varies",
    "it sums matrices",
)
"""Why the kernels may refuse a cell."""

usual = settings(max_examples=settings().max_examples if LONG_RUN else N_GROUPS)
few = settings(max_examples=settings().max_examples if LONG_RUN else 4)

SPREAD = ("lstm", "gru", "lstm_layernorm", "slstm", "sru", "cornn")
"""Cells of every kind: gates, two stages, sums over vectors, steep functions, no products."""


def agree(group: Group) -> None:
    """All batches of a group; a case may be delicate, but not refused."""
    for batch in group.batches:
        assert judge(group, batch, "cpu") != "refused"


def of_the_zoo(
    name: str, dimensions: tuple[int, ...], dtype: torch.dtype, memory: Memory = "fast"
) -> Group:
    return Group(str(cells.get(name)), dimensions, dtype, BATCHES, memory)


@usual
@given(group=groups(served_texts(), N_BATCHES))
def test_random_cells_agree_with_the_reference(group: Group) -> None:
    agree(group)


@few
@given(group=groups(unserved_texts(), 1))
def test_what_is_refused_has_a_known_reason(group: Group) -> None:
    (batch,) = group.batches
    reason = Folded(group, batch, "cpu").refusal
    verdict = judge(group, batch, "cpu")
    assert (verdict == "refused") == bool(reason)
    assert not reason or reason.startswith(REASONS)
    auto = Folded(group, batch, "auto")
    assert auto.serving == ("reference" if reason else "cpu")
    assert len(auto(auto.tensors)) > 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", cells.names("chain"))
def test_a_cell_of_the_zoo_agrees_with_the_reference(name: str, dtype: torch.dtype) -> None:
    group = of_the_zoo(name, (5, 11), dtype)
    assert Counter(judge(group, batch, "cpu") for batch in BATCHES) == {"agreed": len(BATCHES)}


@pytest.mark.parametrize("name", cells.names("chain"))
def test_a_cell_of_the_zoo_that_keeps_little_agrees_with_the_reference(name: str) -> None:
    agree(of_the_zoo(name, (5, 11), torch.float32, "lean"))


@pytest.mark.parametrize("size", [1, 3, 17, 100])
@pytest.mark.parametrize("name", ["lstm", "gru", "elman"])
def test_odd_sizes_agree_with_the_reference(name: str, size: int) -> None:
    agree(of_the_zoo(name, (size, size), torch.float32))


@pytest.mark.parametrize("size", [650, 1023])
def test_large_odd_sizes_agree_with_the_reference(size: int) -> None:
    batch = Batch((3, 3, 2, 1), 0)
    group = Group(str(cells.get("lstm")), (size, size), torch.float32, (batch,))
    assert judge(group, batch, "cpu") == "agreed"


@pytest.mark.parametrize("target", [target.name for target in runnable()[1:]])
@pytest.mark.parametrize("name", SPREAD)
def test_every_target_agrees_with_the_reference(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, target)
    for dtype in DTYPES:
        agree(of_the_zoo(name, (7, 19), dtype))


@pytest.mark.parametrize("target", [target.name for target in runnable()[1:]])
def test_random_cells_agree_on_every_target(target: str) -> None:
    @few
    @given(group=groups(served_texts(), N_BATCHES))
    def agrees(group: Group) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, target)
            agree(group)

    agrees()


def test_a_difference_is_seen_and_printed() -> None:
    """The law itself, on a back end that is wrong."""
    from cellwise.backends import BACKENDS
    from tests.laws.rough import Rough

    batch = Batch((3, 1), 0)
    group = Group("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)", (2, 3), torch.float64, (batch,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKENDS, Rough.name, Rough())
        with pytest.raises(MismatchError, match=r"(?s)^Group\(.*\nresult 0: wrong by"):
            judge(group, batch, Rough.name)
