import pytest

from cellwise.apps.confusion import check_classes, confusion_record, confusion_text
from cellwise.errors import ConfigError
from cellwise.tasks.base import Report
from cellwise.tasks.class_scores import Confusion, scores_of_sets

CONFUSION = Confusion.of(["ham", "ham", "spam"], ["ham", "spam", "spam"])
SINGLE = Report({"accuracy": 2 / 3}, scores=CONFUSION.scores(), confusion=CONFUSION)
SEVERAL = Report({}, scores=scores_of_sets([{"a"}, {"a", "b"}], [{"a"}, set()], ("a", "b")))

TABLES = """\
  right \\ given  ham  spam
  ham              1     1
  spam             0     1

  class  precision   recall      F1  right  given
  ham      100.0 %   50.0 %  66.7 %      2      1
  spam      50.0 %  100.0 %  66.7 %      1      2"""


def test_the_tables_of_texts_with_one_class():
    assert confusion_text(SINGLE) == TABLES


def test_texts_with_several_labels_have_no_matrix():
    assert confusion_text(SEVERAL).splitlines() == [
        "  class  precision  recall      F1  right  given",
        "  a        100.0 %  50.0 %  66.7 %      2      1",
        "  b          0.0 %   0.0 %   0.0 %      1      0",
    ]
    assert list(confusion_record(SEVERAL)) == ["classes"]


def test_the_record_holds_both():
    found = confusion_record(SINGLE)
    assert found["confusion"] == {"classes": ["ham", "spam"], "counts": [[1, 1], [0, 1]]}
    assert found["classes"][0] == {
        "class": "ham",
        "precision": 1.0,
        "recall": 0.5,
        "f1": 2 / 3,
        "right": 2,
        "given": 1,
    }


def test_a_task_without_classes_is_named():
    with pytest.raises(ConfigError) as error:
        check_classes(Report({"bleu": 1.0}), "transduce")
    assert str(error.value) == (
        "--confusion: a run of task 'transduce' tells nothing of single classes"
    )
