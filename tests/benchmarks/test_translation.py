import gzip

import typer
from typer.testing import CliRunner

from benchmarks import translation
from benchmarks.pronounce import PEER
from cellwise.tasks import TASKS

TEXTS = {
    "en": "a man sits on a chair .\na dog sleeps on a bench .\n",
    "de": "ein Mann sitzt auf einem Stuhl .\nein Hund schläft auf einer Bank .\n",
}


def test_ours_and_torchs_layers_are_trained_and_judged(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, PEER.name, PEER)
    for name in translation.PARTS.values():
        for language, text in TEXTS.items():
            (tmp_path / f"{name}.{language}.gz").write_bytes(gzip.compress(text.encode()))
    small = ["data.n_subwords=50", "model.hidden_size=8", "model.embedding_size=8"]
    quick = ["training.epochs=1", "training.tensorboard=false", "training.device=cpu"]
    settings = [part for setting in (*small, *quick) for part in ("--set", setting)]
    layers = ["--layers", "ours,torch.nn"]
    arguments = [str(tmp_path), "--seeds", "2", "--threads", "1", *layers, *settings]
    typer_app = typer.Typer()
    typer_app.command()(translation.main)
    found = CliRunner().invoke(typer_app, arguments, catch_exceptions=False)
    table = [line for line in found.stdout.splitlines() if line.startswith("|")]
    names = [line.split("|")[1].strip() for line in table]
    ensembles = [f"{name}, ensemble of 2" for name in ("ours", "torch.nn")]
    assert [names[0], *names[2:]] == ["model", "ours", ensembles[0], "torch.nn", ensembles[1]]
    assert "bleu_signature: nrefs:1|case:mixed|eff:no|tok:13a" in found.stdout
