from __future__ import annotations

from cellwise.backends.cpu.drafts import At, Draft


def test_holes_are_filled_with_what_was_found_and_their_offsets():
    draft = Draft([1, At("a", 8), 2])
    draft.add([At("b"), At("a")])
    assert len(draft) == 5
    assert draft.needs == ["a", "b"]
    assert list(draft.filled({"a": 100, "b": 7, "c": 0})) == [1, 108, 2, 7, 100]


def test_each_filling_is_an_array_of_its_own():
    draft = Draft([At("a")])
    first, second = draft.filled({"a": 1}), draft.filled({"a": 2})
    assert (first[0], second[0]) == (1, 2)
    assert first.buffer_info()[0] != second.buffer_info()[0]


def test_a_copy_takes_numbers_of_its_own():
    draft = Draft([1, 0, At("a")])
    other = draft.copy()
    other.put(1, At("b", 4))
    other.put(0, 5)
    found = {"a": 100, "b": 10}
    assert list(draft.filled(found)) == [1, 0, 100]
    assert list(other.filled(found)) == [5, 14, 100]
    assert (draft.needs, other.needs) == (["a"], ["a", "b"])


def test_another_draft_is_included_with_what_is_known_now():
    inner = Draft([7, At("a", 8), At("b", 2), At("c")])
    whole = Draft([1])
    whole.include(inner, {"a": At("memory", 100), "b": 40})
    assert whole.needs == ["memory", "c"]
    assert list(whole.filled({"memory": 1000, "c": 5})) == [1, 7, 1108, 42, 5]
    assert inner.needs == ["a", "b", "c"]


def test_holes_are_numbered_by_the_order_of_needs():
    draft = Draft([1, At("a", 8), At("b")])
    holes = draft.numbered({"b": (0, 0), "unused": (1, 0), "a": (2, 100)}, 10)
    assert list(draft.numbers) == [1, 0, 0]
    assert holes == [11, 2, 108, 12, 0, 0]
