from __future__ import annotations

import pytest

from cellwise.backends.cpu.machine import assemble
from cellwise.backends.cpu.registers import N_VECTORS, Form, most_vectors
from cellwise.backends.cpu.runtime import Runtime, runtime
from cellwise.backends.cpu.runtime_code import emit_part
from cellwise.backends.cpu.target import target
from tests.backends.cpu.forms import FORMS, PRECISIONS, code, name_of


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_every_function_has_an_address(form):
    names = ["pack", "sum_rows", "sum_rows_product", "sum_wide", "sum_narrow"]
    for n_vectors in N_VECTORS:
        sizes = code(form).block_sizes(n_vectors)
        names += [f"{kind}_{n_vectors}_{m}" for kind in ("product", "ahead") for m in sizes]
        names += [f"stream_{n_vectors}_{m}" for m in (1, 2) if code(form).streams(n_vectors, m) > 1]
    assert all(code(form).address(name) for name in names)
    assert code(form).address("pack") == code(form).address("pack")


def test_an_unknown_function_is_an_error():
    with pytest.raises(KeyError, match="product_9_9"):
        code(FORMS[0]).address("product_9_9")


def test_what_nothing_calls_is_not_compiled(tmp_path, monkeypatch):
    monkeypatch.setenv("CELLWISE_CACHE", str(tmp_path))
    form = FORMS[0]
    fresh = Runtime(form)
    width = most_vectors(form.target)
    assert fresh.address("pack") and fresh.address(f"product_{width}_1")
    assert len(list(tmp_path.glob("*.compiled"))) == 1
    assert fresh.address("product_1_1")
    assert len(list(tmp_path.glob("*.compiled"))) == 2
    assert fresh.address(f"ahead_{width}_1")
    assert len(list(tmp_path.glob("*.compiled"))) == 3


def test_a_runtime_is_made_once():
    form = FORMS[0]
    assert runtime(form.target, form.precision, form.lanes) is code(form)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["avx512", "neon"])
def test_targets_that_may_not_run_here_are_emitted(name, precision):
    on = target(name)
    form = Form(on, precision, on.lanes(precision))
    parts = ((kind, width) for kind in ("near", "ahead") for width in N_VECTORS)
    assert all(assemble(emit_part(form, *part), on, level=0) for part in parts)
