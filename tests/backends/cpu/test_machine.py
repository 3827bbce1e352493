from __future__ import annotations

import ctypes
import gc

import pytest

from cellwise.backends.cpu.machine import Library, assemble, assembly
from cellwise.backends.cpu.target import chosen


def constant(number):
    """A library whose functions `first` and `second` give a number, and one more."""
    text = "".join(
        f"define i64 @{name}() {{ ret i64 {number + at} }}\n"
        for at, name in enumerate(("first", "second"))
    )
    return Library(assemble(text, chosen()), chosen())


def result(address):
    return ctypes.CFUNCTYPE(ctypes.c_int64)(address)()


def test_libraries_with_functions_of_one_name_do_not_meet():
    one, two = constant(1), constant(5)
    found = [result(lib.address(name)) for lib in (one, two) for name in ("first", "second")]
    assert found == [1, 2, 5, 6]
    del one
    gc.collect()
    assert result(two.address("first")) == 5


def test_an_unknown_function_is_an_error():
    with pytest.raises(KeyError, match="third"):
        constant(0).address("third")


LOOP = """
define void @f(ptr %p, i64 %n) {
entry: br label %head
head:
  %i = phi i64 [0, %entry], [%next, %body]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %body, label %done
body:
  %at = getelementptr i64, ptr %p, i64 %i
  store i64 %i, ptr %at
  %next = add i64 %i, 1
  br label %head
done: ret void
}
"""


def test_loops_are_turned_unless_the_level_is_0():
    as_written, turned = (assembly(LOOP, chosen(), level=level)[0] for level in (0, 1))
    assert "head:" in as_written
    assert "head:" not in turned
