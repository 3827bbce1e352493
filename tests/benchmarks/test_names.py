import pytest

from benchmarks.names import chosen
from cellwise.errors import ConfigError


@pytest.mark.parametrize(("name", "hint"), [("question", " Did you mean 'questions'?"), ("x", "")])
def test_an_unknown_name_is_refused(name, hint):
    known = {"questions": 1, "reviews": 2}
    assert chosen("reviews,questions", known) == ["reviews", "questions"]
    with pytest.raises(ConfigError) as error:
        chosen(f"reviews,{name}", known)
    assert str(error.value) == f"there is no '{name}'; there are questions, reviews.{hint}"
