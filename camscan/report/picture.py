"""How does the traffic of a device look over time: what it sent above the line, what it received below?

An inline picture without script, style or reference to anything; made of our own numbers alone.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from camscan.model.traffic import DeviceTraffic
from camscan.report.paths import moment, size

WIDTH, HEIGHT = 720, 120
_MIDDLE = HEIGHT // 2
_EDGE = 14


def picture(traffic: DeviceTraffic) -> Markup:
    """An SVG; empty where no volume per time is known."""
    bars = traffic.minutes
    if not bars:
        return Markup()
    first, last = bars[0].start, bars[-1].start + traffic.width
    slots = max((last - first) // traffic.width, 1)
    step = WIDTH / slots
    most = max(max(b.bytes_up, b.bytes_down) for b in bars) or 1
    room = _MIDDLE - _EDGE
    parts = []
    for bar in bars:
        x = (bar.start - first) // traffic.width * step
        for count, name, up in ((bar.bytes_up, "up", True), (bar.bytes_down, "down", False)):
            if not count:
                continue
            height = max(count / most * room, 0.6)
            y = _MIDDLE - height if up else float(_MIDDLE)
            parts.append(
                f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{max(step - 0.4, 0.6):.1f}" height="{height:.1f}"/>'
            )
    label = (
        f"Traffic of {traffic.device_id} with parties outside, {moment(first)} to {moment(last)}, per "
        f"{_span(traffic.width)}; the highest bar is {size(most)}"
    )
    return Markup(  # noqa: S704 - numbers of our own, the label is escaped
        f'<svg class="traffic" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f"<title>{escape(label)}</title>"
        f'<line x1="0" y1="{_MIDDLE}" x2="{WIDTH}" y2="{_MIDDLE}"/>'
        f"{''.join(parts)}"
        f'<text x="0" y="10">sent, up to {size(most)} per {_span(traffic.width)}</text>'
        f'<text x="0" y="{HEIGHT - 2}">received; {moment(first)} to {moment(last)}</text></svg>'
    )


def _span(seconds: int) -> str:
    if seconds >= 86_400:
        return f"{seconds // 86_400} days" if seconds > 86_400 else "day"
    if seconds >= 3600:
        return f"{seconds // 3600} hours" if seconds > 3600 else "hour"
    return f"{seconds // 60} minutes" if seconds > 60 else "minute"
