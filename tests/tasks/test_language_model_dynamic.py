"""Dynamic evaluation: pieces are scored, then learnt from, and the model itself stays."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from cellwise.errors import ConfigError
from tests.tasks.language_models import LINES, built, task_of, write

RATE = 0.01


@pytest.fixture
def task(tmp_path):
    return task_of(write(tmp_path, *LINES))


def evaluated(task, model, n_lanes=1, **decoding):
    for name, value in decoding.items():
        setattr(task.decoding, f"dynamic_{name}", value)
    task.decoding.lanes = n_lanes
    with torch.no_grad():
        return task.evaluate(model, task.read("dev"), batch_size=3, advance=lambda _: None)


def by_hand(model, lanes, size, rate):
    """The mean loss of texts read side by side, learnt from piece by piece, with plain tensors."""
    model = copy.deepcopy(model)
    squares = [torch.zeros_like(weight) for weight in model.parameters()]
    nats, total, state, n_steps = 0.0, 0, None, 0
    for place in range(0, max(map(len, lanes)) - 1, size):
        rows = [lane[place : place + size + 1] for lane in lanes if len(lane) > place + 1]
        loss, counted, after = torch.zeros(()), 0, []
        for i, row in enumerate(rows):
            own = None if state is None else [part[:, i : i + 1] for part in state]
            features, last = model(row[:-1, None], own)
            found = model.log_probabilities(features[:, 0])
            loss = loss - found.gather(1, row[1:, None]).sum()
            counted += len(row) - 1
            after.append(last)
        state = [torch.cat(parts, 1).detach() for parts in zip(*after, strict=True)]
        nats, total, n_steps = nats + float(loss.detach()), total + counted, n_steps + 1
        slopes = torch.autograd.grad(loss / counted, list(model.parameters()))
        with torch.no_grad():
            for weight, square, slope in zip(model.parameters(), squares, slopes, strict=True):
                square.mul_(0.999).add_(0.001 * slope**2)
                root = (square / (1 - 0.999**n_steps)).sqrt()
                weight -= rate * slope / (root + 1e-8)
    return nats / total


@pytest.mark.parametrize("size", [1, 3, 100])
def test_each_piece_is_scored_before_it_is_learnt_from(task, size):
    model = built(task)
    numbers = torch.from_numpy(task.read("dev").numbers.astype("int64"))
    found = evaluated(task, model, rate=RATE, window=size)["loss"]
    assert found == pytest.approx(by_hand(model, [numbers], size, RATE), rel=1e-9)


def test_lanes_are_learnt_from_together(task):
    model = built(task)
    numbers = torch.from_numpy(task.read("dev").numbers.astype("int64"))
    middle = -(-len(numbers) // 10) * 5
    lanes = [numbers[: middle + 1], numbers[middle:]]
    found = evaluated(task, model, n_lanes=2, rate=RATE, window=5)["loss"]
    assert found == pytest.approx(by_hand(model, lanes, 5, RATE), rel=1e-9)


def test_a_model_stays_as_it_is(task):
    model = built(task)
    before = copy.deepcopy(model.state_dict())
    first = evaluated(task, model, rate=RATE)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert evaluated(task, model, rate=RATE) == first


def test_weights_that_stay_in_training_stay_here(task, tmp_path):
    fixed = task_of(write(tmp_path, *LINES), model={"tune_vectors": False})
    model = built(fixed)
    assert not model.embedding.weight.requires_grad
    assert evaluated(fixed, model, rate=RATE)["loss"] != evaluated(fixed, model, rate=0.0)["loss"]


@pytest.mark.parametrize(
    "head",
    [{"tie_weights": True}, {"softmax": "sampled"}, {"softmax": "adaptive", "cutoffs": [4]}],
)
def test_a_text_that_repeats_itself_gets_easier(tmp_path, head):
    task = task_of(write(tmp_path, *["the sea sings"] * 100), model=head)
    model, rates = built(task), (RATE, 0.0)
    learnt, still = (evaluated(task, model, rate=rate, window=3)["loss"] for rate in rates)
    assert learnt < 0.7 * still


def test_steps_that_are_too_large_are_an_error(tmp_path):
    unbounded = {"cell": "h[t] = h[t-1] * h[t-1] + U @ x[t]"}
    task = task_of(write(tmp_path, *LINES * 5), model=unbounded)
    model = built(task)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.1)
    assert math.isfinite(evaluated(task, model, rate=0.0)["loss"])
    with pytest.raises(ConfigError, match=r"decoding\.dynamic_rate: 1 is too large"):
        evaluated(task, model, rate=1.0)


def test_it_learns_whatever_trained_the_model_before(tmp_path):
    task = task_of(write(tmp_path, *LINES), model={"tie_weights": False})
    model = built(task)
    wanted = evaluated(task, model, rate=RATE)
    model.embedding.sparse = True  # as AdaGrad has it
    assert evaluated(task, model, rate=RATE) == wanted
    assert model.embedding.sparse
