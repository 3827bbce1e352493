"""`cellwise generate`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from cellwise.apps.results import DeviceOption, JsonOption, RunArgument, as_json_text
from cellwise.errors import ConfigError


def generate(
    run: RunArgument,
    *,
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What the text begins with.")] = "",
    length: Annotated[int, typer.Option(help="The most symbols that are drawn.")] = 200,
    temperature: Annotated[
        float, typer.Option(help="Below 1: likelier texts; 0: the likeliest symbol always.")
    ] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest symbols; 0: all.")] = 0,
    top_p: Annotated[
        float, typer.Option(help="Only the likeliest symbols with this probability together.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Fixes what is drawn.")] = 1,
    samples: Annotated[int, typer.Option(help="How many texts; their seeds count up.")] = 1,
    line: Annotated[bool, typer.Option("--line", help="Stop at the end of a line.")] = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Draw texts from a language model; they are shown symbol by symbol, as they come.

    \b
    Examples:
      cellwise generate runs/language_model --prompt "the company" --line
      cellwise generate runs/characters --prompt "ROMEO:" --temperature 0.7 --top-p 0.9
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.heads.sampling import Sampling
    from cellwise.tasks.language_model import LanguageModelling
    from cellwise.tasks.language_model_generation import Drawing
    from cellwise.training.run import load_run

    if samples < 1:
        raise ConfigError(f"--samples must be 1 or more, not {samples}")
    if not 0 <= seed <= 2**63 - samples:
        raise ConfigError(f"--seed must be from 0 to 2**63 - {samples}, not {seed}")
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    loaded = load_run(run, device=device)
    if not isinstance(loaded.task, LanguageModelling):
        raise ConfigError(
            f"{run} is a run of task '{loaded.config.task}'; texts are drawn from a run of "
            f"task '{LanguageModelling.name}'"
        )
    for number in range(seed, seed + samples):
        drawing = Drawing(sampling, length=length, one_line=line, seed=number)
        pieces = loaded.task.generate(loaded.model, prompt, drawing)
        if as_json:
            record = {"prompt": prompt, "text": "".join(pieces), "seed": number}
            print(as_json_text(record), flush=True)
        else:
            _show(prompt, pieces, blank_line=number > seed)


def _show(prompt: str, pieces: Iterator[str], *, blank_line: bool) -> None:
    """Write a text as it comes, and end its line."""
    text = "\n" * blank_line + prompt
    print(text, end="", flush=True)
    for text in pieces:
        print(text, end="", flush=True)
    if not text.endswith("\n"):
        print(file=sys.stdout, flush=True)
