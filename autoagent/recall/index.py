"""A full-text index in a SQLite database: porter stems for English and its like, pairs of characters for Korean."""

import math
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from autoagent.recall.words import Query, cut_up


class Ranked(NamedTuple):
    """A row that answers; `score` is at most 1, and less where it lacks some of what the query asks for."""

    row: int
    score: float


def make_index(db: sqlite3.Connection) -> None:
    db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS stems USING fts5(text, tags, tokenize = 'porter unicode61')")


def add(db: sqlite3.Connection, row: int, text: str, tags: str) -> None:
    db.execute("INSERT INTO stems (rowid, text, tags) VALUES (?, ?, ?)", (row, cut_up(text), cut_up(tags)))


def remove(db: sqlite3.Connection, row: int) -> None:
    """Merged at once, so that nothing of the text stays in the file."""
    db.execute("DELETE FROM stems WHERE rowid = ?", (row,))
    db.execute("INSERT INTO stems (stems) VALUES ('optimize')")


def search(db: sqlite3.Connection, query: Query, meant: Callable[[int], bool], *, tags_weigh: float) -> list[Ranked]:
    """The rows that hold words of the query, the best first; `meant` says whether a row counts.

    BM25 by each term alone, and beside it the part of what was asked for that a row holds, counted by how rare each
    term is: what holds several comes before what holds one often. A term that no row holds says nothing of any.
    """
    (rows,) = db.execute("SELECT count(*) FROM stems").fetchone()
    scores: dict[int, float] = {}
    held: dict[int, float] = {}
    wanted = 0.0
    for term in query.terms():
        found = db.execute(
            f"SELECT rowid, bm25(stems, 1.0, {tags_weigh}) FROM stems WHERE stems MATCH ?", (term.match,)
        )
        matches = found.fetchall()
        rarity = term.weight * math.log(1 + (rows - len(matches) + 0.5) / (len(matches) + 0.5))
        wanted += rarity if matches else 0.0
        for row, score in matches:
            scores[row] = scores.get(row, 0.0) - term.weight * score
            held[row] = held.get(row, 0.0) + rarity
    scores = {row: score for row, score in scores.items() if meant(row)}
    best = max(scores.values(), default=1.0)
    ranked = [Ranked(row, (score / best + held[row] / wanted) / 2) for row, score in scores.items()]
    return sorted(ranked, key=lambda one: (-one.score, -one.row))
