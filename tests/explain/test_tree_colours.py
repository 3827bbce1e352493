from cellwise.explain.tree_colours import NEGATIVE, NEUTRAL, PALETTE, POSITIVE, colour
from cellwise.tasks.compose_answers import Scale
from tests.explain.labelled import SENTIMENT


def test_the_poles_are_red_and_blue():
    found = [colour(name, SENTIMENT) for name in "01234"]
    assert found == [*NEGATIVE, NEUTRAL, *POSITIVE[::-1]]


def test_a_single_pole_is_the_strongest():
    scale = Scale(("bad", "good"), ("bad",), ("good",))
    assert (colour("bad", scale), colour("good", scale)) == (NEGATIVE[0], POSITIVE[0])


def test_other_classes_have_colours_by_their_names():
    scale = Scale(("R", "D"))
    assert (colour("D", scale), colour("R", scale)) == PALETTE[:2]
    assert colour("", scale) == colour("elsewhere", scale) == NEUTRAL
    many = Scale(tuple(f"{n:02}" for n in range(20)))
    assert colour("08", many) == PALETTE[0]
