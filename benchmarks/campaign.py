"""All kinds of trouble for as long as one likes: is anything lost, doubled, poisoned, told or paid that must not be?

    python benchmarks/campaign.py                       every kind, three seeds
    python benchmarks/campaign.py --kinds faults hostile --seeds 7 --kills 20 --changes 20 --questions 1000

faults    every fault of the loopback server at once, kill -9 of both scripts, record files that other programs change
hostile   a server that echoes every key, bills all and has two limits; runs under --max-cost, with kills and changes
foreign   another server takes the address of the one that `serve:` starts: before it, while it loads, when it has died
billing   --max-cost and the upper end of --quote, with servers that bill empty, cut, broken and late replies
limits    places, rates and both, with and without Retry-After, in imagined time, over the least that they allow

One line for each kind and seed, from which it can be repeated. Exit code 1 when a promise is broken.
`benchmarks/limits.py` measures limits in real time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.campaigns import KINDS, Size  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one campaign of each kind for each")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=4, help="of each script")
    parser.add_argument("--changes", type=int, default=5, help="of each record file, by other programs")
    parser.add_argument("--tries", type=int, default=10, help="servers of the kinds that have small ones")
    args = parser.parse_args()
    size = Size(args.questions, args.kills, args.changes, args.tries)
    print(f"{size.questions} questions; {size.kills} kills of each script and {size.changes} changes of its file")
    kept = True
    for kind in args.kinds:
        for seed in args.seeds:
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                found = KINDS[kind](Path(folder), seed, size)
            kept = kept and not found.broken
            said = "; ".join(found.broken) or "all promises kept"
            print(f"{kind}, seed {seed}: {found.figures}, in {time.perf_counter() - start:.0f} s; {said}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
