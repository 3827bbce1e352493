"""Memory that is lent and comes back."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest
import torch

import cellwise as cw
from cellwise.backends.cpu import memory
from cellwise.backends.cpu.memory import Lent, Store, give_scratch, new_rows, take_scratch
from cellwise.backends.cpu.target import LINE_BYTES

MIB = 1 << 20


@pytest.fixture
def store(monkeypatch):
    own = Store(8 * MIB)
    monkeypatch.setattr(memory, "LEAST_BYTES", MIB)  # so that not all that is tested is large
    monkeypatch.setattr(memory, "store", own)
    return own


def test_a_piece_comes_back_with_its_last_tensor_and_is_lent_again(store):
    rows = new_rows(torch.empty(0), (512, 1024))
    address = rows.data_ptr()
    view = rows[3:]
    del rows
    assert store.idle_bytes == 0, "a view still reads it"
    del view
    assert store.idle_bytes >= 2 * MIB
    again = new_rows(torch.empty(0), (512, 1024))
    assert again.data_ptr() == address
    assert store.idle_bytes == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lent_rows_are_ordinary_arrays(store, dtype):
    rows = new_rows(torch.empty(0, dtype=dtype), (1024, 3, 128))
    assert (rows.shape, rows.dtype) == ((1024, 3, 128), dtype)
    assert rows.is_contiguous()
    assert rows.data_ptr() % LINE_BYTES == 0
    rows.fill_(2)
    assert rows.sum() == 2 * rows.numel()


def test_small_rows_are_torchs(store):
    rows = new_rows(torch.empty(0), (MIB // 4 - 1,))
    del rows
    assert store.idle_bytes == 0


def test_no_piece_is_lent_twice_at_a_time(store):
    lent = [Lent(MIB) for _ in range(4)]
    assert len({piece.address // MIB for piece in lent}) == 4
    del lent
    lent = [Lent(MIB) for _ in range(4)]
    starts = sorted(piece.address for piece in lent)
    assert all(b - a >= MIB for a, b in pairwise(starts))


def test_pieces_much_larger_are_left_for_others():
    store = Store(64 * MIB)
    store.give(np.empty(4 * MIB, np.uint8))
    assert len(store.take(3 * MIB)) == 3 * MIB
    assert len(store.take(4 * MIB - 100)) == 4 * MIB
    assert store.idle_bytes == 0


def test_the_longest_unused_goes_when_too_much_waits():
    store = Store(8 * MIB)
    for size in (1, 2, 3, 4):
        store.give(np.empty(size * MIB, np.uint8))
    assert store.idle_bytes == 7 * MIB
    assert len(store.take(3 * MIB)) == 3 * MIB
    store.clear()
    assert store.idle_bytes == 0


def test_a_piece_that_was_passed_over_is_as_new_as_before():
    store = Store(9 * MIB)
    for size in (2, 3, 4):
        store.give(np.empty(size * MIB, np.uint8))
    store.give(store.take(3 * MIB))  # passes over the 4, then comes back as the newest
    store.give(np.empty(2 * MIB, np.uint8))  # the first 2 goes: the longest unused
    assert store.idle_bytes == 9 * MIB
    store.give(np.empty(3 * MIB, np.uint8))  # now the 4
    assert store.idle_bytes == 8 * MIB
    assert [len(store.take(3 * MIB)) for _ in range(2)] == [3 * MIB] * 2
    assert store.idle_bytes == 2 * MIB


def test_threads_never_share_a_piece(store):
    found: list[bool] = []

    def work(number: int) -> None:
        for _ in range(200):
            rows = new_rows(torch.empty(0), (MIB // 4,))
            rows.fill_(number)
            found.append(bool((rows == number).all()))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 800
    assert all(found)


def test_what_a_layer_gives_is_not_lent(store):
    layer = cw.Recurrent("lstm", 64, 128, backend="cpu")
    x = torch.randn(100, 32, 64, requires_grad=True)
    y, state = layer(x)
    seen = y.detach().clone()
    y.sum().backward()
    assert x.grad is not None
    first = x.grad.clone()
    assert store.idle_bytes > 0, "the kept signals came back"
    x.grad = None
    layer(torch.randn(100, 32, 64))
    torch.testing.assert_close(y, seen, rtol=0, atol=0)
    again, _ = layer(x)
    again.sum().backward()
    torch.testing.assert_close(x.grad, first, rtol=0, atol=0)
    del layer, state
    gc.collect()
    torch.testing.assert_close(y, seen, rtol=0, atol=0)


def test_a_second_backward_reads_what_was_kept(store):
    layer = cw.Recurrent("gru", 64, 128, backend="cpu")
    x = torch.randn(100, 32, 64, requires_grad=True)
    y, _ = layer(x)
    (once,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    layer(torch.randn(100, 32, 64, requires_grad=True))[0].sum().backward()
    (twice,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(once, twice, rtol=0, atol=0)


@pytest.fixture
def spare(monkeypatch):
    """What is kept between calls; nothing yet."""
    found: list[memory.Scratch] = []
    monkeypatch.setattr(memory, "_spare", found)
    return found


def test_scratch_memory_is_found_again_by_whoever_needs_no_more(spare):
    first = take_scratch(1000)
    assert first.address % LINE_BYTES == 0
    second = take_scratch(1000)
    assert abs(first.address - second.address) >= 1000, "both are in use"
    give_scratch(first)
    assert take_scratch(500) is first
    give_scratch(first)
    assert take_scratch(2000) is not first
    assert not spare, "what is too small goes"


def test_large_or_many_pieces_of_scratch_memory_are_not_kept(spare):
    give_scratch(take_scratch(memory.LEAST_BYTES))
    assert not spare
    for scratch in [take_scratch(100) for _ in range(memory.MOST_SPARE + 2)]:
        give_scratch(scratch)
    assert len(spare) == memory.MOST_SPARE


FAULTS = """
import resource
import torch
import cellwise as cw
layer = cw.Recurrent("lstm", 64, 64)
x, d_y = torch.randn(100, 32, 64, requires_grad=True), torch.randn(100, 32, 64)
def step():
    layer(x)[0].backward(d_y)
    layer.zero_grad()
    x.grad = None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    first = step()
for _ in range(20):
    last = step()
print(last - first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep other sizes")
def test_a_training_step_faults_in_no_pages():
    faults = int(subprocess.check_output([sys.executable, "-c", FAULTS], text=True))
    assert faults < 20 * 50, "20 steps, each of which makes an output and a gradient of 200 pages"
