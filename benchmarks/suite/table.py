"""The table: a line for each row as it is measured, and what is said below it."""

from .losses import apart, sentence
from .rows import ROWS

__all__ = ["heading", "line", "loss_lines", "reached", "record", "text_of"]

WHAT = {"inference": "mean score", "epoch": "mean loss"}
COLUMNS = (("work", max(len(row.title) for row in ROWS)), ("Flambeau", 9), ("PyTorch", 34),
           ("ratio", 5), ("to reach", 8), ("aim", 7), ("reached", 7))


def text_of(value, amount="s"):
    """A time or a size of memory with three digits and its unit."""
    if value is None:
        return "-"
    if amount == "B":
        return f"{value / 1e6:.0f} MB" if value < 1e9 else f"{value / 1e9:.2f} GB"
    for unit, factor in (("us", 1e6), ("ms", 1e3)):
        if value * factor < 999.5:
            return f"{_three_digits(value * factor)} {unit}"
    return f"{_three_digits(value)} s"


def _three_digits(value):
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def number(row, measured):
    """What is compared with the row's number to reach, in the row's unit."""
    if row.unit == "ratio":
        return measured.ratio
    return None if measured.own is None else measured.own * {"s": 1, "us": 1e6}[row.unit]


def reached(row, measured):
    """Whether the measured number is at most the one to reach; None if it was not measured.

    A time counts for nothing if the libraries' results differ.
    """
    value = number(row, measured)
    if value is None:
        return None
    same = measured.losses is None or not apart(*measured.losses)
    return same and value <= row.reach


def _goal(value, unit):
    if value is None:
        return ""
    return f"{value:.2f}" if unit == "ratio" else f"{value:g} {unit}"


def _joined(cells):
    """Cells at the widths of the columns, the first to the left."""
    padded = [cell.ljust(width) if i == 0 else cell.rjust(width)
              for i, (cell, (_, width)) in enumerate(zip(cells, COLUMNS))]
    return f"| {' | '.join(padded)} |"


def heading():
    """The two lines above the rows."""
    rule = [("-" * width) + ("-" if i == 0 else ":") for i, (_, width) in enumerate(COLUMNS)]
    return _joined([name for name, _ in COLUMNS]) + "\n|-" + "|-".join(rule) + "|"


def line(row, measured):
    """A row of the table."""
    other = text_of(measured.other, measured.amount)
    if measured.label not in ("", "eager"):
        other += f" ({measured.label})"
    verdict = {None: "-", True: "yes", False: "no"}[reached(row, measured)]
    return _joined([row.title, text_of(measured.own, measured.amount), other,
                    "-" if measured.ratio is None else f"{measured.ratio:.2f}",
                    _goal(row.reach, row.unit), _goal(row.aim, row.unit), verdict])


def loss_lines(measured_rows):
    """Whether the libraries' losses agree, a line for each row that has losses."""
    return [f"{row.title}: {sentence(measured.losses, WHAT.get(row.measure, 'loss of step'))}"
            for row, measured in measured_rows if measured.losses is not None]


def record(row, measured):
    """The row as it is written by --json."""
    return {"name": row.name, "title": row.title, "flambeau": measured.own,
            "torch": measured.other, "label": measured.label, "amount": measured.amount,
            "ratio": measured.ratio, "reach": row.reach, "aim": row.aim, "unit": row.unit,
            "reached": reached(row, measured), "losses": measured.losses,
            "detail": measured.detail}
