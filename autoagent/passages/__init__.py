"""The passages of a long text that matter for a question, chosen without a model.

A text falls into pieces: headings, sentences of a paragraph, list items, rows of a table, blocks of code. Each is
scored by BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009) against the question's words, and
each that holds a rare one of them comes before any that only stands beside a hit. English words are compared by a
light stem, Korean ones without their particles and by pairs of syllables, Chinese and Japanese ones by pairs of
characters.
"""

from autoagent.passages.choosing import NOTHING, excerpt
from autoagent.passages.gathering import Gathered, Source, absent, gather
from autoagent.passages.pieces import Passage
from autoagent.passages.room import beginning, fits
from autoagent.passages.scoring import passages, scores
from autoagent.passages.terms import stem

__all__ = [
    "NOTHING",
    "Gathered",
    "Passage",
    "Source",
    "absent",
    "beginning",
    "excerpt",
    "fits",
    "gather",
    "passages",
    "scores",
    "stem",
]
