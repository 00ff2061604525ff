"""A bench that has grown: models judged by several judges in this project's own records, made from a seed.

    python -m benchmarks.make_growth FOLDER [--models 50] [--questions 20000] [--judges 2] [--seed 1]

FOLDER gets the configs, and data/growth with questions, answers and judgments: 14 GB for 2 million judgments. The model
`new` has answers alone, the model `almost` lacks its last judgments. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import utils  # noqa: E402
from arena_hard.answering.requests import answer_shaping_settings  # noqa: E402
from arena_hard.data.records import Question  # noqa: E402
from arena_hard.data.settings import short_hash  # noqa: E402
from arena_hard.judging.prompts import judgment_shaping_settings  # noqa: E402
from benchmarks.make_judgments import LABELS, WORDS  # noqa: E402

BENCH, BASELINE, NEW, ALMOST = "growth", "base", "new", "almost"
LACKING = 50  # judgments of `almost`, for each judge
JUDGES = ("judge-a", "judge-b", "judge-c", "judge-d")
TEMPLATE = "Question: {question_1}\n\nAnswer A: {answer_1}\n\nAnswer B: {answer_2}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    add_sizes(parser)
    args = parser.parse_args()
    print(f"{make(args.folder, args.models, args.questions, args.judges, args.seed):,} bytes in {args.folder}")


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """The flags that say how large the bench is."""
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--judges", type=int, default=2, choices=range(1, len(JUDGES) + 1))
    parser.add_argument("--seed", type=int, default=1)


def names_of(models: int) -> list[str]:
    """The models that are answered and judged in full."""
    return [f"model-{number:02d}" for number in range(models)]


def make(folder: Path, models: int, questions: int, judges: int, seed: int = 1, address: str = "") -> int:
    """Write configs and bench; returns the bytes of the records."""
    write_configs(folder, names_of(models), judges, address or "http://127.0.0.1:9/v1")
    bench = folder / "data" / BENCH
    texts = _Texts(seed)
    asked = {f"{seed:08x}{number:024x}": texts.of(300, 300) for number in range(questions)}
    hashes = {key: Question(key, (text.replace("\\n", "\n"),)).hash for key, text in asked.items()}
    _write(bench / "question.jsonl", (_question(key, text) for key, text in asked.items()))
    size = 0
    made_with = _hashes(folder)
    base: list[str] = []
    for name in (BASELINE, *names_of(models), ALMOST, NEW):
        said = [texts.of(300, 1500) for _ in asked]
        base = base or said
        answers = (_answer(name, *each, made_with[name]) for each in zip(asked, said, hashes.values()))
        size += _write(bench / "model_answer" / f"{name}.jsonl", answers)
        for judge in JUDGES[:judges] if name not in (BASELINE, NEW) else ():
            rows = zip(asked.items(), base, said)
            lines = (_judgment(name, judge, *each, made_with[judge], texts) for each in rows)
            file = bench / "model_judgment" / judge / f"{name}.jsonl"
            size += _write(file, lines, questions - LACKING * (name == ALMOST))
    return size


def write_configs(folder: Path, names: list[str], judges: int, address: str) -> None:
    """The configs of both stages, with all models on the list, `new` and `almost` aside."""
    (folder / "config").mkdir(parents=True, exist_ok=True)
    listed = f"[{', '.join(names)}]"
    entry = f"{{endpoints: [{{api_base: '{address}', api_key: k}}], parallel: 32, price: {{input: 1, output: 1}}}}"
    every = [BASELINE, *names, ALMOST, NEW, *JUDGES[:judges]]
    (folder / "config" / "api_config.yaml").write_text(
        "".join(f"{name}: {entry[:1]}model_name: {name}, {entry[1:]}\n" for name in every)
    )
    (folder / "config" / "gen_answer_config.yaml").write_text(f"bench_name: {BENCH}\nmodel_list: {listed}\n")
    template = TEMPLATE.replace("\n", "\\n")
    (folder / "config" / "judge_config.yaml").write_text(
        f"bench_name: {BENCH}\njudge_model: [{', '.join(JUDGES[:judges])}]\nbaseline_model: {BASELINE}\n"
        f'system_prompt: Judge.\nprompt_template: ["{template}"]\nmodel_list: {listed}\n'
    )


def _hashes(folder: Path) -> dict[str, str]:
    """The settings_hash of the records of each model or judge."""
    config = folder / "config"
    answers = utils.load_answer_settings(config / "gen_answer_config.yaml")
    judging = utils.load_judge_settings(config / "judge_config.yaml")
    names = [BASELINE, *answers.model_list, ALMOST, NEW]
    models = utils.load_models(config / "api_config.yaml", names)
    judges = utils.load_models(config / "api_config.yaml", judging.judges)
    found = {model.name: short_hash(answer_shaping_settings(model, answers)) for model in models}
    return found | {judge.name: short_hash(judgment_shaping_settings(judge, judging, BENCH)) for judge in judges}


class _Texts:
    """Texts as they stand in JSON, put together from paragraphs that were made once."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._paragraphs = [" ".join(self.random.choices(WORDS, k=15)).capitalize() + "." for _ in range(2000)]
        self._length = sum(map(len, self._paragraphs)) / len(self._paragraphs)
        self.explanations = [self.of(700, 700) for _ in range(500)]

    def of(self, least: int, most: int) -> str:
        """A text of so many characters, about."""
        count = round((least + (most - least) * self.random.random()) / self._length)
        return "\\n\\n".join(self.random.choices(self._paragraphs, k=max(1, count)))


def _question(key: str, text: str) -> str:
    return f'{{"question_id":"{key}","category":"{BENCH}","turns":[{{"content":"{text}"}}]}}\n'


def _answer(model: str, key: str, text: str, question_hash: str, made_with: str) -> str:
    return (
        f'{{"question_id":"{key}","answer_id":"{key[-22:]}","model_id":"{model}","choices":[{{"index":0,"turns":'
        f'[{{"content":"{text}","token_len":200}}]}}],"tstamp":1.7e9,"finish_reason":"stop","usage":{{"prompt_tokens":90,'
        f'"completion_tokens":200}},"served_model":null,"settings_hash":"{made_with}","question_hash":"{question_hash}"}}\n'
    )


def _judgment(
    model: str, judge: str, question: tuple[str, str], base: str, said: str, made_with: str, texts: _Texts
) -> str:
    key, asked = question
    games: list[str] = []
    for first, second in ((base, said), (said, base)):
        shown = TEMPLATE.replace("\n", "\\n").format(question_1=asked, answer_1=first, answer_2=second)
        verdict = texts.random.choice(LABELS)
        text = f"{texts.random.choice(texts.explanations)}\\n\\nMy final verdict is: [[{verdict}]]"
        games.append(
            f'{{"user_prompt":"{shown}","judgment":"{text}","score":"{verdict}","usage":{{"prompt_tokens":600,'
            f'"completion_tokens":150}},"served_model":null,"finish_reason":"stop"}}'
        )
    return (
        f'{{"question_id":"{key}","model":"{model}","judge":"{judge}","games":[{",".join(games)}],"baseline":"{BASELINE}",'
        f'"settings_hash":"{made_with}"}}\n'
    )


def _write(file: Path, lines: Iterator[str], most: int | None = None) -> int:
    """Write the first of some lines; returns the bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", encoding="ascii") as stream:
        stream.writelines(line for number, line in enumerate(lines) if most is None or number < most)
    return file.stat().st_size


if __name__ == "__main__":
    main()
