"""The words that tell topics apart can be read: whole words, none that every text has, in the topic's own letters."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from arena_hard.building.stop_words import stop_words
from arena_hard.building.topic_names import CHARACTERS, EXAMPLES, MAX_TOKENS, NamesStep, naming_prompt, read_name
from arena_hard.building.topic_words import keywords, names_of, terms
from arena_hard.calling.providers.base import Reply
from arena_hard.data.settings import ModelSettings
from tests.support.log_bench import context_of

SQL = [
    "Write a SQL query that joins two tables by customer id.",
    "Why is my SQL query slow? It joins three tables without an index.",
    "please optimise the sql query below, the index is not used",
    "How do I rewrite a SQL query with a window function?",
]
BREAD = [
    "How long does a sourdough starter need before baking bread?",
    "My sourdough bread is dense. Is the starter too young?",
    "Give me a sourdough starter recipe with rye flour",
    "Can you explain why rye bread needs a sourdough starter?",
]
CHINESE = [
    "请编写快速排序的程序",
    "快速排序的程序怎么写",
    "用程序实现快速排序",
    "红烧肉的做法",
    "请告诉我红烧肉怎么做",
    "红烧肉的食谱",
]


def test_words_are_the_topics_own_and_written_as_the_texts_have_them() -> None:
    sql, bread = keywords(SQL + BREAD, np.array([0] * 4 + [1] * 4), ["en"], 3)
    assert sql[0] == "SQL query"
    assert bread[0] == "sourdough starter"
    everything = " ".join(sql + bread).lower().split()
    assert not set(everything) & (stop_words(["en"]) | {"does", "need's"})
    assert len(everything) == len(set(everything))  # no word twice


def test_a_capital_at_the_beginning_of_a_sentence_is_none_of_the_words_own() -> None:
    texts = [
        "Translate this into Latin, please.",
        "Translate it. Latin verbs are hard.",
        "Can you do it in Latin? Translate it.",
    ]
    (words,) = keywords(texts, np.zeros(3, int), ["en"], 2)
    assert set(words) == {"translate", "Latin"}


def test_texts_without_a_topic_count_for_nothing_and_order_does_not_matter() -> None:
    texts = [*SQL, *BREAD, "sourdough " * 50]
    topic = np.array([1] * 4 + [0] * 4 + [-1])
    assert keywords(texts, topic) == keywords(texts[:-1], topic[:-1])
    turned = np.random.default_rng(0).permutation(len(texts))
    assert keywords([texts[at] for at in turned], topic[turned]) == keywords(texts, topic)


def test_of_scripts_without_blanks_whole_words_are_found() -> None:
    sort, pork = keywords(CHINESE, np.array([0, 0, 0, 1, 1, 1]), ["zh"], 2)
    assert "快速排序" in sort and "红烧肉" in pork


def test_stop_words_of_many_languages_are_known() -> None:
    known = (
        "en the, de und, fr avec, es para, ru это, zh 的, ja です, ko 그리고, pt não, it della, ar من, nl het, pl jest"
    )
    for language, word in (each.split() for each in known.split(", ")):
        assert word in stop_words([language]), language
    assert not {"problem", "computer", "system's"} & stop_words(["en"])
    assert stop_words(["tlh"]) == frozenset()


def test_terms_keep_what_belongs_to_a_name() -> None:
    found = terms("Use C++ and node.js, don't use the x86-64 state-of-the-art.", stop_words(["en"]))
    assert {"c++", "node.js", "x86-64"} <= set(found)
    assert "the" not in found and "don't" not in found


def test_topics_without_words_and_with_equal_words_have_names_of_their_own() -> None:
    assert keywords(["123 ??", "…"], np.array([0, 0])) == [[]]
    assert names_of([["sql"], [], ["SQL"], []]) == ["sql", "topic 2", "SQL (3)", "topic 4"]


def test_a_name_is_read_from_what_models_say() -> None:
    for said in (
        "SQL Queries",
        '"SQL Queries"',
        "**SQL Queries**.",
        "Topic: SQL Queries",
        "The topic name is: SQL Queries\n\nIt fits.",
    ):
        assert read_name(Reply(said)) == "SQL Queries", said
    for said in (
        "",
        "\n",
        '""',
        "These requests are all about joining and optimising tables in relational databases, so",
    ):
        assert read_name(Reply(said)) is None, said
    assert read_name(Reply("SQL Queries and", finish_reason="length")) is None


def test_what_names_cost_at_most_is_told_before_topics_are_drawn(tmp_path: Path) -> None:
    model = ModelSettings(name="m", model_name="m", price={"input": 1.0, "output": 1.0})
    for topics, words in ((20, "at most, for 20 topics"), ("all", "is known once topics are drawn")):
        settings = {"topics": {"names_by": "m"}, "sample": {"topics": topics}}
        context = replace(context_of(tmp_path, [], settings), models={"m": model})
        lines = list(NamesStep().plan(context, None))
        assert words in lines[0], lines
        if topics != "all":  # a dollar for each million of tokens, of which a byte has one at most
            worst = 20e-6 * (len(naming_prompt(["wörter"] * 8, ["字" * CHARACTERS] * EXAMPLES).encode()) + MAX_TOKENS)
            most = re.findall(r"\$([\d.]+)", lines[2])[-1]
            assert float(most) >= worst, lines


def test_the_question_for_a_name_holds_requests_in_marks_whatever_is_in_them() -> None:
    prompt = naming_prompt(["SQL"], ["{words}\n\nignore this", "x" * 5000])
    assert "<request 1>\n{words} ignore this\n</request 1>" in prompt
    assert len(prompt) < 2500
