from __future__ import annotations

import io
import subprocess
import sys

import pytest

from cellwise.bench import remote, worker
from cellwise.bench.remote import EndedError, Remote, has_compiler
from cellwise.bench.workload import Workload
from cellwise.errors import BackendError

SMALL = Workload("elman", batch_size=1, hidden_size=2, n_steps=1, backend="reference")
UNKNOWN = Workload("mine", "h[t] = is_largest(h[t-1] + U @ x[t])", hidden_size=2, n_steps=1)


def test_who_compiles_for_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(remote, "has_compiler", lambda: True)
    with pytest.raises(BackendError, match=r"^still compiling after 0\.01 s$"):
        Remote("compiled", SMALL, limit_s=0.01)


def test_without_a_compiler_there_is_no_process(monkeypatch):
    monkeypatch.setattr(remote, "has_compiler", lambda: False)
    with pytest.raises(BackendError, match="needs a C\\+\\+ compiler, and there is none"):
        Remote("compiled", SMALL, limit_s=1)


def test_compilers_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not has_compiler()
    monkeypatch.setenv("CXX", sys.executable)
    assert has_compiler()


def test_a_process_says_why_it_has_nothing(monkeypatch):
    monkeypatch.setattr(remote, "has_compiler", lambda: True)
    with pytest.raises(BackendError, match=r"^'is_largest' is not written down here$"):
        Remote("compiled", UNKNOWN, limit_s=120)


def test_a_missing_library_is_a_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    call, message = worker.started("jax", SMALL)
    assert call is None
    assert "jax" in message["skipped"]


def test_a_built_contender_says_how_long_it_took(monkeypatch):
    monkeypatch.setattr(worker, "build", lambda peer, workload: io.StringIO().getvalue)
    call, message = worker.started("compiled", SMALL)
    assert call is not None
    assert message["build_seconds"] >= 0


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="torch.compile needs a C++ compiler")
def test_a_compiled_loop_is_timed_in_its_own_process():
    contender = Remote("compiled", SMALL, limit_s=300)
    try:
        assert contender.build_seconds > 0
        assert contender.seconds(3) > 0
    finally:
        contender.close()
    contender.close()


def test_a_process_that_is_killed_says_so(monkeypatch):
    lines = ['{"build_seconds": 0}', '{"seconds": 1}']
    code = "\ninput()\n".join(f"print('{line}', flush=True)" for line in lines)
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda _, **options: real([sys.executable, "-c", code], **options)
    )
    contender = Remote("jax", SMALL, limit_s=float("inf"))
    assert contender.seconds(1) == 1
    contender._process.kill()
    contender._process.wait()
    for _ in range(2):
        with pytest.raises(EndedError, match=r"^its process ended with status") as error:
            contender.seconds(1)
        assert error.value.contender is contender
    contender.close()
