"""The matrix, for people, for programs, and for a page."""

import json

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


def as_json(cells):
    keys = ("seam", "left", "right", "result", "detail")
    return json.dumps({"cells": [{key: cell[key] for key in keys} for cell in cells]}, ensure_ascii=False, indent=1)


def totals(cells):
    return ", ".join(f"{sum(cell['result'] == result for cell in cells)} {result}" for result in MARKS)


def by_seam(cells):
    found = {}
    for cell in cells:
        found.setdefault(cell["seam"], []).append(cell)
    return found.items()


def as_text(cells):
    lines = []
    for seam, rows in by_seam(cells):
        lines.append(f"\n== {seam}")
        wide = [max(len(row[side]) for row in rows) for side in ("left", "right")]
        for row in rows:
            lines.append(f"{MARKS[row['result']]:8}{row['left']:{wide[0]}}  ->  {row['right']:{wide[1]}}  {row['detail']}")
    return "\n".join([*lines, "", totals(cells)])


def as_summary(cells):
    """One row for each seam: who was tried with whom, and how it went."""
    lines = [f"{totals(cells)}.", "", "| seam | left | right | passed | skipped |", "|---|---|---|---|---|"]
    for seam, rows in by_seam(cells):
        sides = [", ".join(dict.fromkeys(row[side] for row in rows if row["result"] == "passed")) or "–" for side in ("left", "right")]
        counts = [str(sum(row["result"] == result for row in rows)) for result in ("passed", "skipped")]
        lines.append(f"| {seam} | {sides[0]} | {sides[1]} | {counts[0]} | {counts[1]} |")
    return "\n".join(lines)


def as_markdown(cells):
    """One table for each seam, left sides as rows; what was skipped is explained below it."""
    lines = [f"{totals(cells)}."]
    for seam, rows in by_seam(cells):
        lefts, rights = ([*dict.fromkeys(row[side] for row in rows)] for side in ("left", "right"))
        found = {(row["left"], row["right"]): row for row in rows}
        lines += ["", f"**{seam}**", "", "| | " + " | ".join(rights) + " |", "|---|" + "---|" * len(rights)]
        notes = []
        for left in lefts:
            marks = []
            for right in rights:
                row = found.get((left, right))
                mark = {"passed": "✓", "failed": "✗", "skipped": "–"}[row["result"]] if row else ""
                if row and row["result"] != "passed":
                    if row["detail"] not in notes:
                        notes.append(row["detail"])
                    mark += f" ({notes.index(row['detail']) + 1})"
                marks.append(mark)
            lines.append(f"| {left} | " + " | ".join(marks) + " |")
        if notes:
            lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1))]
    return "\n".join(lines)
