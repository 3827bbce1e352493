"""Whoever calls compiled layers: processor modes, threads and processes stay as they were."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise.backends import BACKENDS
from cellwise.layers.recurrent import BackendName
from tests.laws.bits import LENGTHS, Subject, run, same_bits, threads

TINY = torch.finfo(torch.float32).tiny


@pytest.fixture(params=[False, True], ids=["caller-keeps", "caller-flushes"])
def caller_flushes(request: pytest.FixtureRequest) -> Iterator[bool]:
    assert torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(False)


def _halved() -> Tensor:
    """The smallest normal number, halved, in every thread of torch's."""
    return torch.full((400_000,), TINY) * 0.5


def test_the_mode_for_denormals_is_as_it_was(caller_flushes: bool) -> None:
    subject = Subject("lstm", 5, 11)
    with threads(2):
        before = _halved()
        run(subject.layer, subject.x, LENGTHS)
        assert torch.equal(_halved(), before)
    assert bool((_halved() == 0).all()) is caller_flushes


def test_denormals_are_zero_inside() -> None:
    layer = cw.Recurrent("a = 0.5\nh[t] = a * h[t-1] + x[t]", 1, 1, backend="cpu")
    y, _ = layer(torch.zeros(3, 1, 1), [torch.full((1, 1, 1), 2 * TINY)])
    assert y.flatten().tolist() == [TINY, 0.0, 0.0]


def _in_threads(subjects: list[Subject], count: int) -> list[list[Tensor]]:
    """The results of all subjects, each from a Python thread of its own, several times."""
    results: list[list[Tensor]] = [[] for _ in subjects]
    start = threading.Barrier(len(subjects))

    def work(place: int) -> None:
        subject = subjects[place]
        start.wait()
        with threads(count):
            for _ in range(5):
                results[place] = run(subject.layer, subject.x, subject.lengths)

    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(subjects))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


@pytest.mark.parametrize("count", [1, 2])
def test_several_threads_may_call_at_once(count: int) -> None:
    subjects = [Subject(name, 5, 13) for name in ("lstm", "gru", "sru", "lstm")]
    found = _in_threads(subjects, count)  # compiled meanwhile, by several at once
    for subject, results in zip(subjects, found, strict=True):
        same_bits(results, run(subject.layer, subject.x, subject.lengths))


def test_one_layer_may_be_called_by_several_threads() -> None:
    subject = Subject("lstm_peephole", 5, 13)
    for results in _in_threads([subject] * 4, 2):
        same_bits(results, run(subject.layer, subject.x, subject.lengths))


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_around_a_layer_changes_no_bit(backend: BackendName) -> None:
    torch.manual_seed(0)
    layer = cw.Recurrent("lstm", 30, 40, backend=backend)
    x = torch.randn(5, 3, 30)
    wanted = run(layer, x, [5, 3, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same_bits(run(layer, x, [5, 3, 2]), wanted)
        with torch.no_grad():
            same_bits([layer(x, lengths=torch.tensor([5, 3, 2]))[0]], wanted[:1])


FORKED = """
import os
import torch
from torch.utils.data import DataLoader
from tests.laws.bits import LENGTHS, Subject, run, same_bits, threads

subject = Subject("lstm", 5, 13)
late = Subject("gru", 5, 13)
assert late.layer  # made here, since torch's own threads are lost in the child; compiled there
with threads(2):
    wanted = run(subject.layer, subject.x, LENGTHS)

class Embedded(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, place):
        torch.set_num_threads(2)
        run(late.layer, late.x, LENGTHS)
        return [t.clone() for t in run(subject.layer, subject.x, LENGTHS)]

loader = DataLoader(Embedded(), batch_size=None, num_workers=2, multiprocessing_context="fork")
found = list(loader)
assert len(found) == 4
for results in found:
    same_bits(results, wanted)
with threads(2):
    same_bits(run(subject.layer, subject.x, LENGTHS), wanted)
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_workers_of_a_data_loader_compute_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
