"""The words that tell a topic from the others: c-TF-IDF over words and pairs of words.

Of scripts without blanks between words, runs of two to four letters take the place of words; of those that overlap
the longest one that is nearly as frequent stays, which mostly is a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arena_hard.building.arrays import library
from arena_hard.building.stop_words import stop_words
from arena_hard.building.word_vectors import UNSPACED

VERSION = 2  # raised with anything below that changes words
WORDS = 4  # of a topic's name
_CANDIDATES = 60
_NEARLY = 0.6  # as often as the shorter: the longer one is the word
_LONGEST = 2000  # characters of a text
_TOKEN = re.compile(rf"[{UNSPACED}]+|[^\W\d_](?:[^\W_]|[-'+#.](?=[^\W_])|[+#](?![^\W_]))*")
# frequent in English requests of any topic, and no stop words elsewhere
_OF_REQUESTS = frozenset(
    ["did", "does", "doing", "use", "uses", "used", "using", "want", "wants", "need", "needs", "like", "just", "know",
     "make", "let"]
)  # fmt: skip
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?:;\n\"“(*#>-])\s*$")
_ENDING = re.compile(r"'(?:s|re|ve|ll|d|m)$")
_UNSPACED = re.compile(f"[{UNSPACED}]")


def keywords(
    texts: Sequence[str],
    topic: npt.NDArray[Any],
    languages: Sequence[str] = ("en",),
    count: int = WORDS,
) -> list[list[str]]:
    """The words of each topic from 0 on, the most telling first. Texts of topic -1 count for nothing."""
    where: list[int] = np.flatnonzero(topic >= 0).tolist()
    own = np.asarray(topic)[where]
    topics = int(own.max(initial=-1)) + 1
    if not topics:
        return []
    ignored = stop_words(languages) | (_OF_REQUESTS if "en" in languages else frozenset())
    counting = library("sklearn.feature_extraction.text").CountVectorizer
    vectorizer = counting(analyzer=lambda text: terms(text, ignored), binary=True, dtype=np.int32)
    try:
        counts = vectorizer.fit_transform(texts[row] for row in where)
    except ValueError:  # no word in any text
        return [[] for _ in range(topics)]
    cells = (np.ones(len(where), np.int32), (own, np.arange(len(where))))
    by_topic = (library("scipy.sparse").csr_matrix(cells, (topics, len(where))) @ counts).tocsr()
    sizes = np.bincount(own, minlength=topics)
    words = vectorizer.get_feature_names_out()
    everywhere = np.asarray(by_topic.sum(axis=0)).ravel()
    rarity = np.log1p(by_topic.sum() / topics / np.maximum(everywhere, 1))
    found: list[list[str]] = []
    for number in range(topics):
        row = by_topic[number]
        chosen = _chosen(row.indices, row.data, row.data / sizes[number] * rarity[row.indices], words, count)
        inside: list[int] = np.flatnonzero(own == number)[:50].tolist()
        found.append(_as_written(chosen, [texts[where[at]] for at in inside]))
    return found


def terms(text: str, ignored: frozenset[str]) -> list[str]:
    """The words of a text in small letters, pairs of neighbours, and runs of letters where no blanks divide words."""
    found: list[str] = []
    before = ""
    for token in _TOKEN.findall(text[:_LONGEST].lower().replace("’", "'")):
        token = _ENDING.sub("", token.rstrip(".'-"))
        if _UNSPACED.match(token):
            found += _runs(token, ignored)
            before = ""
        elif len(token) < 2 or token in ignored or token.endswith("n't"):
            before = ""
        else:
            found += [token, f"{before} {token}"] if before and before != token else [token]
            before = token
    return found


def _runs(token: str, ignored: frozenset[str]) -> Iterator[str]:
    for size in (2, 3, 4):
        for at in range(len(token) - size + 1):
            run = token[at : at + size]
            if run not in ignored and not any(letter in ignored for letter in run):
                yield run


def _chosen(
    columns: npt.NDArray[Any], counts: npt.NDArray[Any], scores: npt.NDArray[Any], words: Any, count: int
) -> list[str]:
    """The best terms of a topic, none of which says what another says."""
    order = np.lexsort((words[columns], -scores))[:_CANDIDATES]
    often: dict[str, int] = {words[columns[at]]: int(counts[at]) for at in order}
    found: list[str] = []
    for term in sorted(often, key=lambda term: often[term] < 2):  # what one text alone has comes last
        if len(found) == count or (often[term] < 2 and len(found) >= 2):
            break
        if often[term] < 2 and _is_run(term):
            continue
        term = _longer(term, often)
        if not any(_says_the_same(term, other) for other in found):
            found.append(term)
    return found


def _is_run(term: str) -> bool:
    return " " in term or _UNSPACED.match(term) is not None


def _longer(term: str, often: Mapping[str, int]) -> str:
    """The term that this one is mostly a part of, or itself."""
    apart = "" if _UNSPACED.match(term) else " "
    while True:
        longer = [
            other
            for other in often
            if len(other) > len(term)
            and f"{apart}{term}{apart}" in f"{apart}{other}{apart}"
            and often[other] >= max(2.0, _NEARLY * often[term])
        ]
        if not longer:
            return term
        term = max(longer, key=lambda other: (often[other], other))


def _says_the_same(term: str, other: str) -> bool:
    """Whether two terms share a word, in any form of it."""
    if _UNSPACED.match(term):
        return any(term[at : at + 2] in other for at in range(len(term) - 1))
    return any(_same_stem(one, two) for one in term.split() for two in other.split())


def _same_stem(one: str, two: str) -> bool:
    shorter, longer = sorted((one, two), key=len)
    if len(shorter) < 4:
        return shorter == longer
    return (
        longer.startswith(shorter)
        and len(longer) - len(shorter) <= 3
        or (len(shorter) > 5 and longer[: len(shorter) - 1] == shorter[:-1] and len(longer) - len(shorter) <= 2)
    )


def _as_written(chosen: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Terms in the letters in which the texts mostly have them: SQL, Python, function."""
    return [_spelt(term, texts) for term in chosen]


def _spelt(term: str, texts: Sequence[str]) -> str:
    if _UNSPACED.match(term):
        return term
    pattern = re.compile(rf"(?<!\w){re.escape(term).replace(chr(92) + ' ', chr(92) + 's+')}(?!\w)", re.IGNORECASE)
    forms: Counter[str] = Counter()
    for text in texts:
        for found in pattern.finditer(text[:_LONGEST]):
            form = " ".join(found[0].split())
            begins = form[0].isupper() and _SENTENCE_BEGINS.search(text[max(0, found.start() - 8) : found.start()])
            if not (begins and form[1:].islower()):  # a capital says nothing there
                forms[form] += 1
    if not forms or forms[term] * 3 >= forms.total():
        return term
    return max(forms, key=lambda form: (forms[form], form))


def names_of(words: Sequence[Sequence[str]]) -> list[str]:
    """A name for each topic from its words; no two are the same."""
    names: list[str] = []
    taken: set[str] = set()
    for number, chosen in enumerate(words):
        name = ", ".join(chosen) or f"topic {number + 1}"
        if name.lower() in taken:
            name = f"{name} ({number + 1})"
        taken.add(name.lower())
        names.append(name)
    return names
