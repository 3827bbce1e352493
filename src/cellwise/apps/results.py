"""What `evaluate`, `predict` and `train` share: metrics as a table, changes of the decoding."""

from __future__ import annotations

import codecs
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cellwise.errors import ConfigError

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")]
DecodingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="decoding.KEY=VALUE", help="Change how answers are searched; repeatable."
    ),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="DEVICE", help='"cpu", "cuda", "auto" (an accelerator if any).')
]
EnsembleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ensemble", metavar="RUN", help="A run that answers together with RUN; repeatable."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHARES = ("_rate", "_f1", "exact_match", "_precision", "_recall")
"""How the names of metrics end that are shown as percentages, as accuracies are."""


def metric_table(metrics: Mapping[str, float]) -> str:
    """Metrics a line each, rates and accuracies as percentages.

    Example:
        >>> print(metric_table({"token_error_rate": 0.0725, "bleu": 81.5}))
          token_error_rate   7.25 %
          bleu              81.50
    """
    width = max(map(len, metrics), default=0)
    return "\n".join(f"  {name:<{width}}  {_shown(name, metrics[name])}" for name in metrics)


def _shown(name: str, value: float) -> str:
    if name.endswith(SHARES) or name.startswith("accuracy"):
        return f"{100 * value:5.2f} %"
    return f"{value:5.2f}"


def as_json_text(value: Any) -> str:
    """A line of JSON; what JSON cannot say, NaN and infinity, becomes null.

    Example:
        >>> as_json_text({"perplexity": float("inf"), "best": [0.5, float("nan")]})
        '{"perplexity": null, "best": [0.5, null]}'
    """
    return json.dumps(_sayable(value), ensure_ascii=not _shows_all(), allow_nan=False)


def _shows_all() -> bool:
    """Whether standard output is in UTF-8, in which JSON is written; else letters are escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name == "utf-8"


def _sayable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sayable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def decoding_changes(overrides: Sequence[str] | None) -> dict[str, Any]:
    """The keys of [decoding] that --set changes.

    Raises:
        ConfigError: another table is named.
    """
    from cellwise.training.config import parse_overrides

    tables = parse_overrides(overrides or ())
    for name in tables:
        if name != "decoding":
            raise ConfigError(f"--set {name}…: only decoding.KEY can be changed in a trained run")
    changes: dict[str, Any] = tables.get("decoding", {})
    return changes
