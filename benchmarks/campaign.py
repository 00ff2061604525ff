"""Faults and kills for as long as one likes: is anything lost, doubled or poisoned, and what was asked in vain?

    python benchmarks/campaign.py                       five seeds, eight kills of each script
    python benchmarks/campaign.py --seeds 1 2 3 --kills 20 --questions 1000

Each campaign answers and judges the questions (two games each) at 64 in flight, against every fault of the
loopback server at once, while both scripts are killed with kill -9 at random. Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.fault_campaign import PARALLEL, Campaign, run_campaign  # noqa: E402
from tests.support.pipeline_bench import question  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="one campaign each")
    parser.add_argument("--kills", type=int, default=8, help="of each script")
    parser.add_argument("--questions", type=int, default=500)
    args = parser.parse_args()
    questions = [question(number) for number in range(1, args.questions + 1)]
    print(f"{args.questions} questions, {PARALLEL} in flight, {args.kills} kills of each script")
    kept = True
    for seed in args.seeds:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            found = run_campaign(Path(folder), questions, seed, args.kills)
        broken = broken_promises(found)
        kept = kept and not broken
        print(
            f"seed {seed}: {found.runs} runs in {time.perf_counter() - start:.0f} s, "
            f"{found.stats['requests']:,} requests, {found.stats['requests'] / found.necessary:.3f} of what "
            f"{sum(found.stats['faults'].values()):,} faults and the kills ({found.lost} replies lost) made "
            f"necessary; {'; '.join(broken) or 'nothing lost, doubled or poisoned'}",
            flush=True,
        )
    return 0 if kept else 1


def broken_promises(found: Campaign) -> list[str]:
    """What a campaign found wrong, for people."""
    broken = []
    for name, records in (("answers", found.answers), ("judgments", found.judgments)):
        ids = [row["question_id"] for row in records]
        broken += [f"{len(ids) - len(set(ids))} {name} doubled"] if len(set(ids)) < len(ids) else []
        broken += [f"{len(set(found.ids) - set(ids))} {name} lost"] if set(ids) != set(found.ids) else []
    broken += [f"{len(found.poisoned)} answers poisoned"] if found.poisoned else []
    broken += ["too many requests"] if found.stats["requests"] > 1.2 * found.necessary else []
    return broken


if __name__ == "__main__":
    sys.exit(main())
