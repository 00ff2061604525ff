"""500 answers from a server that takes 120 requests a minute: how many are refused? (None need be.)

    ARENA_HARD_TEST_SERVERS=.venv-servers/bin python benchmarks/quota.py [--parallel auto]

Against llmock, with the official questions where ARENA_HARD_SHARED_DATA names them. Takes three minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.pipeline_bench import Scratch, question, rows  # noqa: E402
from tests.support.third_party import call, llmock  # noqa: E402

QUESTIONS, PER_MINUTE = 500, 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parallel", default="64", help="requests in flight, or auto")
    parallel = parser.parse_args().parallel
    official = Path(os.environ.get("ARENA_HARD_SHARED_DATA", "/nonexistent")) / "arena-hard-v0.1/question.jsonl"
    questions = rows(official) or [question(number) for number in range(1, QUESTIONS + 1)]
    with tempfile.TemporaryDirectory() as folder, llmock("--rpm", str(PER_MINUTE)) as root:
        scratch = Scratch(Path(folder), f"{root}/v1")
        scratch.models["m"]["parallel"] = parallel if parallel == "auto" else int(parallel)
        scratch.set_questions(questions)
        start = time.perf_counter()
        with scratch.start("gen_answer.py") as process:
            process.communicate()
        seconds, verdict = time.perf_counter() - start, call(root, "/_llmock/verdict")
        answers = len(rows(scratch.answer_file()))
    full = len(questions) - PER_MINUTE  # the bucket is full at the start
    print(
        f"{answers} of {len(questions)} answers, {verdict['attempts'] - len(questions)} requests refused, "
        f"{seconds:.0f} s ({seconds / (full * 60 / PER_MINUTE):.3f} of the least that the limit allows); "
        f"findings: {verdict['findings'] or 'none'}"
    )
    return int(answers < len(questions) or verdict["attempts"] > len(questions))


if __name__ == "__main__":
    sys.exit(main())
