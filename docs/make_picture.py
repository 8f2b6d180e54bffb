"""Draw the journey of a batch: docs/images/flow.svg, and flow.png where a Chromium is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1240, 1166
SCALE = 2  # pixels of the PNG for each unit of the SVG
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"

PAPER, INK, SOFT, LINE = "#f7f5f0", "#23303d", "#5d6b78", "#7c8a97"
CARD = "#ffffff"
BLUE_EDGE, BLUE_LANE, BLUE_INK = "#3b6ea5", "#e6eef6", "#24486e"
GREEN_EDGE, GREEN_LANE = "#3d8361", "#e5f1ea"
AMBER, AMBER_EDGE, AMBER_INK = "#fdf1d8", "#d39a2d", "#6b4a08"
PERSON, PERSON_EDGE = "#fff0ea", "#c4552d"

LEFT, RIGHT = 56, WIDTH - 56

Step = tuple[str, Sequence[str], Sequence[str]]  # title, words, and what leaves the path there
Shape = tuple[int, int, int]  # width of a box, gap between two, height
WIDE: Shape = (196, 37, 86)
WIDER: Shape = (252, 40, 90)


def main() -> int:
    """Write the picture; returns the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    svg = FOLDER / "flow.svg"
    svg.write_text(picture(), encoding="utf-8")
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.stderr.write(f"{svg} is written. flow.png is not: no Chromium was found to draw it.\n")
        return 0
    return _photograph(browser, svg, FOLDER / "flow.png")


def _photograph(browser: str, svg: Path, png: Path) -> int:
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--default-background-color=00000000",
                f"--user-data-dir={profile}",
                f"--force-device-scale-factor={SCALE}",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--screenshot={png}",
                svg.absolute().as_uri(),
            ],
            capture_output=True,
            timeout=120,
            check=False,
        )
    if done.returncode != 0 or not png.exists():
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        sys.stderr.write(f"{browser} did not draw {png}: {' '.join(last)}\n")
        return 1
    return 0


def picture() -> str:
    """The whole picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{FONT}" role="img" aria-label="The journey of a batch">',
        _arrow_head(),
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="18" fill="{PAPER}"/>',
        _text(LEFT - 16, 50, "The journey of a batch", size=25, weight=700),
        _text(
            RIGHT + 16,
            50,
            "What leaves the path leaves with a reason, is counted, and can be read back.",
            size=15,
            fill=SOFT,
            anchor="end",
        ),
        _lane(76, 744, BLUE_LANE, "retrain", "one run for each fresh batch", BLUE_EDGE),
        _lane(838, 268, GREEN_LANE, "promote", "one run for each challenger", GREEN_EDGE),
        *_ingest_row(126),
        *_compare_row(366),
        *_model_row(606),
        *_promote_row(890, 114),
        *_legend(1136),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ingest_row(top: int) -> list[str]:
    """The first row of the upper lane: from what somebody has to clean rows."""
    steps = (
        ("Sources", ("landing folder, S3, SQL,", "rated answers, …"), ()),
        ("Ingest", ("one strict parser;", "only what is new"), ("rejected", "file, line, reason")),
        ("Decide", ("is there anything", "new to learn?"), ("skipped", "nothing new")),
        ("Raw contract", ("each batch,", "row by row"), ("quarantined", "or the batch stops")),
        ("Clean", ("repair, mask; rules", "for single rows"), ("dropped", "one reason code each")),
    )
    return [*_steps(steps, top, WIDE), _turn(RIGHT, top + 43, top + 203, LEFT, top + 283)]


def _compare_row(top: int) -> list[str]:
    """The second row: from clean rows to rows that may be trained on."""
    steps = (
        ("Drift", ("like what the champion", "was trained on?"), ("skipped", "too little is new")),
        (
            "Compare",
            ("duplicates, contradictions,", "copies of test rows, caps"),
            ("dropped · quarantined", "the other row's place"),
        ),
        ("Split", ("evaluation apart", "from training"), ("dropped", "too like a test row")),
        ("Augment", ("variants of training rows;", "off by default"), ()),
        (
            "Training contracts",
            ("curated, training and", "evaluation rows"),
            ("quarantined", "or the batch stops"),
        ),
    )
    return [*_steps(steps, top, WIDE), _turn(RIGHT, top + 43, top + 203, LEFT, top + 285)]


def _model_row(top: int) -> list[str]:
    """The third row: from those rows to a challenger."""
    steps = (
        (
            "Train",
            ("SFTTrainer + LoRA in a process", "of its own; live loss in MLflow"),
            ("failed", "continues from its checkpoint"),
        ),
        (
            "Evaluate",
            ("base, champion and candidate", "on the same frozen rows"),
            ("evidence", "answers, scores, report.html"),
        ),
        (
            "Gate",
            ("your rules, paired intervals;", "fails closed"),
            ("rejected by gate · inconclusive", "how many more rows would settle it"),
        ),
        (
            "Register",
            ("challenger in MLflow; the reload", "gives equal logits"),
            (),
        ),
    )
    return [*_steps(steps, top, WIDER), _turn(RIGHT, top + 45, top + 193, LEFT, top + 341)]


def _steps(steps: Sequence[Step], top: int, shape: Shape) -> list[str]:
    """A row of boxes from left to right, with what leaves the path below them."""
    width, gap, height = shape
    parts: list[str] = []
    for i, (title, words, leaves) in enumerate(steps):
        x, middle = LEFT + i * (width + gap), top + height / 2
        parts.append(_box(x, top, width, height, title, words, CARD, BLUE_EDGE))
        if i:
            parts.append(_arrow(((x - gap, middle), (x, middle))))
        if leaves:
            kept = leaves[0] == "evidence"
            parts.append(_leaving(x + width / 2, top + height, width - 4, leaves, kept=kept))
    return parts


def _promote_row(top: int, height: int) -> list[str]:
    """The lower lane: the decision, and what is done with a yes."""
    middle = top + height / 2
    person, stage, move, gate = (LEFT, 262), (352, 240), (626, 224), (884, 300)
    return [
        _box(
            person[0],
            top,
            person[1],
            height,
            "A person decides",
            ("a form in the Prefect UI, or", "sluice approve; suspended,", "so no worker waits"),
            PERSON,
            PERSON_EDGE,
            bold=True,
            indent=44,
        ),
        _person(person[0] + 31, top + 40),
        _leaving(
            person[0] + person[1] / 2,
            top + height,
            250,
            ("rejected by approver · expired", "the champion stays"),
        ),
        _arrow(((person[0] + person[1], middle), (stage[0], middle))),
        _box(
            stage[0],
            top,
            stage[1],
            height,
            "Verify and stage",
            (
                "bytes against digests; loaded",
                "on the gateway and asked one",
                "question there",
            ),
            CARD,
            GREEN_EDGE,
        ),
        _leaving(stage[0] + stage[1] / 2, top + height, 224, ("failed", "nothing has moved")),
        _arrow(((stage[0] + stage[1], middle), (move[0], middle))),
        _box(
            move[0],
            top,
            move[1],
            height,
            "Move together",
            ("alias champion and the", "gateway's pointer: both or", "neither, from a journal"),
            CARD,
            GREEN_EDGE,
        ),
        _arrow(((move[0] + move[1], middle), (gate[0], middle))),
        *_gateway(gate[0], top, gate[1], height),
    ]


def _gateway(x: int, top: int, width: int, height: int) -> list[str]:
    """The gateway with its two warm versions, and the way back between them."""
    pill = top + 58
    return [
        _box(x, top, width, height, "Gateway", (), CARD, GREEN_EDGE, bold=True),
        _pill(x + 16, pill, 104, "previous", SOFT, PAPER),
        _pill(x + width - 120, pill, 104, "champion", GREEN_EDGE, GREEN_LANE),
        _text(
            x + width / 2,
            top + 47,
            "OpenAI chat completions",
            size=13.5,
            fill=SOFT,
            anchor="middle",
        ),
        _curve(x + width - 68, pill + 36, x + 68, pill + 36, 62, PERSON_EDGE),
        _text(
            x + width / 2,
            pill + 106,
            "sluice rollback",
            size=15,
            weight=700,
            fill=PERSON_EDGE,
            anchor="middle",
        ),
        _text(
            x + width / 2,
            pill + 126,
            "the previous version answers again",
            size=13.5,
            fill=SOFT,
            anchor="middle",
        ),
    ]


def _legend(y: int) -> list[str]:
    notes = (
        (AMBER, AMBER_EDGE, "leaves the path; rows lie in the lake beside those that stayed"),
        (BLUE_LANE, BLUE_EDGE, "kept for the approver and for later"),
        (PERSON, PERSON_EDGE, "a person's part"),
    )
    parts: list[str] = []
    x = LEFT - 16
    for fill, edge, words in notes:
        parts += [
            f'<rect x="{x}" y="{y - 13}" width="26" height="16" rx="4" fill="{fill}" '
            f'stroke="{edge}" stroke-width="1.2"/>',
            _text(x + 36, y, words, size=14, fill=SOFT),
        ]
        x += 76 + round(7.7 * len(words))
    return parts


# Shapes


def _arrow_head() -> str:
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="8" '
        f'markerHeight="8" orient="auto-start-reverse">'
        f'<path d="M0 0.8 L9.5 5 L0 9.2 Z" fill="{colour}"/></marker>'
        for name, colour in (
            ("go", LINE),
            ("out", AMBER_EDGE),
            ("kept", BLUE_EDGE),
            ("back", PERSON_EDGE),
        )
    )
    return f"<defs>{heads}</defs>"


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 14,
    weight: int = 400,
    fill: str = INK,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _lane(top: int, height: int, fill: str, name: str, words: str, colour: str) -> str:
    return "\n".join(
        (
            f'<rect x="24" y="{top}" width="{WIDTH - 48}" height="{height}" rx="14" '
            f'fill="{fill}"/>',
            _text(LEFT, top + 32, name, size=19, weight=700, fill=colour),
            _text(LEFT + 106, top + 32, words, size=15, fill=SOFT),
        )
    )


def _box(
    x: float,
    y: float,
    width: float,
    height: float,
    title: str,
    words: Sequence[str],
    fill: str,
    edge: str,
    *,
    bold: bool = False,
    indent: int = 0,
) -> str:
    middle = x + (width + indent) / 2
    lines = [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10" fill="{fill}" '
        f'stroke="{edge}" stroke-width="{2.6 if bold else 1.6}"/>',
        _text(middle, y + 28, title, size=17, weight=700, anchor="middle"),
    ]
    lines += [
        _text(middle, y + 50 + 19 * i, line, size=14, fill=SOFT, anchor="middle")
        for i, line in enumerate(words)
    ]
    return "\n".join(lines)


def _pill(x: float, y: float, width: float, words: str, edge: str, fill: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="36" rx="18" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.4"/>'
        + _text(x + width / 2, y + 23, words, size=14.5, weight=600, fill=edge, anchor="middle")
    )


def _leaving(x: float, y: float, width: float, words: Sequence[str], *, kept: bool = False) -> str:
    """What leaves the path at a step, or what is kept of it: an arrow down to a note."""
    edge, fill, ink = (BLUE_EDGE, BLUE_LANE, BLUE_INK) if kept else (AMBER_EDGE, AMBER, AMBER_INK)
    top, height = y + 30, 50
    first, second = words
    return "\n".join(
        (
            _path(f"M{x:g} {y:g} V{top - 2:g}", edge, "kept" if kept else "out", dashed=True),
            f'<rect x="{x - width / 2:g}" y="{top:g}" width="{width:g}" height="{height}" rx="8" '
            f'fill="{fill}" stroke="{edge}" stroke-width="1.1"/>',
            _text(x, top + 21, first, size=14, weight=600, fill=ink, anchor="middle"),
            _text(x, top + 40, second, size=13, fill=ink, anchor="middle"),
        )
    )


def _path(course: str, colour: str, head: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return (
        f'<path d="{course}" fill="none" stroke="{colour}" stroke-width="2"{dash} '
        f'marker-end="url(#{head})"/>'
    )


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    course = f"M{x:g} {y:g} " + " ".join(f"L{a:g} {b:g}" for a, b in rest[:-1])
    a, b = rest[-1]
    return _path(f"{course} L{a - 1:g} {b:g}", LINE, "go")


def _turn(x: float, y: float, between: float, target: float, end: float) -> str:
    """From the end of a row, between the rows, to the beginning of the next."""
    far, near, r = x + 17, target - 17, 9
    return _path(
        f"M{x:g} {y:g} H{far - r:g} Q{far:g} {y:g} {far:g} {y + r:g} V{between - r:g} "
        f"Q{far:g} {between:g} {far - r:g} {between:g} H{near + r:g} "
        f"Q{near:g} {between:g} {near:g} {between + r:g} V{end - r:g} "
        f"Q{near:g} {end:g} {near + r:g} {end:g} H{target - 1:g}",
        LINE,
        "go",
    )


def _curve(x: float, y: float, x2: float, y2: float, depth: float, colour: str) -> str:
    course = f"M{x:g} {y:g} C{x:g} {y + depth:g} {x2:g} {y2 + depth:g} {x2:g} {y2 + 3:g}"
    return _path(course, colour, "back")


def _person(x: float, y: float) -> str:
    return (
        f'<circle cx="{x:g}" cy="{y:g}" r="9" fill="{PERSON_EDGE}"/>'
        f'<path d="M{x - 15:g} {y + 32:g} a15 17 0 0 1 30 0 Z" fill="{PERSON_EDGE}"/>'
    )


if __name__ == "__main__":
    sys.exit(main())
