"""Charts as inline SVG: columns, lines and a week's heat map.

Colours are classes, which the page's style sheet gives in the light and in the dark. Every chart
tells in words what it shows; the figures themselves are in tables beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from scripts.usage_report.scales import every, number, ticks

WIDTH, HEIGHT = 900, 260
SMALL_WIDTH, SMALL_HEIGHT = 440, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 24, 30, 42
LABEL_WIDTH, SMALL_LABEL_WIDTH = 72, 44
CELL, CELL_GAP = 32, 3
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHADES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one colour; None leaves a gap in a line. ``tone`` names the colour."""

    name: str
    values: Sequence[float | None]
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What a chart is about: its words, the names along its foot, and both units."""

    summary: str
    names: Sequence[str]
    unit: str
    foot: str
    whole: bool = True
    written: Callable[[float], str] = number
    small: bool = False

    @property
    def width(self) -> int:
        """Of the whole chart, in its own units."""
        return SMALL_WIDTH if self.small else WIDTH

    @property
    def height(self) -> int:
        """Of the whole chart, in its own units."""
        return SMALL_HEIGHT if self.small else HEIGHT

    @property
    def labels_max(self) -> int:
        """Names at the foot that do not touch each other."""
        return self.plot_width // (SMALL_LABEL_WIDTH if self.small else LABEL_WIDTH)

    @property
    def plot_width(self) -> int:
        """Between the axes."""
        return self.width - LEFT - RIGHT

    def y(self, value: float, scale: Sequence[float]) -> float:
        """How far from the top ``value`` is."""
        return TOP + (self.height - TOP - BOTTOM) * (1 - value / scale[-1])


def columns(axes: Axes, *series: Series) -> Markup:
    """Columns, the series one upon the other."""
    totals = [sum(one.values[place] or 0 for one in series) for place in range(len(axes.names))]
    scale = ticks(max(totals, default=0), whole=axes.whole)
    step = axes.plot_width / max(1, len(axes.names))
    width = max(1.0, step * 0.72)
    parts = []
    for place in range(len(axes.names)):
        bottom = 0.0
        for one in series:
            value = one.values[place] or 0
            if value:
                x, y = LEFT + step * place + (step - width) / 2, axes.y(bottom + value, scale)
                height = axes.y(bottom, scale) - y
                title = f"{axes.names[place]}: {axes.written(value)} {one.name}"
                parts.append(
                    Markup(
                        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                        "<title>{}</title></rect>"
                    ).format(one.tone, x, y, width, height, title)
                )
            bottom += value
    return _framed(axes, scale, parts, step=step, middle=step / 2)


def lines(axes: Axes, *series: Series, highest: float | None = None) -> Markup:
    """Lines over time, from zero; ``highest`` sets the end of the scale."""
    known = [value for one in series for value in one.values if value is not None]
    scale = ticks(highest or max(known, default=0), whole=axes.whole)
    step = axes.plot_width / max(1, len(axes.names) - 1)
    parts = []
    for one in series:
        for run in _runs(one.values):
            points = " ".join(
                f"{LEFT + step * at:.1f},{axes.y(value, scale):.1f}" for at, value in run
            )
            parts.append(Markup('<polyline class="line {}" points="{}"/>').format(one.tone, points))
            if len(run) == 1:
                at, value = run[0]
                parts.append(
                    Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(
                        one.tone, LEFT + step * at, axes.y(value, scale)
                    )
                )
    return _framed(axes, scale, parts, step=step, middle=0)


def heat_map(summary: str, week: Sequence[Sequence[float]], *, unit: str) -> Markup:
    """Seven rows of 24 hours; the darker, the more."""
    most = max((value for row in week for value in row), default=0)
    left, top = 44, 8
    parts = []
    for row, hours in enumerate(week):
        y = top + row * (CELL + CELL_GAP)
        parts.append(_text(left - 8, y + CELL * 0.68, WEEKDAYS[row], "end"))
        for hour, value in enumerate(hours):
            shade = 0 if not most else min(SHADES, -int(-value * SHADES // most))
            title = f"{WEEKDAYS[row]} {hour:02}:00 to {hour + 1:02}:00: {number(value)} {unit}"
            parts.append(
                Markup(
                    '<rect class="heat heat-{}" x="{}" y="{}" width="{}" height="{}" rx="3">'
                    "<title>{}</title></rect>"
                ).format(shade, left + hour * (CELL + CELL_GAP), y, CELL, CELL, title)
            )
    foot = top + 7 * (CELL + CELL_GAP)
    parts += [
        _text(left + hour * (CELL + CELL_GAP) + CELL / 2, foot + 14, f"{hour:02}", "middle")
        for hour in range(0, 24, 2)
    ]
    width = left + 24 * (CELL + CELL_GAP)
    parts.append(_text(left + 12 * (CELL + CELL_GAP), foot + 34, "hour of the day, UTC", "middle"))
    return _svg(summary, parts, width=width, height=foot + 42)


def bar(share: float) -> Markup:
    """A bar for a table's cell; its number stands beside it."""
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"'
        ' focusable="false"><rect class="tone-1" x="0" y="0" width="{:.1f}" height="10" rx="1.5"/>'
        "</svg>"
    ).format(max(0.0, min(1.0, share)) * 100)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]


def _framed(
    axes: Axes, scale: Sequence[float], parts: list[Markup], *, step: float, middle: float
) -> Markup:
    """The plot between its axes: lines behind it, names at its foot, units at both."""
    grid = []
    for value in scale:
        y = axes.y(value, scale)
        kind = "axis" if value == 0 else "grid"
        grid.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                kind, LEFT, axes.width - RIGHT, y, y
            )
        )
        grid.append(_text(LEFT - 8, y + 4, axes.written(value), "end"))
    names = [
        _text(LEFT + step * place + middle, axes.height - BOTTOM + 16, name, "middle")
        for place, name in every(axes.names, labels_max=axes.labels_max)
    ]
    units = [
        _text(0, 12, axes.unit, "start"),
        _text(LEFT + axes.plot_width / 2, axes.height - 6, axes.foot, "middle"),
    ]
    return _svg(axes.summary, [*grid, *parts, *names, *units], width=axes.width, height=axes.height)


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, words
    )


def _svg(summary: str, parts: Sequence[Markup], *, width: float, height: float) -> Markup:
    return Markup(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {:.0f} {:.0f}">{}</svg>'
    ).format(escape(summary), width, height, Markup("").join(parts))
