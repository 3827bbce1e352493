"""Which back end serves: what was asked for, or the first that can."""

from __future__ import annotations

import pytest
import torch

import cellwise as cw
from cellwise.backends import BACKENDS, serving
from cellwise.backends import cpu as room
from cellwise.backends.base import Bound
from cellwise.backends.cpu import target
from cellwise.passes.pipeline import compile_system

ELMAN = "h[t] = tanh(U @ x[t] + W @ h[t-1] + b)"
MATRIX = "h[t] = tanh(outer(h[t-1], x[t]) @ x[t])"
CUBE = "h[t] = tanh(bilinear(outer(x[t], h[t-1], x[t]), x[t], x[t]))"

BFLOAT = "it computes in float32 and float64, and the arrays are torch.bfloat16"
META = "it computes on the CPU, and the arrays are on meta"
REFUSED = [
    (MATRIX, "it computes a matrix at every step ('outer')"),
    (CUBE, "it computes a matrix at every step ('outer')"),
]


def bound(text: str, backend: str = "auto") -> Bound:
    system = cw.Cell(text).system
    names = {n for shape in system.parameters.values() for size in shape for n in size.names()}
    return Bound(compile_system(system), tuple((n, 3) for n in sorted(names)), (), backend)


def test_auto_takes_the_compiled_kernels():
    found, why = serving(bound(ELMAN), torch.empty(0))
    assert (found.name, why) == ("cpu", "auto: compiled kernels serve it (cpu)")


@pytest.mark.parametrize("name", BACKENDS)
def test_what_was_asked_for_serves(name):
    found, why = serving(bound(ELMAN, name), torch.empty(0))
    assert (found.name, why) == (name, f"backend='{name}' was asked for")


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_auto_says_why_the_reference_serves(text, reason):
    found, why = serving(bound(text), torch.empty(0))
    assert (found.name, why) == ("reference", f"auto: cpu refuses: {reason}")


@pytest.mark.parametrize("like", [torch.empty(0, dtype=torch.bfloat16), torch.empty(0).half()])
def test_auto_looks_at_the_precision(like):
    found, why = serving(bound(ELMAN), like)
    assert found.name == "reference"
    assert why.startswith("auto: cpu refuses: it computes in float32 and float64, and")


def test_auto_looks_at_the_device():
    assert serving(bound(ELMAN), torch.empty(0, device="meta"))[1] == f"auto: cpu refuses: {META}"


def test_a_processor_without_kernels_is_served_by_the_reference(monkeypatch):
    monkeypatch.setattr(target, "runnable", lambda: ())
    room._no_machine.cache_clear()
    try:
        reason = BACKENDS["cpu"].refuses(bound(ELMAN), torch.empty(0))
    finally:
        room._no_machine.cache_clear()
    assert reason == "there are no kernels for this processor"


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_layer_that_cannot_be_served_says_so_at_once(text, reason):
    with pytest.raises(cw.BackendError) as error:
        cw.Recurrent(text, 3, 3, backend="cpu")
    name = cw.Cell(text).name
    assert str(error.value) == f"backend='cpu' cannot serve the cell '{name}': {reason}"


def test_a_layer_of_another_precision_says_so_at_once():
    with pytest.raises(cw.BackendError) as error:
        cw.Recurrent("lstm", 3, 3, backend="cpu", dtype=torch.bfloat16)
    assert str(error.value) == f"backend='cpu' cannot serve the cell 'lstm': {BFLOAT}"


def test_a_layer_that_becomes_another_precision_says_so_when_called():
    layer = cw.Recurrent("lstm", 3, 3, backend="cpu").bfloat16()
    with pytest.raises(cw.BackendError) as error:
        layer(torch.zeros(2, 1, 3, dtype=torch.bfloat16))
    assert str(error.value) == f"the back end 'cpu' cannot serve this cell: {BFLOAT}"


def test_the_report_of_a_layer_says_who_serves_and_why():
    report = cw.Recurrent("lstm", 3, 3).backend_report()
    assert report["forward"].backend == report["backward"].backend == "cpu"
    assert report["forward"].why == "auto: compiled kernels serve it (cpu)"
    for call in ("double backward", "jvp", "vmap"):
        assert report[call].backend == "reference"


def test_the_report_follows_the_layer():
    layer = cw.Recurrent("lstm", 3, 3)
    assert layer.backend_report()["forward"].backend == "cpu"
    row = layer.bfloat16().backend_report()["forward"]
    assert (row.backend, row.why) == ("reference", f"auto: cpu refuses: {BFLOAT}")
    assert layer.double().backend_report()["forward"].backend == "cpu"


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_the_report_says_why_the_reference_serves(text, reason):
    layer = cw.Recurrent(text, 3, 3)
    row = layer.backend_report()["forward"]
    assert (row.backend, row.why) == ("reference", f"auto: cpu refuses: {reason}")
    assert layer(torch.ones(2, 1, 3))[0].shape == (2, 1, 3)
