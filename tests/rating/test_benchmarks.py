"""Reading and matching of benchmarks, and the published table, digit for digit."""

from pathlib import Path

import numpy as np
import pytest

from arena_hard.data.records import UserError
from arena_hard.rating import benchmarks
from arena_hard.showing import correlation_table

HEAD = "benchmark,model,score,lower,upper,mean,var\n"
BOTH = HEAD + "".join(
    f"{bench},m{i},{sign * i},{sign * i - 0.1},{sign * i + 0.1},{sign * i},0.01\n"
    for bench, sign in (("up", 1), ("down", -1))
    for i in range(5)
)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    file = tmp_path / "both.csv"
    file.write_text(BOTH)
    return file


def written(tmp_path: Path, text: str, name: str = "one.csv") -> str:
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def test_benchmarks_of_one_file(both: Path) -> None:
    assert [source.name for source in benchmarks.read_sources(str(both))] == ["up", "down"]
    assert benchmarks.read_source(f"{both}:down", "mine").name == "mine"
    assert [source.name for source in benchmarks.read_benches([], f"{both}:up")] == ["down"]
    assert [source.name for source in benchmarks.read_benches([f"x={both}:up", str(both)], "?")] == ["x", "up", "down"]
    with pytest.raises(UserError, match="several benchmarks: up, down"):
        benchmarks.read_source(str(both))
    with pytest.raises(UserError, match="no benchmark 'sideways'"):
        benchmarks.read_source(f"{both}:sideways")


@pytest.mark.slow
def test_opposite_benchmarks(both: Path) -> None:
    (found,) = benchmarks.compare(benchmarks.read_benches([], f"{both}:up"), benchmarks.read_source(f"{both}:up"))
    assert found.correlation.agreement.value == -1.0 and found.correlation.spearman.value == pytest.approx(-1.0)


def test_leaderboard_of_this_project(tmp_path: Path) -> None:
    head = "model,score,rating_q025,rating_q975,CI,avg_tokens,date\n"
    text = head + 'm,50.0,46.08,53.92,"(-3.92, +3.92)",662.0,2024-09-30\n'
    source = benchmarks.read_source(written(tmp_path, text))
    assert (source.name, source.models, source.mean.tolist()) == ("one", ("m",), [50.0])
    assert source.std.tolist() == pytest.approx([2.0], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,rank\nm,1\n", "must have the columns model and score; it has model, rank"),
        ("model,score\n", "contains no model"),
        ("model,score\nm,high\n", "'high' is not a number"),
        ("model,score\nm,\n", "m has no score"),
        ("model,score\nm,1\nm,2\n", "occurs twice"),
    ],
)
def test_bad_files_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        benchmarks.read_source(written(tmp_path, text))


@pytest.mark.slow
def test_names_are_mapped_and_the_rest_is_listed(tmp_path: Path) -> None:
    reference = benchmarks.read_source(written(tmp_path, "model,score\na,1\nb,2\nc,3\nz,4\n", "ref.csv"))
    source = benchmarks.read_source(written(tmp_path, "model,score\nC,3\nb,2\na,1\ny,0\n", "bench.csv"))
    names = benchmarks.read_name_map(Path(written(tmp_path, '{"C": "c"}', "names.json")))
    assert names == benchmarks.read_name_map(Path(written(tmp_path, "C,c\n", "names.csv")))
    matched = benchmarks.match(source, reference, names)
    assert matched.source.models == matched.reference.models == ("a", "b", "c")
    assert matched.source.score.tolist() == [1.0, 2.0, 3.0]
    assert (matched.only_source, matched.only_reference) == (("y",), ("z",))
    lines = correlation_table.table_lines(benchmarks.compare([source], reference, names))
    assert lines[-2:] == ["Only in bench, not in ref (1): y", "Only in ref, not in bench (1): z"]
    assert "not known" in lines[-4]  # no spread is known: there is no Brier score
    with pytest.raises(UserError, match="2 models in common"):
        benchmarks.compare([source], reference)
    with pytest.raises(UserError, match="two models are mapped to a"):
        benchmarks.match(source, reference, {"b": "a"})


# ------------------------------------------------------------------------------------ published figures


@pytest.fixture
def meta(shared_data: Path) -> Path:
    return shared_data / "meta"


EXPECTED = {
    "arena-hard": ("84.21 (30)", ".8079", ".9040", ".8276", ".9138", ".9323", ".8316", ".070479"),
    "mt-bench": ("36.32 (121)", ".3898", ".6949", ".3966", ".6983", ".8932", ".7368", ".100829"),
    "alpaca-lc": ("87.89 (23)", ".7458", ".8729", ".7586", ".8793", ".8782", ".7053", ".134726"),
    "alpaca": ("71.05 (55)", ".5819", ".7910", None, None, ".7579", ".6211", ".164211"),
}


@pytest.mark.parametrize("reference_file", ["meta20.csv:chatbot-arena", "arena_20240329.csv"])
def test_the_published_table(meta: Path, reference_file: str) -> None:
    reference = benchmarks.read_source(str(meta / reference_file))
    benches = benchmarks.read_benches([f"{meta / 'meta20.csv'}:{name}" for name in EXPECTED], reference_file)
    published = benchmarks.compare(benches, reference, closed=False, rounds=10)
    closed = benchmarks.compare(benches, reference, rounds=10)
    rows, closed_rows = (
        [line.strip("| ").split(" | ") for line in correlation_table.table_lines(found, intervals=False)]
        for found in (published, closed)
    )
    assert rows[0][-4:] == list(EXPECTED)
    for column, expected in enumerate(EXPECTED.values(), 1):
        texts = [rows[row][column] for row in (3, 4, 5)] + [closed_rows[row][column] for row in (4, 5)]
        texts += [rows[row][column] for row in (7, 8, 9)]
        assert [text.removeprefix("0") for text in texts if text] == [
            want or text.removeprefix("0") for want, text in zip(expected, texts)
        ]
        assert (rows[6][column], closed_rows[6][column]) == ("177 of 190", "174 of 190")


def test_the_interval_over_models(meta: Path) -> None:
    reference = benchmarks.read_source(str(meta / "meta20.csv:chatbot-arena"))
    (found,) = benchmarks.compare([benchmarks.read_source(str(meta / "meta20.csv:arena-hard"))], reference)
    spearman = found.correlation.spearman
    assert spearman.lower is not None
    assert spearman.upper is not None
    assert np.round([spearman.lower, spearman.upper], 2).tolist() == [0.75, 0.99]
