"""What `predict --attention` draws: where a model looked for each symbol that it wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from cellwise.tasks.base import Answer
    from cellwise.training.run import Run

AttentionOption = Annotated[
    Path | None,
    typer.Option(
        "--attention",
        metavar="FILE.png | FOLDER",
        help="Draw where each symbol looked: in a file (more in FILE-2.png …) or a folder.",
    ),
]


class AttentionOutput:
    """Draws the attention of answers.

    Args:
        where: a file for the first answer, others beside it with numbers; or a folder; or None.
    """

    def __init__(self, where: Path | None):
        self._where, self._n_answers = where, 0

    def decoding(self, run: Run) -> dict[str, Any]:
        """What has to be changed in a run's decoding, so that answers have what is drawn.

        Raises:
            ConfigError: its task has nothing to draw.
        """
        if self._where is None:
            return {}
        if "attention" not in type(run.config.decoding).model_fields:
            raise ConfigError(
                f"--attention draws where each written symbol looked; a run of task "
                f"'{run.config.task}' writes none"
            )
        return {"attention": True}

    def show(self, answer: Answer) -> None:
        """Draw where an answer's symbols looked, if it is asked for.

        Raises:
            ConfigError: the model answers without attention over places.
        """
        from cellwise.tasks.describe_answers import CaptionAnswer

        self._n_answers += 1
        if self._where is None or not answer.text:
            return
        path = picture_path(self._where, self._n_answers)
        if isinstance(answer, CaptionAnswer) and answer.looked is not None:
            from cellwise.explain.attention_image import write_attention

            write_attention(answer.looked, path)
        elif "source" in answer.record.get("attention", ()):
            from cellwise.explain.alignment_plot import draw_alignment

            missing = draw_alignment(answer.record["attention"], path)
            if missing:
                print(
                    f"cellwise: {path}: no font here has {missing}; as .svg, they show wherever "
                    "there is one",
                    file=sys.stderr,
                )
        else:
            raise ConfigError(
                "--attention draws where a model looked, but this one answers without attention "
                "to regions or symbols"
            )


def picture_path(where: Path, number: int) -> Path:
    """Where the picture of that number goes, counted from 1.

    Example:
        >>> [str(picture_path(Path(name), 2)) for name in ("looks.svg", "looks")]
        ['looks-2.svg', 'looks/2.png']
    """
    if not where.suffix or where.is_dir():
        return where / f"{number}.png"
    return where if number == 1 else where.with_stem(f"{where.stem}-{number}")
