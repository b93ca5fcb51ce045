"""Runs the cells of the swap matrix: every seam, each of its left sides with each of its right ones.

    run.py [--only PATTERN]... [--quick] [--jobs N] [--json | --markdown | --summary] [--from FILE] [--keep] [--list]

A cell is named "seam: left -> right"; PATTERN is a regular expression that is looked for in it. Exit: 0 nothing failed and
something passed, 1 otherwise, 77 everything was skipped.
"""

import argparse
import concurrent.futures
import json
import os
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import report  # noqa: E402
from seams import load  # noqa: E402
from work import Failed, Skip, Workbench  # noqa: E402


def names_of(seam, left, right):
    return f"{seam.name}: {left} -> {right}"


def chosen_cells(options):
    return [(seam, left, right) for seam in load() for left in seam.left for right in seam.right
            if all(re.search(pattern, names_of(seam, left, right), re.I) for pattern in options.only)
            and (not options.quick or (left, right) in seam.quick)]


def run_cell(bench, number, seam, left, right, keep):
    """One cell, in a folder of its own; the folder stays if it failed."""
    begin = time.monotonic()
    cell = {"seam": seam.name, "left": left, "right": right, "result": "skipped", "detail": seam.why_not(left, right) or "", "tails": ""}
    if cell["detail"]:
        return cell
    work = bench.work(f"{number:03}")
    try:
        said = seam.test(work, left, right)
        cell.update(result="passed", detail="; ".join([*(said or []), *work.notes]))
    except Skip as why:
        cell.update(detail=str(why))
    except Exception as problem:  # one cell's failure is not the next one's
        text = str(problem) if isinstance(problem, Failed) else "".join(traceback.format_exception(problem))
        cell.update(result="failed", detail=text, tails=work.tails())
    finally:
        work.stop()
    cell["seconds"] = time.monotonic() - begin
    if cell["result"] != "failed" and not keep:
        work.remove()
    else:
        cell["tails"] += f"\nkept: {work.directory}"
    return cell


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="cells whose name matches")
    parser.add_argument("--quick", action="store_true", help="the subset that runs with every build")
    parser.add_argument("--jobs", type=int, default=3, help="cells at once")
    parser.add_argument("--large", type=int, metavar="OCTETS", help="size of the large message (10 MB; with --quick 1 MB)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true", help="a table for each seam")
    parser.add_argument("--summary", action="store_true", help="a row for each seam, as Markdown")
    parser.add_argument("--keep", action="store_true", help="keep the folders of all cells")
    parser.add_argument("--from", dest="before", metavar="FILE", help="run nothing: the cells of this file, that --json wrote")
    parser.add_argument("--list", action="store_true", help="name the cells and end")
    options = parser.parse_args()
    cells = chosen_cells(options)
    if options.list:
        print("\n".join(names_of(*cell) for cell in cells))
        return 0
    if options.before:
        with open(options.before, encoding="utf-8") as file:
            return print_matrix(json.load(file)["cells"], options)
    bench = Workbench(options.large or (1000 * 1000 if options.quick else 10 * 1000 * 1000))
    done = []
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            running = [pool.submit(run_cell, bench, number, *cell, options.keep) for number, cell in enumerate(cells)]
            for future in concurrent.futures.as_completed(running):
                cell = future.result()
                print(f"{report.MARKS[cell['result']]:8}{cell['seam']}: {cell['left']} -> {cell['right']}  "
                      f"{cell.get('seconds', 0):.0f} s  {cell['detail']}", file=sys.stderr, flush=True)
                if cell["tails"]:
                    print(cell["tails"], file=sys.stderr, flush=True)
            done = [future.result() for future in running]
    finally:
        if not options.keep and all(cell["result"] != "failed" for cell in done):
            bench.remove()
    return print_matrix(done, options)


def print_matrix(done, options):
    """Prints it, and gives the exit status."""
    form = next((name for name in ("json", "markdown", "summary") if getattr(options, name)), "text")
    print({"json": report.as_json, "markdown": report.as_markdown, "summary": report.as_summary, "text": report.as_text}[form](done))
    if any(cell["result"] == "failed" for cell in done):
        return 1
    return 0 if any(cell["result"] == "passed" for cell in done) else 77


if __name__ == "__main__":
    sys.exit(main())
