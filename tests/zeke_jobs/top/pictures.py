"""``python -m tests.zeke_jobs.top.pictures`` draws the pictures of docs/looking.md and writes them to docs/pictures."""

import io
import re
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from tests.zeke_jobs.top.sample import BOARD
from zeke_jobs.top.screen import View, draw

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
SIZES = ((80, 24), (160, 50))
#: The template's fonts, which would be loaded from a server, are removed; every browser has a monospaced font.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
# Without xml:space, some programs drop the spaces at the beginning of a text.
_FORMAT = _FORMAT.replace("<svg ", '<svg xml:space="preserve" ', 1)


def picture(width: int, height: int) -> tuple[str, str]:
    form: Any = {"record": True, "force_terminal": True, "color_system": "truecolor"}
    console = Console(width=width, height=height, file=io.StringIO(), **form)
    console.print(draw(BOARD, View(selected={"tasks": "extract-highlights"}), width, height))
    text = re.sub(r"[ \t]+$", "", console.export_text(clear=False), flags=re.MULTILINE)
    svg = console.export_svg(title="zeke-jobs top", code_format=_FORMAT, unique_id=f"top-{width}")
    return text, re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for width, height in SIZES:
        text, svg = picture(width, height)
        (FOLDER / f"top-{width}x{height}.txt").write_text(text, encoding="utf-8")
        (FOLDER / f"top-{width}x{height}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
