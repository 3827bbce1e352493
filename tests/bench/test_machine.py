from __future__ import annotations

from cellwise.bench import machine
from cellwise.bench.machine import this_machine
from cellwise.errors import BackendError


def test_the_machine_names_what_counts():
    text = str(this_machine(2))
    assert "torch " in text
    assert "target " in text
    assert text.endswith("2 threads")


def test_a_machine_without_kernels_is_one_too(monkeypatch):
    def none() -> None:
        raise BackendError("no kernels")

    monkeypatch.setattr(machine, "chosen", none)
    assert this_machine().target == "none"


def test_the_processor_has_a_name_without_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CPU_FACTS", tmp_path / "absent")
    assert this_machine().cpu
    empty = tmp_path / "cpuinfo"
    empty.write_text("flags : none\n")
    monkeypatch.setattr(machine, "_CPU_FACTS", empty)
    assert this_machine().cpu
