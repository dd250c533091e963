"""The results as one picture: SVG, by hand."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

import attrs

from benchmarks.contestants import CONTESTANTS
from benchmarks.figures import Rounds, Seen, spread
from benchmarks.tables import number

COLUMNS = 2
WIDTH, LABEL, VALUE = 500, 220, 70  # of a panel, of its names, of its figures
BAR, GAP, HEAD, MARGIN = 14, 6, 40, 16
STYLE = """
  text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 13px; }
  .quiet { fill: #59636e; }
  .ground { fill: #ffffff; stroke: #d1d9e0; }
  .bar { fill: #a8b3bf; }
  .ours { fill: #1a7f64; }
  .name-ours { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .ground { fill: #0d1117; stroke: #3d444d; }
    .bar { fill: #59636e; }
    .ours { fill: #3fb998; }
  }
"""


@attrs.frozen
class Panel:
    """What one part of the picture shows; the first of the workloads that was measured."""

    workload: str
    title: str
    figure: str = "rate"
    scale: float = 1.0


PANELS = (
    Panel("connect-64", "Connect, one line, close: 64 at once, connections/s"),
    Panel("lines-64", "Lines on 64 open connections, lines/s"),
    Panel("udp-64", "UDP datagrams, 64 in flight, datagrams/s"),
    Panel("http-64", "HTTP hello, 64 connections, requests/s"),
    Panel("slow-64", "Fast clients beside slow handlers, lines/s"),
    Panel("idle", "Memory of an idle connection, KiB", "memory", 1 / 1024),
)


def plain(name: str) -> str:
    """Return a name without Markdown, short enough to stand beside its bar."""
    return name.replace("`", "").replace("acceptor framed(lines())", "acceptor framed")


def bars(panel: Panel, seen: Mapping[str, Rounds]) -> list[tuple[str, float]]:
    """Return who reached what, the best first."""
    found = []
    for who, rounds in seen.items():
        figure = spread(rounds, panel.figure)
        if figure is not None:
            found.append((who, figure.median * panel.scale))
    return sorted(found, key=lambda it: it[1] if panel.figure == "memory" else -it[1])


def height(count: int) -> int:
    return HEAD + count * (BAR + GAP) + MARGIN


def drawn_bar(who: str, value: float, width: float, x: int, y: int) -> str:
    """Draw one bar, with its name before and its figure behind it."""
    contestant = CONTESTANTS[who]
    style, name = ("ours", "name-ours") if contestant.ours else ("bar", "")
    line = y + BAR - 3
    return (
        f'<text class="{name}" x="{x + LABEL - 8}" y="{line}" text-anchor="end">'
        f"{escape(plain(contestant.name))}</text>\n"
        f'<rect class="{style}" x="{x + LABEL}" y="{y}" width="{width:.1f}" height="{BAR}"'
        ' rx="2"/>\n'
        f'<text class="quiet" x="{x + LABEL + width + 6:.1f}" y="{line}">{number(value)}</text>'
    )


def drawn_panel(panel: Panel, found: Sequence[tuple[str, float]], x: int, y: int) -> list[str]:
    """Draw one part with its upper left corner there."""
    most = max(value for _, value in found) or 1.0
    room = WIDTH - LABEL - VALUE
    lines = [f'<text class="title" x="{x}" y="{y + 20}">{escape(panel.title)}</text>']
    for index, (who, value) in enumerate(found):
        top = y + HEAD + index * (BAR + GAP)
        lines.append(drawn_bar(who, value, max(1.0, room * value / most), x, top))
    return lines


def drawn(seen: Seen) -> str:
    """Return the whole picture; a workload that was not measured is not in it."""
    panels = [(panel, bars(panel, seen.get(panel.workload, {}))) for panel in PANELS]
    panels = [(panel, found) for panel, found in panels if found]
    lines: list[str] = []
    y = MARGIN
    for start in range(0, len(panels), COLUMNS):
        row = panels[start : start + COLUMNS]
        for column, (panel, found) in enumerate(row):
            lines += drawn_panel(panel, found, MARGIN + column * (WIDTH + MARGIN), y)
        y += max(height(len(found)) for _, found in row)
    width = MARGIN + COLUMNS * (WIDTH + MARGIN)
    size = f'width="{width}" height="{y}" viewBox="0 0 {width} {y}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            "<title>acceptor side by side with its peers</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{y - 1}" rx="8"/>',
            *lines,
            "</svg>\n",
        ]
    )
