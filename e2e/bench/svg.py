"""The few shapes that the plots need, as SVG text. Colours are classes: the style sheet has each for light and dark."""

from collections.abc import Iterable
from html import escape

STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.soft { fill: #59636e; font-size: 12px; }
.rule { stroke: #d1d9e0; }
.series0 { color: #0969da; } .series1 { color: #8c959f; } .series2 { color: #1a7f8e; } .series3 { color: #6f9ea4; }
.series4 { color: #9a6700; }
.fill { fill: currentColor; } .pale { fill: currentColor; fill-opacity: 0.35; }
.line { stroke: currentColor; stroke-width: 3; }
.dot { fill: #ffffff; stroke: #1f2328; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .soft { fill: #9198a1; }
  .rule { stroke: #3d444d; }
  .series0 { color: #4493f8; } .series1 { color: #7d8590; } .series2 { color: #39b0bd; } .series3 { color: #5c868c; }
  .series4 { color: #d29922; }
  .dot { fill: #0d1117; stroke: #f0f6fc; }
}
""".strip()


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return the whole picture; `title` is what a screen reader says."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img">\n<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(x: float, y: float, said: str, *, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text whose foot is at (x, y)."""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(said)}</text>'


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Return a bar."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="2" class="{kind}"/>'


def rect(x: float, y: float, width: float, height: float, kind: str, *, title: str) -> str:
    """Return a bar that says more under the pointer."""
    return bar(x, y, width, height, kind).replace("/>", f"><title>{escape(title)}</title></rect>")


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    """Return a dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"/>'
