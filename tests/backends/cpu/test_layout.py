"""Where signals lie: kept ones in whole arrays, the others in buffers as near as can be."""

from __future__ import annotations

import pytest

from cellwise import cells
from cellwise.backends.cpu.layout import Frame, Place, is_at_hand
from tests.backends.cpu.kernels import DIRECTIONS, bound, kept, kernel_of


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", cells.names("chain"))
def test_what_is_kept_has_whole_rows_and_the_rest_at_most_one_buffer(name, direction):
    cell = bound(name, (3, 5))
    layout = kernel_of(name, direction, (3, 5)).layout
    assert set(kept(cell.compiled, direction)) <= {
        *layout.kept,
        *cell.compiled.forward.system.inputs,
    }
    for stage in layout.stages:
        for piece in stage.pieces:
            kinds = [place.kind for place in layout.stores(piece)]
            assert len(kinds) == len(set(kinds))
            assert not ({"chunk", "level"} <= set(kinds))
            assert ("rows" in kinds) == (piece.name in layout.kept)
            assert ("now" in kinds) == (piece.name in layout.states)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", cells.names("chain"))
def test_what_is_read_from_memory_was_stored_there(name, direction):
    layout = kernel_of(name, direction, (3, 5)).layout
    stored = {
        (place.kind, place.name)
        for stage in layout.stages
        for piece in stage.pieces
        for place in layout.stores(piece)
    }
    for stage in layout.stages:
        for piece in stage.pieces:
            for access in layout.elements.accesses(piece.value, piece.start, piece.size):
                if is_at_hand(access, stage):
                    continue
                node = access.node
                node = node.arguments[1] if node.operation == "matmul" else node
                place = layout.read(node, stage.section)
                if place.kind in ("chunk", "level", "now"):
                    assert (place.kind, place.name) in stored
                elif place.kind == "past":
                    assert ("now", place.name) in stored
                elif place.name in layout.sizes:
                    assert ("rows", place.name) in stored


def test_a_signal_of_one_level_is_in_no_chunk():
    layout = kernel_of("gru", "forward", (3, 5)).layout
    assert layout.states == ("h",)
    for name in layout.level:
        assert name not in layout.chunk


def test_places_know_their_sizes():
    layout = kernel_of("lstm", "forward", (3, 5)).layout
    pieces = [piece for stage in layout.stages for piece in stage.pieces if piece.name == "h"]
    assert Place("now", "h", 3) in layout.stores(pieces[0])


def test_a_frame_gives_each_key_one_slot():
    frame = Frame()
    slots = [frame.slot(*key) for key in (("rows", "h"), ("edge", "h"), ("rows", "h"), ("n",))]
    assert slots == [0, 1, 0, 2]
    assert frame.keys == [("rows", "h"), ("edge", "h"), ("n",)]
