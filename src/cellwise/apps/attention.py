"""What `predict --attention` draws: where a model looked for each symbol that it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from cellwise.tasks.base import Answer

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
        self._where, self._n_drawn = where, 0

    @property
    def decoding(self) -> dict[str, Any]:
        """What has to be changed in the decoding, so that answers have what is drawn."""
        return {} if self._where is None else {"attention": True}

    def show(self, answer: Answer) -> None:
        """Draw where an answer's symbols looked, if it is asked for.

        Raises:
            ConfigError: the model answers without attention over places.
        """
        from cellwise.tasks.describe_answers import CaptionAnswer

        if self._where is None or not answer.text:
            return
        self._n_drawn += 1
        path = picture_path(self._where, self._n_drawn)
        if isinstance(answer, CaptionAnswer) and answer.looked is not None:
            from cellwise.explain.attention_image import write_attention

            write_attention(answer.looked, path)
        elif "source" in answer.record.get("attention", ()):
            from cellwise.explain.alignment_plot import draw_alignment

            draw_alignment(answer.record["attention"], path)
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
    if not where.suffix:
        return where / f"{number}.png"
    return where if number == 1 else where.with_stem(f"{where.stem}-{number}")
