from __future__ import annotations

import mmap
import sys
from dataclasses import replace

import pytest

from benchmarks import memory, memory_inside
from benchmarks.memory_inside import measure, peak_rise_bytes
from cellwise.bench.workload import Workload
from cellwise.errors import ConfigError

TINY = Workload("lstm", batch_size=2, hidden_size=3, n_steps=4, backend="reference")
MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is Linux's")
def test_the_peak_is_what_a_call_holds_at_once():
    def call() -> None:
        for _ in range(3):
            # Not from malloc: what it has kept of earlier tests' memory is resident, and no rise.
            with mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE) as held:
                for start in range(0, len(held), mmap.PAGESIZE):
                    held[start] = 1

    for _ in range(2):
        assert 60 * MIB < peak_rise_bytes(call) < 90 * MIB


def test_where_the_mark_cannot_be_reset_the_highest_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_inside, "_RESET", tmp_path / "no" / "such")
    assert peak_rise_bytes(lambda: None) == 0


@pytest.mark.parametrize("who", ["ours", "torch"])
def test_everybody_is_measured(who):
    found = measure(who, TINY)
    assert found["peak_bytes"] >= 0
    assert found["output_bytes"] == 4 * 2 * 3 * 4


def test_torch_has_not_every_cell():
    with pytest.raises(ConfigError, match=r"^torch\.nn has no lem$"):
        measure("torch", replace(TINY, cell="lem"))
    assert "torch" not in memory.contenders("lem")


@pytest.mark.slow
def test_a_fresh_process_measures():
    assert memory.in_a_fresh_process("torch", TINY)["peak_bytes"] >= 0


def test_a_table_compares_with_torch(monkeypatch):
    peaks = {"torch": 4 * MIB}
    monkeypatch.setattr(
        memory,
        "in_a_fresh_process",
        lambda who, _: {"peak_bytes": peaks.get(who, 2 * MIB), "output_bytes": MIB},
    )
    first, *others = memory.rows(memory.measure(TINY, 2))
    assert first == ("torch", "4.00 (4.00–4.00)", "4.0", "1.00 (1.00–1.00)")
    assert others[0][1:] == ("2.00 (2.00–2.00)", "2.0", "0.50 (0.50–0.50)")
