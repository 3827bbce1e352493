import sys

import pytest
import sacrebleu

from cellwise.errors import DataError
from cellwise.tasks.translation_scores import corpus_bleu, corpus_chrf

FOUND = ["A man sleeps, on a couch.", "Two dogs run in the snow.", "Nothing"]
RIGHT = [["A man is sleeping on a couch."], ["Two dogs run through snow.", "Dogs run in the snow."]]


def test_bleu_is_sacrebleus_of_texts_as_they_are():
    right = [*RIGHT, ["Nothing at all"]]
    score, signature = corpus_bleu(FOUND, right)
    repeated = [[refs[min(i, len(refs) - 1)] for refs in right] for i in range(2)]
    assert score == pytest.approx(sacrebleu.corpus_bleu(FOUND, repeated).score)
    assert signature.startswith("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    single, signature = corpus_bleu(FOUND[:1], RIGHT[:1])
    assert single == sacrebleu.corpus_bleu(FOUND[:1], [["A man is sleeping on a couch."]]).score
    assert signature.startswith("nrefs:1|")


def test_chrf_is_sacrebleus():
    score, signature = corpus_chrf(FOUND[:1], RIGHT[:1])
    assert score == sacrebleu.corpus_chrf(FOUND[:1], [RIGHT[0]]).score
    assert signature.startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")


def test_tokenised_texts_give_no_warning(caplog):
    corpus_bleu(["a man ."] * 300, [["a man ."]] * 300)
    assert not caplog.records


def test_a_missing_sacrebleu_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    for metric in (corpus_bleu, corpus_chrf):
        with pytest.raises(DataError) as error:
            metric(["a"], [["a"]])
        assert str(error.value) == "BLEU needs the package sacrebleu; run: pip install sacrebleu"
