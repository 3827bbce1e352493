from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import torch
import llvmlite.binding as llvm
import cellwise as cw

made, emit = [], llvm.TargetMachine.emit_object

def counted(self, module):
    made.append(module.name)
    return emit(self, module)

llvm.TargetMachine.emit_object = counted
layer = cw.Recurrent("gru", 3, 5, backend="cpu")
with torch.no_grad():
    for place, weight in enumerate(layer.parameters()):
        weight.copy_(torch.linspace(-1, 1, weight.numel()).reshape(weight.shape) / (1 + place))
x = torch.linspace(-1, 1, 24).reshape(4, 2, 3).requires_grad_()
y, _ = layer(x)
y.sum().backward()
print(len(made), y.sum().item().hex(), x.grad.sum().item().hex())
"""


def in_a_process(folder):
    """How many modules a process compiles for a layer, and what it computes."""
    environment = {**os.environ, "CELLWISE_CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    count, *results = done.stdout.split()
    return int(count), results


def test_a_second_process_compiles_nothing(tmp_path):
    folder = tmp_path / "cache"
    first, results = in_a_process(folder)
    assert first > 2
    assert in_a_process(folder) == (0, results)
    assert in_a_process("off") == (first, results)


@pytest.mark.parametrize(
    "damage", [lambda c: c[: len(c) // 2], lambda c: c[:-9] + b"\0" * 9, lambda c: b""]
)
def test_a_damaged_entry_is_compiled_again(tmp_path, damage):
    folder = tmp_path / "cache"
    first, results = in_a_process(folder)
    entries = [path for path in folder.rglob("*") if path.is_file()]
    assert len(entries) >= first
    for path in entries:
        path.write_bytes(damage(path.read_bytes()))
    assert in_a_process(folder) == (first, results)
    assert in_a_process(folder) == (0, results)
