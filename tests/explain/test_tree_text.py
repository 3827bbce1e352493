from cellwise.explain.tree_colours import NEGATIVE, POSITIVE
from cellwise.explain.tree_text import tree_lines
from tests.explain.labelled import labelled


def shown(text, width=80):
    return [line.plain for line in tree_lines(labelled(text), width)]


def test_a_phrase_a_line_below_the_one_that_holds_it():
    assert shown("(3 (2 (2 It) (2 's)) (4 (2 so) (4 good)))") == [
        " 3  It 's so good",
        "├  2  It 's",
        "│ ├  2  It",
        "│ └  2  's",
        "└  4  so good",
        "  ├  2  so",
        "  └  4  good",
    ]


def test_label_and_phrase_have_the_colour_of_the_class():
    good, bad = (next(tree_lines(labelled(f"({n} word)"), 80)) for n in (4, 1))
    assert [str(span.style) for span in good.spans] == [
        f"bold #ffffff on {POSITIVE[0]}",
        f"bold {POSITIVE[1]}",
    ]
    assert str(bad.spans[1].style) == NEGATIVE[1]


def test_lines_are_never_wider_than_asked_for():
    text = "(2 word)"
    for _ in range(2000):
        text = f"(2 (2 word) {text})"
    lines = shown(text, width=30)
    assert len(lines) == 4001
    assert max(map(len, lines)) <= 30
    assert all(" 2 " in line for line in lines)


def test_nodes_without_a_class_have_a_dot():
    assert shown("(2 (_ a) (_ b))")[1:] == ["├  ·  a", "└  ·  b"]
