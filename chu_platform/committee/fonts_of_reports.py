"""The font of the reports, so that they look the same on every machine: CHU Sans, in two weights."""

from base64 import b64encode
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "fonts"
WEIGHTS: Final = {400: FOLDER / "chu-sans-regular.ttf", 700: FOLDER / "chu-sans-bold.ttf"}


def font_faces(family: str) -> str:
    """The style sheet that contains the font."""
    return "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weight};'
        f'src:url(data:font/ttf;base64,{b64encode(file.read_bytes()).decode("ascii")}) format("truetype")}}\n'
        for weight, file in WEIGHTS.items()
    )
