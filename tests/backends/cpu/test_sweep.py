"""One sweep against the reference's: rows, edges and totals, whatever form the arrays come in."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise import cells
from cellwise.backends import BACKENDS
from cellwise.backends.base import Bound, Direction, Feed, Swept
from cellwise.backends.cpu.compiled import compiled
from cellwise.backends.cpu.trace import VARIABLE
from cellwise.backends.schedule import Schedule
from cellwise.cell import Cell
from cellwise.errors import BackendError, ShapeError
from cellwise.graph.system import System
from cellwise.passes.pipeline import compile_system
from tests.backends.cpu.kernels import DIRECTIONS, kept
from tests.laws.bits import threads
from tests.passes.programs import sizes_of
from tests.tolerances import TOLERANCE

SCHEDULE = Schedule((5, 4, 4, 2, 1), 6)
"""Lengths 5, 4, 3, 3, 1 and 0."""
SPARE = 3
"""Rows that there is room for beyond the live ones."""

TEXTS = {
    "scalar state": "s[t] = 0.5 * s[t-1] + sum(U @ x[t])\nh[t] = tanh(W @ h[t-1] + s[t] * x[t])",
    "state read only": "e[t] = U @ x[t]\nh[t] = tanh(e[t-1]) + b",
    "several outputs": "c[t] = sigmoid(a * c[t-1] + U @ x[t])\nh[t] = [c[t], x[t]]",
    "transposed": "h[t] = tanh(U @ x[t] + W.T @ (W @ h[t-1]))",
    "scalar parameters": "h[t] = a * h[t-1] + sum(b) * (U @ x[t])",
    "outer of a step before": "h[t] = tanh(W @ h[t-1] + V @ (h[t-1] * (U @ x[t])))",
    "no parameters": "h[t] = 0.5 * h[t-1] + x[t] * softmax(h[t-1])",
    "one matrix twice": "h[t] = tanh(W @ x[t] + W @ h[t-1])",
    "a matrix and itself turned": "h[t] = tanh(U @ x[t] + (W - W.T) @ h[t-1] - b)",
    "one bias twice": "z[t] = sigmoid(U @ x[t] + W @ h[t-1] + b)\n"
    "h[t] = z[t] * tanh(V @ x[t] + Z @ h[t-1] + b - a)",
    "what is computed of parameters": "h[t] = tanh(U @ x[t] + h[t-1]) * sigmoid(a) + b * b",
    "initial states": "c[t] = tanh(W @ h[t-1] + U @ x[t])\nh[t] = c[t] * h[t-1] + c[t-1] + b\n"
    "h[0] = b\nc[0] = a",
    "reductions": "h[t] = norm(h[t-1] + U @ x[t]) + max(x[t]) * mean(h[t-1])",
}


def bound(system: System, numbers: tuple[int, ...] = (3, 5)) -> Bound:
    sizes = sizes_of(system, *numbers)
    return Bound(compile_system(system), tuple(sizes.items()), system.constants, "cpu")


class Data:
    """All arrays of a cell's two sweeps, float64: drawn, or what the reference makes of them."""

    def __init__(self, cell: Bound, schedule: Schedule = SCHEDULE, spare: int = SPARE):
        self.cell, self.schedule, self.n_rows = cell, schedule, schedule.n_rows + spare
        self.generator = torch.Generator().manual_seed(0)
        self.programs, self.system = cell.compiled, cell.compiled.forward.system
        names = self.system.parameters
        self.parameters = {name: self.weight(*self.numbers(names[name])) for name in names}
        self.inputs = {name: self.signal(name) for name in self.system.inputs}
        self.edges = {
            name: self.draw(schedule.n_sequences, *self.numbers(self.system.shape_of(name)))
            for name in self.system.states
        }

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def weight(self, *shape: int) -> Tensor:
        """Small enough for gradients to stay tame over many steps."""
        return self.draw(*shape) / (2.0 * math.sqrt(max(shape, default=1)))

    def numbers(self, shape) -> list[int]:
        return [size.evaluate(dict(self.cell.sizes)) for size in shape]

    def signal(self, name: str) -> Tensor:
        return self.draw(self.n_rows, *self.numbers(self.system.shape_of(name)))

    def feed(self, direction: Direction) -> Feed:
        """What a sweep reads."""
        forward = Feed({(n, "t"): x for n, x in self.inputs.items()}, self.edges, self.parameters)
        if direction == "forward":
            return forward
        keep = kept(self.programs, "forward")
        swept = BACKENDS["reference"].sweep(self.cell, "forward", forward, self.schedule, keep)
        spare = self.n_rows - self.schedule.n_rows
        signals = {
            name: torch.cat([rows[: self.schedule.n_rows], rows.new_zeros(spare, *rows.shape[1:])])
            for name, rows in swept.rows.items()
        } | self.inputs
        given = {(n, "t"): signals[n] for n in self.programs.backward.system.given if n in signals}
        given[self.programs.out, "t"] = self.signal(self.system.output)
        carried = {self.programs.previous[n]: torch.ones_like(e) for n, e in self.edges.items()}
        return Feed(given, {**self.edges, **carried}, self.parameters)


def close(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], n_rows: int | None) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        one, other = found[name][:n_rows], wanted[name][:n_rows]
        torch.testing.assert_close(one, other, **TOLERANCE[torch.float64]["grad"])


def sweep(
    name: str, data: Data, direction: Direction, feed: Feed, keep: tuple[str, ...] | None = None
) -> Swept:
    keep = kept(data.programs, direction) if keep is None else keep
    return BACKENDS[name].sweep(data.cell, direction, feed, data.schedule, keep)


def agrees(data: Data, direction: Direction, feed: Feed) -> Swept:
    found, wanted = (sweep(name, data, direction, feed) for name in ("cpu", "reference"))
    close(found.rows, wanted.rows, data.schedule.n_rows)
    close(found.edges, wanted.edges, None)
    close(found.totals, wanted.totals, None)
    return found


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("what", TEXTS)
def test_a_sweep_equals_the_references(what, direction, n_threads):
    data = Data(bound(Cell(TEXTS[what]).system))
    with threads(n_threads):
        agrees(data, direction, data.feed(direction))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_rows_beyond_the_live_ones_are_not_read_and_zero(direction):
    data = Data(bound(cells.get("lstm").system))
    feed = data.feed(direction)
    for rows in feed.rows.values():
        rows[SCHEDULE.n_rows :] = torch.nan
    found = sweep("cpu", data, direction, feed)
    for rows in found.rows.values():
        assert rows.shape[0] == data.n_rows
        assert torch.isfinite(rows).all()
        assert not rows[SCHEDULE.n_rows :].any()
    for total in found.totals.values():
        assert torch.isfinite(total).all()


def _strided(tensor: Tensor) -> Tensor:
    """The same numbers, not next to each other in memory, and no two dimensions in order."""
    wide = torch.empty([2 * size + 1 for size in tensor.shape[::-1]], dtype=tensor.dtype)
    place = wide[tuple(slice(1, 1 + 2 * size, 2) for size in tensor.shape[::-1])]
    turned = place.permute(*range(tensor.dim() - 1, -1, -1))
    turned.copy_(tensor)
    assert tensor.numel() < 2 or not turned.is_contiguous()
    return turned


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", ["lstm", "gru", "sru", "lstm_peephole"])
def test_arrays_need_not_be_contiguous(name, direction):
    data = Data(bound(cells.get(name).system))
    feed = data.feed(direction)
    strided = Feed(
        {key: _strided(rows) for key, rows in feed.rows.items()},
        {key: _strided(edge) for key, edge in feed.edges.items()},
        {key: _strided(weight) for key, weight in feed.parameters.items()},
    )
    found, wanted = (sweep("cpu", data, direction, one) for one in (strided, feed))
    for one, other in ((found.rows, wanted.rows), (found.totals, wanted.totals)):
        assert all(torch.equal(one[key], other[key]) for key in other)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_is_given_is_not_changed(direction):
    data = Data(bound(cells.get("gru").system))
    feed = data.feed(direction)
    arrays = [*feed.rows.values(), *feed.edges.values(), *feed.parameters.values()]
    before = [array.clone() for array in arrays]
    sweep("cpu", data, direction, feed)
    assert all(torch.equal(one, other) for one, other in zip(arrays, before, strict=True))


def test_what_is_not_asked_for_is_not_given():
    data = Data(bound(cells.get("lstm").system))
    feed = data.feed("forward")
    assert list(sweep("cpu", data, "forward", feed, ()).rows) == []
    assert list(sweep("cpu", data, "forward", feed, ("c", "i")).rows) == ["c", "i"]
    whole, part = (sweep("cpu", data, "forward", feed, keep) for keep in (None, ("h",)))
    assert torch.equal(part.rows["h"], whole.rows["h"])
    assert all(torch.equal(part.edges[name], whole.edges[name]) for name in whole.edges)


def test_results_share_no_memory_with_each_other_or_what_was_given():
    data = Data(bound(cells.get("lstm").system))
    feed = data.feed("backward")
    found = sweep("cpu", data, "backward", feed)
    arrays = [*feed.rows.values(), *feed.edges.values(), *feed.parameters.values()]
    fresh = [*found.rows.values(), *found.edges.values()]
    places = [t.untyped_storage().data_ptr() for t in (*arrays, *fresh)]
    assert len(set(places)) == len(places)


def test_one_compiled_kernel_serves_all_lengths_and_batch_sizes():
    cell = bound(cells.get("gru").system)
    for place, schedule in enumerate((SCHEDULE, Schedule((1,), 1), Schedule((40,) * 9, 41))):
        data = Data(cell, schedule)
        feed = data.feed("forward")
        before = compiled.cache_info().misses
        agrees(data, "forward", feed)
        assert compiled.cache_info().misses - before == (1 if place == 0 else 0)


def test_a_trace_shows_every_stage_of_compilation(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "trace"))
    monkeypatch.setenv("CELLWISE_CACHE", "off")
    data = Data(bound(cells.get("lstm").system))
    sweep("cpu", data, "forward", data.feed("forward"))
    (folder,) = (tmp_path / "trace").iterdir()
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert sorted(texts) == [
        "1_program.txt",
        "2_stages.txt",
        "3_emitted.ll",
        "4_optimised.ll",
        "5_assembly.s",
        "6_spills.txt",
    ]
    assert "# loop" in texts["1_program.txt"]
    assert "products a unit" in texts["2_stages.txt"]
    assert 'define void @"kernel"' in texts["3_emitted.ll"]
    assert "spills" in texts["6_spills.txt"]


def test_a_weight_of_another_shape_is_refused_before_it_is_read() -> None:
    layer = cw.Recurrent("lstm", 3, 4, backend="cpu")
    layer.get_parameter("layer0.W_i").data = torch.zeros(2, 4)
    with pytest.raises(ShapeError, match=r"^'W_i' must have shape \[4, 4\], but has \[2, 4\]$"):
        layer(torch.zeros(2, 1, 3))


def test_a_weight_of_another_precision_is_refused_before_it_is_read() -> None:
    layer = cw.Recurrent("lstm", 3, 4, backend="cpu")
    weight = layer.get_parameter("layer0.W_i")
    weight.data = weight.data.double()
    with pytest.raises(BackendError, match=r"'W_i' is torch\.float64 on cpu, but other arrays are"):
        layer(torch.zeros(2, 1, 3))
