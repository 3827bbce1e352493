import dataclasses
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from cellwise.explain.tree_colours import POSITIVE
from cellwise.explain.tree_svg import layout, text_width, tree_svg
from tests.explain.labelled import labelled

TEXT = "(3 (2 (2 It) (2 's)) (4 (2 so) (4 R&D<3)))"
NAME = "{http://www.w3.org/2000/svg}"


def parsed(text):
    return ElementTree.fromstring(tree_svg(labelled(text)))


def test_it_is_xml_with_a_shape_and_a_title_for_each_node():
    root = parsed(TEXT)
    groups = root.findall(f"{NAME}g")
    assert [g.findtext(f"{NAME}title") for g in groups] == [
        "It 's so R&D<3: 3, 75%",
        "It 's: 2, 75%",
        "It: 2, 75%",
        "'s: 2, 75%",
        "so R&D<3: 4, 75%",
        "so: 2, 75%",
        "R&D<3: 4, 75%",
    ]
    shape = groups[4].find(f"{NAME}rect")
    assert shape is not None
    assert shape.get("fill") == POSITIVE[0]
    assert len(root.findall(f"{NAME}path")) == 6
    assert root.findtext(f"{NAME}title") == "It 's so R&D<3"


def test_where_no_probabilities_are_known_none_is_told():
    tree = dataclasses.replace(labelled("(S (NP (_ it)) (_ 's))"), probabilities=())
    groups = ElementTree.fromstring(tree_svg(tree)).findall(f"{NAME}g")
    assert [g.findtext(f"{NAME}title") for g in groups] == ["it 's: S", "it: NP", "it", "'s"]


def test_words_stand_side_by_side_and_phrases_above_their_middle():
    at = layout(labelled(TEXT))
    words = [2, 3, 5, 6]
    assert [at.x[n] for n in words] == sorted(at.x[n] for n in words)
    assert len({at.y[n] for n in words}) == 1
    assert at.x[1] == (at.x[2] + at.x[3]) / 2
    assert at.x[0] == (at.x[1] + at.x[4]) / 2
    assert at.y[0] < at.y[1] == at.y[4] < at.y[2]


def test_words_do_not_overlap_and_nothing_is_outside():
    tree = labelled("(0 (1 incomprehensibilities) (2 (3 i) (4 Wassermann)))")
    at = layout(tree)
    leaves = [n for n, word in enumerate(tree.tree.words) if word]
    widths = {n: text_width(tree.tree.words[n] or "") for n in leaves}
    ends = [(at.x[n] - widths[n] / 2, at.x[n] + widths[n] / 2) for n in leaves]
    assert all(left[1] < right[0] for left, right in pairwise(ends))
    assert ends[0][0] > 0
    assert ends[-1][1] < at.width
    assert 0 < min(at.y) < max(at.y) < at.height


@pytest.mark.parametrize(("text", "width"), [("", 0), ("ｗ", 14), ("a\u0301", 14 * 0.57)])
def test_widths_of_texts(text, width):
    assert text_width(text) == width


def test_characters_that_xml_forbids_are_replaced():
    assert parsed("(2 a\x1bb)").findtext(f"{NAME}title") == "a\ufffdb"


def test_nodes_without_a_class_are_dots():
    groups = parsed("(2 (_ a) (_ b))").findall(f"{NAME}g")
    assert groups[1].find(f"{NAME}circle") is not None
    assert groups[1].findtext(f"{NAME}title") == "a"


def test_deep_trees_are_drawn_without_recursion():
    n_words = 5000
    text = "".join(f"(2 (2 w{n}) " for n in range(n_words)) + "(2 end" + ")" * (n_words + 1)
    title = parsed(text).findtext(f"{NAME}g/{NAME}title")
    assert title is not None
    assert title.endswith(" w59 …: 2, 75%")
