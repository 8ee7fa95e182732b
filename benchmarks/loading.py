"""How long documents and pages take to read, and what memory that takes. Prints Markdown.

    .venv/bin/python benchmarks/loading.py          about two minutes, most of it to make the files

Each file is read once in a process of its own, as a run reads it: by a child process with limits. Memory is the peak of
the reading process and, behind it, of the child.
"""

import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autoagent.loaders import load
from autoagent.passages import excerpt

PAGES = Path(__file__).parents[1] / "tests" / "pages"
WORDS = (
    "The committee heard that the harbour of Moss took in more by rail than by road in the third quarter of the year."
)


def main() -> None:
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    print("| what | size | lines | time | memory, of the child |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        for title, file, make in CASES:
            path = Path(name, file)
            path.write_bytes(make())
            found = json.loads(subprocess.run([sys.executable, __file__, path], capture_output=True, check=True).stdout)
            print(f"| {title} | {path.stat().st_size / 1e6:.1f} MB | {found['lines']:,} | {found['seconds']:.1f} s "
                  f"| {found['memory']} MB, {found['child']} MB |")  # fmt: skip
    pages()
    passages()


def measure(path: Path) -> None:
    """One file, as JSON: seconds, lines, megabytes."""
    content = path.read_bytes()
    began = time.monotonic()
    document = load(path.name, content)
    seconds = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    lines = document.text.count("\n") + 1
    print(json.dumps({"seconds": seconds, "lines": lines, "memory": memory, "child": child}))


def pages() -> None:
    """The pages that the tests are about, each as if it had just been fetched."""
    times: list[float] = []
    for path in sorted(PAGES.glob("*.html")):
        content = path.read_bytes()
        began = time.monotonic()
        load(f"https://example.org/{path.name}", content, content_type="text/html")
        times.append(time.monotonic() - began)
    took = f"{1000 * statistics.median(times):.0f} ms ({1000 * min(times):.0f} to {1000 * max(times):.0f})"
    print(f"| a web page, median of {len(times)} | | | {took} | |")


def passages() -> None:
    """What matters for a question in a megabyte of text."""
    text = "\n\n".join(f"{WORDS} Note {n}." for n in range(9_000))
    began = time.monotonic()
    excerpt(text, "What did Moss take in by rail?", 4_000, lambda part: len(part) // 4)
    print(f"| passages of a text | {len(text) / 1e6:.1f} MB | | {time.monotonic() - began:.2f} s | |")


def pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    made = io.BytesIO()
    canvas = Canvas(made)
    for page in range(500):
        for line in range(45):
            canvas.drawString(60, 800 - 16 * line, f"{page}.{line} {WORDS[:90]}")
        canvas.showPage()
    canvas.save()
    return made.getvalue()


def workbook() -> bytes:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Figures")
    sheet.append(["id", "date", "harbour", "region", "amount", "share", "open", "note"])
    for n in range(200_000):
        sheet.append([n, "2026-03-01", "Moss", "East", n * 1.25, 0.1, n % 2, "by rail"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def word() -> bytes:
    from docx import Document

    document = Document()
    for n in range(2_000):
        document.add_paragraph(f"{n} {WORDS}")
    for _ in range(20):
        table = document.add_table(rows=20, cols=4)
        for row in table.rows:
            for cell in row.cells:
                cell.text = "12.5"
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def comma_separated() -> bytes:
    return "".join(f"{n};2026-03-01;Moss;East;{n * 1.25};by rail\n" for n in range(200_000)).encode()


def long_page() -> bytes:
    body = "".join(f"<h2>Part {n}</h2><p>{WORDS}</p><ul><li>{WORDS}</li></ul>" for n in range(3_500))
    return f"<!doctype html><html><title>Long</title><body><main>{body}</main></body></html>".encode()


CASES: list[tuple[str, str, Callable[[], bytes]]] = [
    ("PDF, 500 pages", "a.pdf", pdf),
    ("XLSX, 200,000 rows of 8", "a.xlsx", workbook),
    ("DOCX, 2,000 paragraphs, 20 tables", "a.docx", word),
    ("CSV, 200,000 rows", "a.csv", comma_separated),
    ("HTML, one long page", "a.html", long_page),
]

if __name__ == "__main__":
    main()
