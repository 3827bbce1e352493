from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from functools import cache

import numpy as np
import pytest
from llvmlite import ir

from cellwise.backends.cpu import parallel
from cellwise.backends.cpu.emitter import I64, POINTER, integer
from cellwise.backends.cpu.machine import Library, assemble
from cellwise.backends.cpu.parallel import Round, run, runner
from cellwise.backends.cpu.parallel_code import emit_walk
from cellwise.backends.cpu.target import chosen, target


@cache
def library():
    """Functions of one task.

    `count` adds one to its task; `hold` waits until another thread makes its task a one; `follow`
    writes to its second number what stands at the address in its third.
    """
    module = ir.Module()
    module.triple = chosen().triple
    kind = ir.FunctionType(ir.VoidType(), [POINTER])
    names = "count", "hold", "follow"
    count, hold, follow = (ir.Function(module, kind, name) for name in names)
    b = ir.IRBuilder(count.append_basic_block())
    b.store(b.add(b.load(count.args[0], typ=I64), integer(1)), count.args[0])
    b.ret_void()
    b = ir.IRBuilder(hold.append_basic_block())
    loop, done = b.append_basic_block(), b.append_basic_block()
    b.branch(loop)
    b.position_at_end(loop)
    now = b.load_atomic(hold.args[0], "acquire", 8, typ=I64)
    b.cbranch(b.icmp_signed("==", now, integer(1)), done, loop)
    b.position_at_end(done)
    b.ret_void()
    b = ir.IRBuilder(follow.append_basic_block())
    second, third = (b.gep(follow.args[0], [integer(n)], source_etype=I64) for n in (1, 2))
    b.store(b.load(b.load(third, typ=POINTER), typ=I64), second)
    b.ret_void()
    return Library(assemble(str(module), chosen()), chosen())


@pytest.fixture(params=["openmp", "threads"])
def by(request, monkeypatch):
    if request.param == "threads":
        monkeypatch.setattr(parallel, "_openmp", lambda: None)
    if runner() != request.param:
        pytest.skip("torch has no OpenMP here that can be called")
    return request.param


def counters(n):
    """Numbers on lines of their own, and their addresses."""
    numbers = np.zeros((n, 8), np.int64)
    return numbers, [numbers.ctypes.data + numbers.strides[0] * i for i in range(n)]


def counting(tasks):
    return Round(library().address("count"), tasks)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 20])
@pytest.mark.parametrize("n_tasks", [0, 1, 2, 7, 100])
def test_every_task_is_done_once(by, n_tasks, n_threads):
    numbers, tasks = counters(n_tasks)
    for _ in range(3):
        run([counting(tasks)], n_threads)
    assert np.all(numbers[:, 0] == 3) and np.all(numbers[:, 1:] == 0)


def test_many_threads_may_call_at_once(by):
    numbers, tasks = counters(4 * 5)

    def call(i):
        for _ in range(200):
            run([counting(tasks[5 * i : 5 * i + 5])] * 3, 2)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert np.all(numbers[:, 0] == 600)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_tasks", [1, 2, 7])
def test_a_round_begins_when_the_last_one_is_done(by, n_tasks, n_threads):
    numbers, tasks = counters(n_tasks)
    numbers[:, 2] = tasks[::-1]  # what another thread counts
    following = Round(library().address("follow"), tasks)
    for number in range(1, 100):
        run([counting(tasks), following, counting(tasks[:1])], n_threads)
        numbers[0, 0] -= 1
        assert np.all(numbers[:, :2] == number)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_rounds_may_have_other_numbers_of_tasks(by, n_threads):
    numbers, tasks = counters(5)
    run([counting(tasks[:n]) for n in (0, 1, 5, 0, 2, 3)], n_threads)
    np.testing.assert_array_equal(numbers[:, 0], [4, 3, 2, 1, 1])
    run([], n_threads)


@pytest.mark.parametrize("n_tasks", [1, 2])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_python_goes_on_meanwhile(by, n_tasks, n_threads):
    numbers, tasks = counters(n_tasks)
    holding = Round(library().address("hold"), tasks)
    caller = threading.Thread(target=run, args=([holding], n_threads))
    caller.start()
    numbers[:, 0] = 1
    caller.join()


def test_a_smaller_team_leaves_nothing_undone():
    numbers, tasks = counters(7)
    job = (ctypes.c_int64 * 13)(0, 0, 0, 1, library().address("count"), 7, *tasks)
    code = parallel._code()
    code.share(ctypes.addressof(job), 1, 2)
    np.testing.assert_array_equal(numbers[:, 0], [0, 1, 0, 1, 0, 1, 0])
    code.share(ctypes.addressof(job), 9, 2)
    assert numbers.sum() == 3
    code.share(ctypes.addressof(job), 0, 2)
    assert np.all(numbers[:, 0] == 1)


IN_A_CHILD = """
import os, sys
import torch
from tests.backends.cpu.test_parallel import counters, counting
from cellwise.backends.cpu.parallel import run, runner

numbers, tasks = counters(7)
run([counting(tasks)], 2)
torch.ones(300, 300) @ torch.ones(300, 300)
child = os.fork()
run([counting(tasks)] * 2, 2)
ok = (numbers[:, 0] == 3).all()
if not child:
    os._exit(0 if ok and runner() == "threads" else 1)
_, status = os.waitpid(child, 0)
assert ok and status == 0, (numbers, status)
print(runner())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("limit", ["", "1"])
def test_a_forked_child_and_a_limited_team_do_all_tasks(limit):
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    if limit:
        environment["OMP_THREAD_LIMIT"] = limit
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", IN_A_CHILD]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == runner()


@pytest.mark.parametrize("name", ["avx512", "avx2", "sse2", "neon"])
def test_the_walk_is_emitted_for_every_target(name):
    assert assemble(emit_walk(target(name)), target(name))
