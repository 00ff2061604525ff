"""The labels' probabilities from those of tokens: by hand, and as llama.cpp gave them."""

from __future__ import annotations

import math
import random

import pytest

from arena_hard.calling.providers.base import Token
from arena_hard.calling.providers.token_odds import tokens_in
from arena_hard.data.verdicts import LABELS, standard_label
from arena_hard.judging.label_probabilities import Odds, odds, odds_of_label

NUMBERS = {str(number): label for number, label in enumerate(LABELS, 1)}


def token(text: str, own: float, least: float = 0.0, **others: float) -> Token:
    return Token(text, math.log(own), tuple((other, math.log(p)) for other, p in others.items()), least)


def with_others(text: str, own: float, others: dict[str, float], least: float = 0.0) -> Token:
    return Token(text, math.log(own), tuple((other, math.log(p)) for other, p in others.items()), least)


def read(tokens: list[Token], written: str = "A>B") -> Odds:
    text = "".join(each.text for each in tokens)
    found = odds_of_label(tokens, text, text.index(written), written)
    assert found is not None
    assert sum(found.probabilities.values()) == pytest.approx(1.0, abs=1e-12)
    assert list(found.probabilities) == list(LABELS)
    return found


def test_a_label_of_one_token_is_read_exactly() -> None:
    others = {"A>>B": 0.1, "A=B": 0.2, "B>A": 0.15, "B>>A": 0.05, "C": 0.1}
    found = read([token("[[", 1.0), with_others("A>B", 0.4, others), token("]]", 1.0)])
    assert found.probabilities == pytest.approx(dict(zip(LABELS, (1 / 9, 4 / 9, 2 / 9, 1.5 / 9, 0.5 / 9))))
    assert found.unknown == 0.0


def test_where_no_alternatives_are_listed_what_is_left_belongs_to_the_others() -> None:
    def number(own: float) -> Odds | None:
        tokens = tokens_in({"content": [{"token": "4", "logprob": math.log(own), "top_logprobs": None}]})
        return odds(tokens or (), "4", 0, NUMBERS, "4")

    expected = dict.fromkeys(LABELS, 0.025) | {"B>A": 0.9}
    assert number(0.9) == (pytest.approx(expected), pytest.approx(0.1))
    assert number(1.0) == (pytest.approx(dict.fromkeys(LABELS, 0.0) | {"B>A": 1.0}), 0.0)
    assert number(0.4) is None  # most of it is not known
    letter = read([token("A", 0.8, 0.2), token(">", 1.0), token("B", 1.0)])
    assert letter == (
        pytest.approx(dict.fromkeys(LABELS, 0.0) | {"A>B": 0.8, "B>A": 0.1, "B>>A": 0.1}),
        pytest.approx(0.2),
    )


def test_labels_of_several_tokens_are_products_along_the_way() -> None:
    tokens = [with_others("A", 0.8, {"B": 0.2}), with_others(">", 0.7, {">>": 0.2, "=": 0.1}),
              with_others("B", 0.9, {">": 0.1}), token("]]", 1.0)]  # fmt: skip
    found = read(tokens)
    shares = {"A>>B": 0.8 * 0.2 + 0.8 * 0.7 * 0.1, "A>B": 0.8 * 0.7 * 0.9, "A=B": 0.8 * 0.1, "B>A": 0.1, "B>>A": 0.1}
    # A>> and A= are begun, and can become nothing else; only of B nobody knows more
    assert found.probabilities == pytest.approx(shares)
    assert found.unknown == pytest.approx(0.2)


def test_brackets_and_label_may_share_tokens() -> None:
    apart = read([with_others("[[A", 0.5, {"[[B": 0.5}), token(">", 1.0), token("B]]", 1.0)])
    assert apart.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.5, "A=B": 0, "B>A": 0.25, "B>>A": 0.25})
    otherwise_cut = read([with_others("[[A", 0.6, {"[[": 0.2, "[[B": 0.2}), token(">B]]", 1.0)])
    # [[ alone may become any of the five
    shares = {"A>>B": 0.04, "A>B": 0.64, "A=B": 0.04, "B>A": 0.14, "B>>A": 0.14}
    assert otherwise_cut == (pytest.approx(shares), pytest.approx(0.4))
    # and where the written token tells no more, it tells of none of them
    both = read([with_others("[[", 0.6, {"[": 0.4}), with_others("A>B", 0.7, {"B>A": 0.3}), token("]]", 1.0)])
    assert both == (pytest.approx({"A>>B": 0, "A>B": 0.7, "A=B": 0, "B>A": 0.3, "B>>A": 0}), pytest.approx(0.4))


@pytest.mark.parametrize("letters", ["AB", "BA"])
@pytest.mark.parametrize("sign", [">", "<"])
def test_beside_a_doubled_sign_a_single_one_is_followed_by_the_letter(letters: str, sign: str) -> None:
    """Tokenizers have >> as one token: the label is [[, A, >>, B, ]] or [[, A, >, B, ]]."""
    first, last = letters
    one, two = f"{first}{sign}{last}", f"{first}{sign * 2}{last}"

    def written(sign: str, **others: float) -> list[Token]:
        signs = with_others(sign, 1 - sum(others.values()), others)
        return [token("[[", 1.0), token(first, 1.0), signs, token(last, 1.0), token("]]", 1.0)]

    expected = dict.fromkeys(LABELS, 0.0) | {str(standard_label(one)): 0.45, str(standard_label(two)): 0.55}
    assert read(written(sign * 2, **{sign: 0.45}), two) == (pytest.approx(expected), 0.0)
    assert read(written(sign, **{sign * 2: 0.55}), one) == (pytest.approx(expected), 0.0)
    three = read(written(sign * 2, **{sign: 0.3, "=": 0.2}), two).probabilities
    assert (three[str(standard_label(one))], three["A=B"]) == (pytest.approx(0.3), pytest.approx(0.2))
    # seen as an alternative only
    third = read(written("=", **{sign: 0.3, sign * 2: 0.2}), f"{first}={last}")
    assert third.probabilities == pytest.approx(
        dict.fromkeys(LABELS, 0.0) | {"A=B": 0.5, str(standard_label(one)): 0.3, str(standard_label(two)): 0.2}
    )
    assert third.unknown == 0.0


def test_what_may_be_several_labels_is_not_given_to_the_written_one() -> None:
    """Here the tokenizer has >B, so that a > may still become either."""
    tokens = [token("[[", 1.0), token("A", 1.0), with_others(">B", 0.55, {">": 0.45}), token("]]", 1.0)]
    found = read(tokens)
    assert found == (
        pytest.approx({"A>>B": 0.225, "A>B": 0.775, "A=B": 0, "B>A": 0, "B>>A": 0}), pytest.approx(0.45)
    )  # fmt: skip
    # where something is known of each, that is the best guess
    each = read([with_others("A>B", 0.3, {"A>>B": 0.1, "A>": 0.4, "B>A": 0.2})])
    assert each.probabilities["A>B"] == pytest.approx(0.3 + 0.4)  # A>>B has a token of its own
    letter = read([with_others("A>B", 0.3, {"B>A": 0.3, "B>>A": 0.1, "B": 0.3})])
    assert letter.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.3, "A=B": 0, "B>A": 0.525, "B>>A": 0.175})
    assert letter.unknown == pytest.approx(0.3)


@pytest.mark.parametrize("cut", [("[[",), ("[", "["), (" **[", "[")])
def test_alternatives_to_the_brackets_count(cut: tuple[str, ...]) -> None:
    before = [{"token": each, "logprob": 0.0} for each in ("So", *cut)]
    other = {"token": f"{cut[-1]}B", "logprob": math.log(0.3)}
    before[-1] = {"token": cut[-1], "logprob": math.log(0.7), "top_logprobs": [other]}
    letter = {"token": "A", "logprob": math.log(0.9), "top_logprobs": [{"token": "B", "logprob": math.log(0.1)}]}
    rest = [{"token": each, "logprob": 0.0} for each in (">", "B", "]]")]
    tokens = tokens_in({"content": [*before, letter, *rest]})
    assert tokens is not None
    found = read(list(tokens))
    assert found.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.63, "A=B": 0, "B>A": 0.185, "B>>A": 0.185})
    assert found.unknown == pytest.approx(0.37)


def test_the_label_counts_where_it_is_said_and_not_where_it_is_repeated() -> None:
    tokens = [Token(" ", 0.0), with_others("A>B", 0.5, {"B>A": 0.5}), Token(" ", 0.0), token("A>B", 1.0)]
    assert read(tokens).probabilities["B>A"] == pytest.approx(0.5)
    # a thought before the text says it too
    found = odds_of_label([token("A>B", 1.0), *tokens], "So A>B, thus A>B", 3, "A>B")
    assert found is not None
    assert found.probabilities["B>A"] == pytest.approx(0.5)


def test_other_spellings_mean_the_same() -> None:
    found = read([with_others("A", 1.0, {}), with_others("<", 0.75, {">": 0.25}), token("B", 1.0)], "A<B")
    assert found.probabilities == pytest.approx({"A>>B": 0.125, "A>B": 0.125, "A=B": 0, "B>A": 0.75, "B>>A": 0})


def test_a_judge_that_writes_the_same_letter_first_may_have_said_the_other_sign() -> None:
    def sign(own: str, **others: float) -> list[Token]:
        return [token("[[", 1.0), token("A", 1.0), with_others(own, 0.51, others), token("B", 1.0), token("]]", 1.0)]

    better = read(sign(">", **{"<": 0.49}))
    assert better.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.51, "A=B": 0, "B>A": 0.245, "B>>A": 0.245})
    worse = read(sign("<", **{">": 0.49}), "A<B")
    assert worse.probabilities == pytest.approx({"A>>B": 0.245, "A>B": 0.245, "A=B": 0, "B>A": 0.51, "B>>A": 0})
    assert better.unknown == worse.unknown == pytest.approx(0.49)
    whole = read([with_others("A>B", 0.4, {"A<B": 0.3, "B=A": 0.1, "B<<A": 0.15, "A<<B": 0.05})])
    assert whole == (pytest.approx({"A>>B": 0.15, "A>B": 0.4, "A=B": 0.1, "B>A": 0.3, "B>>A": 0.05}), 0.0)


@pytest.mark.parametrize("before", ["", " ", "\n", ' "', "\n\n", "**", ": "])
@pytest.mark.parametrize("other", ["", " ", "\n", '"', "**"])
def test_blanks_before_a_label_say_nothing(before: str, other: str) -> None:
    answer = with_others(f"{before}2", 0.4, {f"{other}1": 0.35, f"{other}3": 0.25})
    found = odds([answer], answer.text, answer.text.index("2"), NUMBERS, "2")
    assert found == (pytest.approx(dict(zip(LABELS, (0.35, 0.4, 0.25, 0, 0)))), 0.0)
    glued = [with_others(f"{before}[[A>B", 0.4, {f"{other}[[A=B": 0.35, f"{other}[[B>A": 0.25}), token("]]", 1.0)]
    assert read(glued).probabilities == pytest.approx({"A>>B": 0, "A>B": 0.4, "A=B": 0.35, "B>A": 0.25, "B>>A": 0})


def test_blanks_within_a_label_say_nothing() -> None:
    apart = [token("A", 1.0), with_others(" >", 0.5, {">": 0.2, ">>": 0.2, " >>": 0.1}), token(" B", 1.0)]
    for tokens, written in ((apart, "A > B"), ([apart[0], apart[1], token(" ", 1.0), token("B", 1.0)], "A > B")):
        assert read(tokens, written).probabilities == pytest.approx(dict(zip(LABELS, (0.3, 0.7, 0, 0, 0))))
    alone = [with_others("A", 0.5, {" ": 0.3, "\n": 0.2}), token(">", 1.0), token("B", 1.0)]
    assert read(alone) == (pytest.approx(dict(zip(LABELS, (0, 1, 0, 0, 0)))), 0.0)


def test_certain_labels_are_certain() -> None:
    for label in LABELS:
        found = read([token(character, 1.0) for character in f"[[{label}]]"], label)
        assert found == Odds({each: float(each == label) for each in LABELS}, 0.0)


def test_numbers_are_single_tokens_and_12_is_not_1() -> None:
    answer = with_others("4", 0.4, {"1": 0.1, " 2": 0.1, "12": 0.2, "3": 0.1, "5": 0.1})
    found = odds([answer], "4", 0, NUMBERS, "4")
    assert found is not None
    assert found.probabilities == pytest.approx(dict(zip(LABELS, (0.125, 0.125, 0.125, 0.5, 0.125))))
    said = '{"verdict": "4"}'
    tokens = [Token('{"', 0.0), Token(" ", 0.0), Token('":', 0.0), with_others(' "', 1.0, {}), answer, Token('"}', 0.0)]
    assert odds(tokens, said, said.index("4"), NUMBERS, "4") is not None


def test_what_a_server_does_not_list_is_said_and_too_much_of_it_is_no_reading() -> None:
    few = odds([with_others("4", 0.5, {"1": 0.3, "2": 0.1}, least=0.05)], "4", 0, NUMBERS, "4")
    assert few is not None
    assert few.unknown == pytest.approx(0.1 / 1.0)  # of 3 and 5, at most 0.05 each
    assert odds([with_others("4", 0.001, {}, least=0.02)], "4", 0, NUMBERS, "4") is None


@pytest.mark.parametrize("tokens", [[], [token("A", 1.0)], [token("A", 1.0), token("x", 1.0)], [token("B>A", 1.0)]])
def test_tokens_that_do_not_hold_the_label_tell_nothing(tokens: list[Token]) -> None:
    assert odds_of_label(tokens, "A>B", 0, "A>B") is None


def test_any_way_to_cut_a_text_into_tokens_gives_the_same_label() -> None:
    choose = random.Random(1)
    for _ in range(200):
        label = choose.choice(LABELS)
        text = f"[[{label}]]"
        cuts = sorted({0, len(text), *choose.sample(range(1, len(text)), choose.randint(0, 4))})
        tokens = [with_others(text[a:b], 0.6, {"zz": 0.4}) for a, b in zip(cuts, cuts[1:])]
        found = odds_of_label(tokens, text, 2, label)
        assert found is not None, (label, cuts)
        assert found.probabilities[label] == pytest.approx(1.0)


def test_tokens_of_llama_cpp() -> None:
    """SmolLM2-135M, asked for [[…]] by a grammar: probabilities are those before the grammar."""
    first = Token(
        "B", -3.905, (("1", -1.93), ("2", -2.14), ("3", -3.16), ("5", -3.9), ("4", -3.96), ("A", -4.22)), 0.009
    )
    then = Token(">", -8.068, (("-", -3.85), (":", -3.89)), 0.0055)
    last = Token("A", -4.389, (("2", -1.84), ("5", -2.01), ("B", -4.06)), 0.006)
    tokens = [Token("[", -9.589), Token("[", -10.117), first, then, last, Token("]", -0.724), Token("]", -8.127)]
    found = odds_of_label(tokens, "[[B>A]]", 2, "B>A")
    assert found is not None
    a, b = math.exp(-4.22), math.exp(-3.905)  # the first letter, whatever would have followed it without the grammar
    rest = 0.006 / (0.006 + math.exp(-4.389))  # > in the place of the last A is not listed, and at most this
    assert found.unknown == pytest.approx((a + b * rest) / (a + b), abs=0.01)
    assert found.probabilities["B>A"] == pytest.approx(b * (1 - rest) / (a + b * (1 - rest)))
    assert found.probabilities["A=B"] == pytest.approx(found.probabilities["A>>B"])
