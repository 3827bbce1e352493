"""Small images with captions, for tests: a square of some colour on the left or on the right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220)}
SIDES = {"left": 2, "right": 18}


def photo(colour: str, side: str, *, top: int = 10) -> np.ndarray:
    """A grey image of 32 by 32 pixels with a square of 12."""
    pixels = np.full((32, 32, 3), 128, np.uint8)
    left = SIDES[side]
    pixels[top : top + 12, left : left + 12] = COLOURS[colour]
    return pixels


def write(folder: Path, *, tops=(2, 8, 16)) -> Path:
    """The folder with images in it, and captions.csv with two captions of each."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["image,caption"]
    for colour in COLOURS:
        for side in SIDES:
            for top in tops:
                name = f"{colour}_{side}_{top}.png"
                Image.fromarray(photo(colour, side, top=top)).save(folder / name)
                lines.append(f'{name},"A {colour} square , on the {side} ."')
                lines.append(f'{name},"A {colour} square , on the {side} ."')
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder
