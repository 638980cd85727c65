"""What the audience sees: steps with their time, calls, a few headings. Looks the same in a log, without movement."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

_WIDTH = 110
# Rich's own template loads a font from elsewhere; this one uses what the reader has.
_SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px; white-space: pre; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#14171c" width="{width}" height="{height}" rx="10"/>
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


class Stage:
    """The demo's console.

    Attributes:
        recording: a picture is wanted: nothing moves, so that each line is in it once.
    """

    def __init__(self, *, record: bool = False) -> None:
        self.recording = record
        width = _WIDTH if record or not sys.stdout.isatty() else None
        self.console = Console(highlight=False, markup=False, width=width, record=record)

    def title(self, text: str, more: str) -> None:
        """The first line."""
        self.console.print()
        self.console.print(Text.assemble((text, "bold"), "  ", (more, "dim")))

    def heading(self, text: str) -> None:
        """A part of the demo begins."""
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def say(self, text: str, style: str = "") -> None:
        """A line."""
        self.console.print(Text(f"  {text}", style=style))

    def fact(self, name: str, value: str) -> None:
        """A name and what belongs to it."""
        self.console.print(Text.assemble((f"  {name:<10}", "dim"), value), soft_wrap=True)

    def fail(self, message: str, remedy: str) -> None:
        """What went wrong."""
        self.console.print(Text.assemble(("  ✗ ", "bold red"), message))
        if remedy:
            self.console.print(Text.assemble(("    try: ", "green"), remedy))

    @contextmanager
    def step(self, doing: str) -> Iterator[list[str]]:
        """Something that takes a moment: a spinner on a terminal, then a tick, what came of it, and how long it took.

        What is put into the list that is handed out replaces the text.
        """
        done: list[str] = []
        started = time.monotonic()
        if self.console.is_terminal and not self.recording:
            with self.console.status(Text(doing), spinner="dots"):
                yield done
        else:
            yield done
        text = Text.assemble(("  ✓ ", "green"), done[0] if done else doing)
        text.append(f"  {time.monotonic() - started:.1f} s", style="dim")
        self.console.print(text)

    def call(self, method: str, path: str, status: int, result: str) -> None:
        """An HTTP call and what it answered."""
        style = "green" if status < 400 else "red"
        self.console.print(
            Text.assemble("  ", (f"{method:<5}", "cyan"), f"{path:<57.57} ", (str(status), style), f"  {result}")
        )

    def write_picture(self, path: Path, title: str) -> None:
        """Everything that was printed, as an SVG."""
        picture = self.console.export_svg(title=title, code_format=_SVG, clear=False, unique_id="demo")
        path.write_text(picture.rstrip() + "\n", encoding="utf-8")
