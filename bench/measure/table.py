"""The one table of a benchmark run: rows are added as they are measured, and shown as text or as Markdown."""

from dataclasses import dataclass, field

HEADINGS = ("what", "program", "figure", "ratio", "target", "met", "× best peer", "RssAnon MiB", "remark")


@dataclass
class Row:
    """One measured thing. Cells are text; what does not apply is empty."""

    what: str
    program: str
    figure: str = ""
    ratio: str = ""
    target: str = ""
    met: str = ""
    faster: str = ""
    memory: str = ""
    remark: str = ""

    def cells(self):
        return (self.what, self.program, self.figure, self.ratio, self.target, self.met, self.faster, self.memory,
                self.remark)


@dataclass
class Table:
    rows: list = field(default_factory=list)

    def add(self, *rows):
        self.rows += rows

    def missed(self):
        return [row for row in self.rows if row.met == MISSED]

    def text(self):
        lines = [HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)

    def markdown(self):
        lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in self.rows)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


MET, MISSED = "met", "MISSED"


def verdict(reached):
    return MET if reached else MISSED


def nanoseconds(value):
    return "%.1f ns" % value


def times(value):
    return "%.2f" % value
