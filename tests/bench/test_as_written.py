from __future__ import annotations

from dataclasses import replace

import pytest

from cellwise.bench.contenders import loops_of
from cellwise.bench.workload import Workload
from cellwise.errors import BackendError


def code_of(equations: str) -> str:
    (loop,) = loops_of(Workload("mine", equations, hidden_size=2, backend="reference"))
    return loop.code


def test_a_product_takes_the_bias_along():
    code = code_of("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)")
    assert code.count("linear(") == 2
    assert code.count(" + ") == 1
    assert ", b)" in code


def test_each_operation_is_a_call():
    code = code_of("h[t] = sigmoid(U @ x[t]) * h[t-1] + tanh(V @ x[t])")
    for call in ("linear(", "linear(", "sigmoid(", "tanh(", " * ", " + "):
        assert call in code


def test_nothing_is_taken_out_of_the_step_but_what_no_signal_reaches():
    code = code_of("h[t] = tanh(U @ x[t] + (W - W.T) @ h[t-1])")
    assert code.count("linear(") == 2
    assert ".T" not in code
    assert " - " not in code


def test_what_is_used_twice_is_computed_once():
    code = code_of("a[t] = U @ x[t] + b\nh[t] = tanh(a[t]) + a[t] + W @ h[t-1]")
    assert code.count("linear(") == 2


def test_an_operation_without_a_place_is_refused():
    with pytest.raises(BackendError, match=r"^'matmul' of matrices that vary is not written down"):
        code_of("h[t] = tanh(outer(x[t], h[t-1]) @ (U @ x[t]))")
    with pytest.raises(BackendError, match=r"^'is_largest' is not written down here$"):
        code_of("h[t] = is_largest(h[t-1] + U @ x[t])")


def test_workloads_are_compared_by_content():
    assert replace(Workload("lstm"), threads=2) == Workload("lstm", threads=2)
