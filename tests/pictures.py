"""Draws the pictures of the documentation that explain an idea: ``python -m tests.pictures`` writes them to docs/pictures.

Plain SVG without fonts or scripts of its own, on a white ground, so that it is readable on a light and on a dark page.
"""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
_LINE = 15  # pixels from one line of text to the next
_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}" \
font-family="system-ui, sans-serif" font-size="13">
<title>{title}</title>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse">\
<path d="M0 0 L10 5 L0 10 z" fill="#37474f"/></marker></defs>
<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>
"""
_FILLS = {"": "#e0f2f1", "good": "#c8e6c9", "bad": "#ffcdd2", "wait": "#fff3cd", "store": "#d1e3f8", "none": "#f5f5f5"}


@dataclass
class Drawing:
    """Boxes, arrows between points, and words."""

    title: str
    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def box(self, x: int, y: int, width: int, height: int, text: str, kind: str = "") -> None:
        """A rounded box with lines of text in its middle."""
        fill = _FILLS[kind]
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="#37474f"/>'
        )
        self.words(x + width // 2, y + height // 2 + 5, text)

    def words(self, x: int, y: int, text: str, anchor: str = "middle", *, small: bool = False) -> None:
        """Lines of text around a point."""
        lines = text.split("\n")
        size = ' font-size="11"' if small else ""
        for at, line in enumerate(lines):
            top = y + round((at - (len(lines) - 1) / 2) * _LINE)
            self.parts.append(
                f'<text x="{x}" y="{top}" text-anchor="{anchor}" fill="#212121"{size}>{escape(line)}</text>'
            )

    def arrow(self, *points: tuple[int, int], both: bool = False) -> None:
        """A line through points, with a tip at its end."""
        path = " ".join(f"{x},{y}" for x, y in points)
        start = ' marker-start="url(#tip)"' if both else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="#37474f" stroke-width="1.5" marker-end="url(#tip)"{start}/>'
        )

    def svg(self) -> str:
        """The file."""
        head = _HEAD.format(title=escape(self.title, quote=True), width=self.width, height=self.height)
        return head + "\n".join(self.parts) + "\n</svg>\n"


def system() -> Drawing:
    """Who talks to Postgres."""
    made = Drawing(
        "Your programs send jobs to Postgres; workers on any machine run them; a scheduler sends on time.", 720, 250
    )
    made.box(20, 30, 150, 50, "your program\nsend(…)")
    made.box(20, 100, 150, 50, "scheduler\nsends on time")
    made.box(20, 170, 150, 50, "you\ntop, why, apply")
    made.box(290, 70, 140, 110, "Postgres\n\njobs, limits,\nrevisions of\njobs.yaml", "store")
    made.box(550, 30, 150, 50, "worker, machine A\nyour handlers")
    made.box(550, 100, 150, 50, "worker, machine B\nyour handlers")
    made.box(550, 170, 150, 50, "worker, machine C\nyour handlers")
    for y, into in ((55, 95), (125, 125), (195, 155)):
        made.arrow((170, y), (290, into))
        made.arrow((430, into), (550, y), both=True)
    made.words(490, 22, "claim a job, say how it ended", small=True)
    return made


def life() -> Drawing:
    """The states of a job."""
    made = Drawing(
        "The life of a job: created, active, then completed, failed or cancelled; a failed attempt is retried.",
        720,
        270,
    )
    made.box(20, 100, 110, 46, "created", "wait")
    made.box(290, 100, 110, 46, "active")
    made.box(580, 20, 120, 46, "completed", "good")
    made.box(580, 100, 120, 46, "failed", "bad")
    made.box(580, 180, 120, 46, "cancelled", "none")
    made.box(290, 205, 110, 46, "retry", "wait")
    made.arrow((130, 115), (290, 115))
    made.words(210, 105, "a worker claims it", small=True)
    made.arrow((290, 134), (130, 134))
    made.words(210, 150, "deferred, or handed back", small=True)
    made.arrow((400, 110), (490, 43), (580, 43))
    made.words(490, 36, "the handler returns", small=True)
    made.arrow((400, 123), (580, 123))
    made.words(490, 115, "no retry left, or Reject", small=True)
    made.arrow((400, 136), (490, 203), (580, 203))
    made.words(572, 219, "cancelled while it runs", "end", small=True)
    made.arrow((330, 146), (330, 205))
    made.words(324, 180, "it raises", "end", small=True)
    made.arrow((360, 205), (360, 146))
    made.words(366, 180, "the delay is over", "start", small=True)
    made.arrow((640, 100), (640, 84), (75, 84), (75, 100))
    made.words(210, 78, "zeke-jobs retry", small=True)
    made.arrow((75, 146), (75, 262), (640, 262), (640, 226))
    made.words(180, 256, "cancelled, or not started in time", small=True)
    return made


def limit() -> Drawing:
    """How one limit is shared by all machines."""
    made = Drawing(
        "A task with concurrency 3: three places in Postgres, shared by all workers; the other jobs wait.", 720, 260
    )
    made.words(360, 24, "tasks: {thumbnail: {concurrency: 3}}")
    made.box(240, 45, 240, 130, "", "store")
    made.words(360, 65, "Postgres: the limit of thumbnail")
    for at, (job, kind) in enumerate((("job 1", "good"), ("job 2", "good"), ("job 3", "good"))):
        made.box(258 + at * 70, 85, 64, 40, job, kind)
    made.words(360, 152, "3 of 3 places in use")
    made.box(20, 60, 160, 90, "worker, machine A\n\nruns job 1 and job 3")
    made.box(540, 60, 160, 90, "worker, machine B\n\nruns job 2")
    made.arrow((180, 105), (240, 105), both=True)
    made.arrow((540, 105), (480, 105), both=True)
    for at in range(4):
        made.box(220 + at * 72, 205, 64, 34, f"job {at + 4}", "wait")
    made.arrow((252, 205), (300, 175))
    made.words(20, 226, "queued: the first one starts\nwhen a slot becomes free", "start", small=True)
    return made


def plan() -> Drawing:
    """From an edited file to the fleet, and back."""
    made = Drawing(
        "Edit jobs.yaml, see the effect with plan, put it in force with apply, go back with rollback.", 720, 190
    )
    steps = (
        ("edit\njobs.yaml", ""),
        ("zeke-jobs plan\nshows the effect", ""),
        ("zeke-jobs apply\nrevision 5", "store"),
    )
    for at, (text, kind) in enumerate(steps):
        made.box(20 + at * 185, 40, 140, 56, text, kind)
        made.arrow((160 + at * 185, 68), (205 + at * 185, 68))
    made.box(575, 20, 125, 40, "worker: rev 5", "good")
    made.box(575, 76, 125, 40, "worker: rev 5", "good")
    made.words(638, 133, "all follow in two seconds", small=True)
    made.arrow((460, 96), (460, 155), (90, 155), (90, 96))
    made.words(275, 148, "zeke-jobs rollback 4: the former revision again", small=True)
    return made


PICTURES = {"system": system, "life": life, "limit": limit, "plan": plan}


def main() -> None:
    """Write them."""
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
