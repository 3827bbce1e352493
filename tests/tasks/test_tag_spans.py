"""`tag` where labels mark spans: schemes, CRF, scores, answers."""

import json
from pathlib import Path

import pytest
import torch

from cellwise.data.columns import Tagged
from cellwise.errors import DataError
from cellwise.tasks.spans import rewritten, spans_of
from cellwise.tasks.tag import Tag
from cellwise.tasks.tag_config import TagData, TagDecoding, TagModel
from tests.tasks.test_tag import SMALL, evaluated, write
from tests.tasks.training_steps import trained

DATA = Path(__file__).parents[3] / "shared" / "data"

FIRST = "Ada Alan Grace Emmy".split()
LAST = "Byron Turing Hopper Noether".split()
PLACES = "Paris Rome Lima".split()


def sentences():
    """First names begin names of people, last names end them, and places stand alone."""
    whole = [
        Tagged((first, last, "saw", place, "."), ("B-PER", "I-PER", "O", "B-LOC", "O"))
        for first in FIRST
        for last in LAST
        for place in PLACES
    ]
    return [*whole, *(Tagged(("we", "saw", p), ("O", "O", "B-LOC")) for p in PLACES)]


def task_of(path, **options):
    data = TagData(format="columns", train=path, dev=path, **{"scheme": "iobes", **options})
    return Tag(data, TagModel(**SMALL, head="crf"), TagDecoding())


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    task = task_of(write(tmp_path_factory.mktemp("tag") / "train.tsv", sentences()))
    return task, trained(task, task.read("train"), epochs=12)


def test_it_learns_names(tagger):
    task, model = tagger
    metrics = evaluated(task, model, task.read("dev"))
    assert metrics["span_f1"] == 1
    assert metrics["accuracy"] == 1
    assert metrics["loss"] < 0.1


def test_the_checkpoint_is_chosen_by_spans_where_there_are_any(tagger):
    assert tagger[0].metric == "span_f1"
    assert Tag(TagData(), TagModel(), TagDecoding()).metric == "accuracy"


def test_files_in_either_scheme_are_learnt_in_the_one_that_is_set(tmp_path):
    ill_formed = write(
        tmp_path / "a.tsv", [Tagged(tuple("abcd"), ("I-PER", "I-PER", "B-PER", "E-LOC"))]
    )
    for scheme, wanted in (
        ("none", "I-PER I-PER B-PER E-LOC"),
        ("bio", "B-PER I-PER B-PER B-LOC"),
        ("iobes", "B-PER E-PER S-PER S-LOC"),
    ):
        read = task_of(ill_formed, scheme=scheme).read("train")
        assert read[0].labels == tuple(wanted.split())


def test_answers_are_in_bio_with_their_spans(tagger):
    task, model = tagger
    found, empty = task.predict(model, ["Ada Turing saw Lima .", ""])
    assert found.text == "Ada/B-PER Turing/I-PER saw/O Lima/B-LOC ./O"
    assert json.loads(json.dumps(found.record)) == {
        "tokens": ["Ada", "Turing", "saw", "Lima", "."],
        "labels": ["B-PER", "I-PER", "O", "B-LOC", "O"],
        "spans": [
            {"first": 0, "last": 1, "label": "PER", "text": "Ada Turing"},
            {"first": 3, "last": 3, "label": "LOC", "text": "Lima"},
        ],
    }
    assert empty.record == {"tokens": [], "labels": [], "spans": []}


def test_scores_known_by_hand_and_a_kind_that_training_lacks(tagger):
    task, model = tagger
    tokens = ("Ada", "Turing", "saw", "Lima", ".")
    report = report_of(task, model, [Tagged(tokens, ("B-PER", "E-PER", "O", "S-ORG", "O"))])
    assert report.metrics["span_precision"] == 1 / 2
    assert report.metrics["span_recall"] == 1 / 2
    assert report.metrics["span_f1"] == 1 / 2
    assert report.metrics["accuracy"] == 4 / 5
    assert {s.name: (s.n_right, s.n_given, s.n_hits) for s in report.scores} == {
        "PER": (1, 1, 1),
        "LOC": (0, 1, 0),
        "ORG": (1, 0, 0),
    }


def report_of(task, model, examples):
    with torch.no_grad():
        return task.report(model, examples, batch_size=16, advance=lambda _: None)


def test_a_label_that_is_not_known_costs_nothing_of_its_own(tagger):
    task, model = tagger
    tokens = ("Ada", "Turing", "saw", "Lima", ".")
    known = evaluated(task, model, [Tagged(tokens, ("B-PER", "E-PER", "O", "S-LOC", "O"))])
    other = evaluated(task, model, [Tagged(tokens, ("B-PER", "E-PER", "O", "S-ORG", "O"))])
    assert 0 <= other["loss"] <= known["loss"]


@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_a_crf_never_decodes_ill_formed_labels(tagger, length):
    task, model = tagger
    scores = 50 * torch.randn(length, 20, len(task.labels))
    for row in model.decode(scores, torch.full((20,), length)):
        labels = tuple(task.labels.decode(row))
        assert rewritten(labels, "iobes") == labels


def test_labels_of_another_sort_are_refused(tmp_path):
    path = write(tmp_path / "a.tsv", [sentences()[0], Tagged(("x",), ("NOUN",))])
    with pytest.raises(DataError) as error:
        task_of(path).read("train")
    assert str(error.value) == (
        f"{path}, sentence 2: 'NOUN' is no label of a span: that is O, or B-, I-, E- or S- with a "
        'kind behind it, such as B-PER; for labels of another sort set data.scheme = "none"'
    )


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "n_sentences", "n_tokens", "n_spans"),
    [
        ("ner_broad_twitter/f.conll.gz", 2000, 35_427, 4376),
        ("ner_wnut17/wnut17train.conll.gz", 3394, 62_730, 1975),
    ],
)
def test_real_names_are_as_many_as_are_known_to_be(name, n_sentences, n_tokens, n_spans):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"there is no {path}")
    read = task_of(str(path)).read_file(path)
    assert len(read) == n_sentences
    assert sum(len(s.tokens) for s in read) == n_tokens
    assert sum(len(spans_of(s.labels)) for s in read) == n_spans
