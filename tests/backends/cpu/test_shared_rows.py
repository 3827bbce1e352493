"""Threads that have the same rows and meet after every stage: the numbers of one that has them."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise.backends.cpu import compiled as compiling
from cellwise.backends.cpu import parallel
from cellwise.backends.cpu.choice import AGAIN, Choice
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.parallel import can_meet
from cellwise.backends.cpu.prepared import prepared
from cellwise.backends.cpu.work import Steps
from cellwise.backends.schedule import levels
from tests.backends.cpu.test_prepared import arrays, data_of, made
from tests.backends.cpu.test_sweep import TEXTS, Data
from tests.laws.bits import threads


@pytest.fixture
def sharing(monkeypatch):
    """Says whether threads share rows, whatever the rule is."""
    if not parallel.openmp_function("barrier"):
        pytest.skip("torch has no OpenMP here whose threads can meet")

    def say(answer: bool) -> None:
        monkeypatch.setattr(Compiled, "may_share", lambda *_: answer)
        monkeypatch.setattr(Choice, "way", lambda _: 1)
        prepared.cache_clear()

    yield say
    prepared.cache_clear()


def everything(data: Data, n_threads: int) -> list[Tensor]:
    """Outputs and last states without and with what backward needs, and all cotangents."""
    fold, tensors = made(data, n_threads), arrays(data)
    alone, _ = fold.forward(tensors, keep=False)
    outputs, kept = fold.forward(tensors, keep=True)
    assert kept is not None
    found = [*alone, *outputs, *fold.rows_of(outputs[0], kept)]
    if fold.has_backward:
        generator = torch.Generator().manual_seed(1)
        sent = [torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in outputs]
        cotangents = fold.backward(tensors, outputs[0], kept, sent)
        found += [d for d in cotangents if d is not None]
    return [tensor.clone() for tensor in found]


@pytest.mark.parametrize("n_threads", [2, 3])
@pytest.mark.parametrize("what", TEXTS)
def test_cells_have_the_same_bits(what, n_threads, sharing):
    data, found = data_of(TEXTS[what]), []
    with threads(n_threads):
        for answer in (False, True):
            sharing(answer)
            found.append(everything(data, n_threads))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 27])
@pytest.mark.parametrize(("cell", "size"), [("lstm", 256), ("gru", 100), ("lstm_layernorm", 33)])
def test_many_panels_and_far_weights_have_the_same_bits(cell, size, batch_size, sharing):
    torch.manual_seed(0)
    layer = cw.Recurrent(cell, size, size, backend="cpu")
    x = torch.randn(40, batch_size, size, requires_grad=True)  # more rows than a chunk has
    lengths = torch.arange(batch_size) * 7 % 40 + 1
    found = []
    with threads(2):
        for answer in (False, True):
            sharing(answer)
            y, state = layer(x, lengths=lengths)
            arrays_of = (x, *layer.parameters())
            found.append([y, *state, *torch.autograd.grad(y.square().sum(), arrays_of)])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def take(choice: Choice, times: list[float], count: int) -> list[int]:
    """The ways that are taken, where they take so long."""
    taken = []
    for _ in range(count):
        taken.append(choice.way())
        choice.took(taken[-1], times[taken[-1]])
    return taken


def test_the_way_that_was_quicker_of_late_is_taken():
    choice = Choice()
    assert take(choice, [2.0, 1.0], 4) == [0, 1, 0, 1]
    assert take(choice, [2.0, 1.0], 7 * AGAIN).count(0) == 3  # once more after 32, 64 and 128
    # Somebody else needs the second processor.
    assert take(choice, [2.0, 9.0], 5) == [1, 1, 1, 1, 0]
    assert take(choice, [2.0, 9.0], 7 * AGAIN).count(1) == 3
    assert take(choice, [2.0, 1.0], 9 * AGAIN)[-1] == 1


def test_one_slow_time_changes_nothing():
    choice = Choice()
    for time in (2.0, 1.0, 2.0, 1.0, 30.0):
        choice.took(choice.way(), time)
    assert choice.way() == 1


KIB = 1024


@pytest.mark.parametrize(
    ("batch_size", "n_threads", "n_bytes", "wanted"),
    [
        (1, 2, 256 * KIB, True),  # the other thread would have nothing to do
        (1, 2, 64 * KIB, False),  # read sooner than they meet
        (1, 1, 4096 * KIB, False),
        (4, 2, 1024 * KIB, True),
        (5, 2, 1024 * KIB, False),
        (4, 2, 256 * KIB, False),
        (16, 2, 4096 * KIB, True),
        (17, 2, 4096 * KIB, False),
        (16, 2, 1024 * KIB, False),
        (0, 2, 4096 * KIB, False),
    ],
)
def test_threads_share_few_rows_with_many_weights(
    batch_size, n_threads, n_bytes, wanted, monkeypatch
):
    monkeypatch.setattr(compiling, "can_meet", lambda n: n > 1)
    kernels = [
        SimpleNamespace(weight_bytes=size, stage=SimpleNamespace(section=section))
        for size, section in ((n_bytes, "loop"), (1, "loop"), (9999 * KIB, "before"))
    ]
    shares = Steps(levels([batch_size] * 3, batch_size)).shares(n_threads, reverse=False)
    code = SimpleNamespace(kernels=kernels)
    assert Compiled.may_share(code, shares, n_threads) is wanted  # type: ignore[arg-type]


def test_only_threads_with_a_processor_each_meet(monkeypatch):
    monkeypatch.setattr(parallel, "_n_processors", lambda: 4)
    monkeypatch.setattr(parallel, "openmp_function", lambda _: 1)
    assert [n for n in range(1, 20) if can_meet(n)] == [2, 3, 4]
    monkeypatch.setattr(parallel, "_n_processors", lambda: 64)
    assert [n for n in range(1, 20) if can_meet(n)] == [2, 3, 4, 5, 6, 7, 8]
    monkeypatch.setattr(parallel, "openmp_function", lambda _: 0)
    assert not can_meet(2)


IN_A_CHILD = """
import os, sys
import torch
import cellwise as cw
from cellwise.backends.cpu.choice import Choice
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.prepared import prepared

def result(shared):
    Compiled.may_share, Choice.way = lambda *_: shared, lambda _: 1
    prepared.cache_clear()
    return again()

def again():
    x = torch.ones(4, 1, 48, requires_grad=True)
    y, _ = layer(x)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))]

torch.set_num_threads(2)
torch.manual_seed(0)
layer = cw.Recurrent("lstm", 48, 48, backend="cpu")
wanted, found = result(False), result(True)
child = os.fork() if sys.argv[1:] == ["fork"] else None
ok = all(map(torch.equal, wanted, found)) and all(map(torch.equal, wanted, again()))
if child == 0:
    os._exit(0 if ok else 1)
status = os.waitpid(child, 0)[1] if child else 0
sys.exit(0 if ok and status == 0 else 1)
"""


@pytest.mark.parametrize("how", ["limit", "fork"])
def test_threads_that_are_missing_leave_nothing_undone(how):
    """OpenMP may give fewer threads than were asked for; a forked child has lost its own."""
    if how == "fork" and not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    if how == "limit":
        environment["OMP_THREAD_LIMIT"] = "1"
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", IN_A_CHILD, how]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
