import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)
from sklearn.preprocessing import MultiLabelBinarizer

from cellwise.tasks.class_scores import Confusion, macro_f1, micro_f1, scores_of_sets

NAMES = ("ant", "bee", "cat", "dog")
CLASSES = st.sampled_from(NAMES)
PAIRS = st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=30)
SETS = st.lists(st.tuples(st.sets(CLASSES), st.sets(CLASSES)), min_size=1, max_size=30)


def close(value):
    return pytest.approx(value, rel=1e-12, abs=1e-12)


@given(PAIRS)
def test_one_class_a_text_agrees_with_scikit_learn(pairs):
    right, given_ = [r for r, _ in pairs], [g for _, g in pairs]
    found = Confusion.of(right, given_, classes=NAMES)
    assert found.classes == NAMES
    assert np.array_equal(found.counts, confusion_matrix(right, given_, labels=NAMES))
    assert found.accuracy == close(accuracy_score(right, given_))
    assert macro_f1(found.scores()) == close(f1_score(right, given_, average="macro"))
    wanted = precision_recall_fscore_support(right, given_, labels=NAMES, zero_division=0)
    rows = [(s.precision, s.recall, s.f1, s.n_right) for s in found.scores()]
    assert np.array(rows) == close(np.array(wanted).T)


@given(SETS)
def test_several_labels_a_text_agree_with_scikit_learn(pairs):
    right, given_ = [r for r, _ in pairs], [g for _, g in pairs]
    found = scores_of_sets(right, given_, NAMES)
    binarizer = MultiLabelBinarizer(classes=NAMES)
    ones = binarizer.fit_transform(right), binarizer.transform(given_)
    assert micro_f1(found) == close(f1_score(*ones, average="micro", zero_division=0))
    counts = multilabel_confusion_matrix(*ones)
    for score, ((_, wrong), (missed, hits)) in zip(found, counts, strict=True):
        assert score.n_hits == hits
        assert score.n_given == hits + wrong
        assert score.n_right == hits + missed
    seen = [name for name in NAMES if any(name in r | g for r, g in pairs)]
    wanted = f1_score(*ones, average=None, zero_division=0)
    values = [wanted[NAMES.index(name)] for name in seen]
    assert macro_f1(found) == close(np.mean(values) if values else 0.0)


def test_a_class_that_training_did_not_have_counts_as_wrong():
    found = Confusion.of(["ant", "elk"], ["ant", "bee"], classes=("ant", "bee"))
    assert found.classes == ("ant", "bee", "elk")
    assert found.record() == {
        "classes": ["ant", "bee", "elk"],
        "counts": [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
    }
    assert found.accuracy == 1 / 2
    assert macro_f1(found.scores()) == close(1 / 3)


def test_nothing_right_and_nothing_given_is_no_score():
    assert micro_f1(()) == macro_f1(()) == 0.0
    (score,) = scores_of_sets([set()], [set()], ("ant",))
    assert (score.precision, score.recall, score.f1) == (0.0, 0.0, 0.0)
    assert score.record()["class"] == "ant"
