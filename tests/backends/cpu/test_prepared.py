"""Folds with everything prepared: the numbers of sweeps, and nothing of what they cannot do."""

from __future__ import annotations

import pytest
import torch

import cellwise as cw
from cellwise import cells
from cellwise.backends.cpu.prepared import Prepared, prepared
from cellwise.backends.cpu.target import chosen
from cellwise.cell import Cell
from tests.backends.cpu.test_sweep import SCHEDULE, TEXTS, Data, bound, sweep
from tests.laws.bits import threads


def made(data: Data, n_threads: int = 1) -> Prepared:
    return Prepared(data.cell, data.schedule, n_threads, "f64", chosen())


def arrays(data: Data) -> list[torch.Tensor]:
    """In the cell's order."""
    return [*data.inputs.values(), *data.edges.values(), *data.parameters.values()]


def data_of(text: str) -> Data:
    return Data(bound(Cell(text).system), spare=0)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("what", TEXTS)
def test_forward_and_backward_have_a_sweeps_bits(what, n_threads):
    data = data_of(TEXTS[what])
    fold, tensors = made(data, n_threads), arrays(data)
    with threads(n_threads):
        swept = sweep("cpu", data, "forward", data.feed("forward"))
        assert fold.fits(tensors, keep=True)
        outputs, kept = fold.forward(tensors, keep=True)
        assert kept is not None
        views = fold.rows_of(outputs[0], kept)
        for name, view in zip(data.programs.kept, views, strict=True):
            assert torch.equal(view, swept.rows[name])
        for name, end in zip(data.system.states, outputs[1:], strict=True):
            assert torch.equal(end, swept.edges[name])
        alone, nothing = fold.forward(tensors, keep=False)
        assert nothing is None
        assert all(map(torch.equal, alone, outputs))
        if not fold.has_backward:
            return
        feed = data.feed("backward")
        given = {name: array for (name, _), array in feed.rows.items()}
        saved = {n: given[n] for n in data.programs.kept if n in given}
        y = saved.get(data.system.output, outputs[0])
        for name, view in zip(data.programs.kept, fold.rows_of(y, kept), strict=True):
            view.copy_(saved.get(name, view))  # what the sweep is fed, too
        sent = [given[data.programs.out]]
        sent += [feed.edges[data.programs.previous[name]] for name in data.system.states]
        wanted = sweep("cpu", data, "backward", feed)
        found = fold.backward(tensors, y, kept, sent)
    names = data.programs.names
    expected = [
        *(wanted.rows[names[name]] for name in data.system.inputs),
        *(wanted.edges[data.programs.previous[name]] for name in data.system.states),
        *(wanted.totals[names[name]] for name in data.system.parameters),
    ]
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        assert torch.equal(one, other.expand_as(one))


def test_only_arrays_of_its_form_fit():
    data = data_of("h[t] = tanh(U @ x[t] + W @ h[t-1])")
    fold, tensors = made(data), arrays(data)
    x = tensors[0]
    others = {
        "precision": x.float(),
        "order in memory": x.t().contiguous().t(),
        "rows": x[:-1],
        "width": x[:, :-1].contiguous(),
    }
    assert fold.fits(tensors, keep=True)
    for what, other in others.items():
        assert not fold.fits([other, *tensors[1:]], keep=True), what


COMPUTED = [
    name for name in TEXTS if any(w in name for w in ("twice", "turned", "computed", "initial"))
]


@pytest.mark.parametrize("what", COMPUTED)
def test_gradients_that_are_computed_of_sums_are_prepared(what):
    assert made(data_of(TEXTS[what])).has_backward


@pytest.mark.parametrize("name", cells.names("chain"))
def test_the_backward_of_every_cell_of_the_zoo_is_prepared(name):
    data = Data(bound(cells.get(name).system), spare=0)
    assert made(data).has_backward


def test_a_gradient_that_nothing_sums_has_no_backward():
    assert not made(data_of("q[t] = W @ x[t]\nh[t] = tanh(h[t-1] + b)")).has_backward


def test_a_prepared_fold_is_kept_for_a_schedule():
    cell, numbers = bound(cells.get("gru").system), ("f64", chosen())
    assert prepared(cell, SCHEDULE, 1, *numbers) is prepared(cell, SCHEDULE, 1, *numbers)
    assert prepared(cell, SCHEDULE, 1, *numbers) is not prepared(cell, SCHEDULE, 2, *numbers)


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru", "lstm_layernorm"])
def test_a_layer_calls_it_with_the_references_result(cell, monkeypatch):
    calls = []
    forward = Prepared.forward

    def watched(self, tensors, *, keep):
        calls.append(keep)
        return forward(self, tensors, keep=keep)

    monkeypatch.setattr(Prepared, "forward", watched)
    torch.manual_seed(0)
    layer = cw.Recurrent(cell, 3, 5, dtype=torch.float64)
    reference = cw.Recurrent(cell, 3, 5, dtype=torch.float64, backend="reference")
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    results = []
    for one in (layer, reference):
        y, state = one(x)
        (y.square().sum() + state[0].sum()).backward()
        results.append([y, *state, *(p.grad for p in one.parameters())])
    assert calls == [True]
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)
    with torch.no_grad():
        layer(x)
    assert calls[1:] == [False]
