from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks import latency
from benchmarks.latency import Steps, measure, torch_stepper
from cellwise.bench.torch_twin import torch_twin
from cellwise.bench.workload import Workload

TINY = Workload("lstm", batch_size=1, hidden_size=3, n_steps=4, mode="forward", backend="reference")


def test_both_ways_of_stepping_are_measured(monkeypatch):
    monkeypatch.setattr(latency, "our_stepper", lambda _: Steps(lambda x: x, torch.zeros(1)))
    found = measure(TINY, 2)
    assert list(found) == [
        "ours, inside a sequence",
        "torch.nn, inside a sequence",
        "ours, a step from Python",
        "torch.nn, a step from Python",
    ]
    for name, (spread, ratio) in found.items():
        assert spread.least > 0
        assert ratio is not None
        assert (ratio.median == 1) == name.startswith("ours")


def test_a_cell_that_torch_has_not_is_measured_alone(monkeypatch):
    monkeypatch.setattr(latency, "our_stepper", lambda _: None)
    assert list(measure(replace(TINY, cell="lem"), 1)) == ["ours, inside a sequence"]


def test_stepping_torch_carries_the_state():
    stepper, twin = torch_stepper(TINY), torch_twin(TINY.layer())
    assert stepper is not None
    assert twin is not None
    x = torch.randn(1, 1, 3)
    with torch.no_grad():
        for _ in range(3):
            stepper.step(x)
        wanted = twin(x.expand(3, 1, 3))[1][0]
        cells = {k: c.cell_contents for k, c in enumerate(stepper.step.__closure__ or ())}
    states = [value for value in cells.values() if isinstance(value, tuple)]
    torch.testing.assert_close(states[0][0], wanted)
