"""How long gen_answer.py takes with servers that have limits, over the least that these allow.

    python benchmarks/limits.py [--only PART OF A NAME] [--questions 400] [--without-original]

Servers with so many places, with a rate (a bucket or windows), with and without Retry-After, and with faults. The time
is the server's, from the first request to the last reply. Beside it the original's way: as many threads, each of which
sleeps after a refusal and asks again, up to 16 times. Its sleep of 10 s is scaled to 1 s, which is in its favour.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.limited_server import Limited, limited_server  # noqa: E402
from tests.support.pipeline_bench import Scratch, question  # noqa: E402
from tests.support.server_limits import Places, Tokens, Whatever, Windows  # noqa: E402

RETRIES, SLEEP = 16, 1.0
AT_ONCE = 512  # what `auto` may come to


@dataclass
class Case:
    """least: the seconds that the limit allows, whatever is in flight; parallels: each is run; extra: of the entry."""

    name: str
    servers: list[dict[str, Any]]
    least: float = 0.0
    places: int = AT_ONCE
    parallels: tuple[int | str, ...] = (64,)
    questions: int = 400
    extra: dict[str, Any] = field(default_factory=dict)

    def ideal(self, parallel: int | str) -> float:
        """The least seconds with so many in flight."""
        most = min(self.places, AT_ONCE if parallel == "auto" else int(parallel))
        good = [server for server in self.servers if not isinstance(server.get("limit"), Whatever)] or self.servers
        seconds = max(server.get("seconds", 0.5) for server in good)
        return max(self.least, math.ceil(self.questions / most) * seconds)


def cases(count: int) -> list[Case]:
    """What is measured with `count` questions."""
    every: tuple[int | str, ...] = (8, 40, 64, 200, "auto")
    found = [
        Case("40 places, 0.5 s", [{"limit": Places(40)}], places=40, parallels=every),
        Case("40 places, 2 s", [{"limit": Places(40), "seconds": 2.0}], places=40),
        Case("40 places, 503", [{"limit": Places(40), "status": 503}], places=40),
    ]
    for tells in ("nothing", "seconds"):
        told = ", Retry-After" if tells == "seconds" else ""
        bucket = {"limit": Tokens(20, 20), "tells": tells}
        found.append(Case(f"20 a second, bucket of 20{told}", [bucket], (count - 20) / 20, parallels=(8, 64, "auto")))
        strict = {"limit": Tokens(10, 1), "tells": tells}
        found.append(Case(f"10 a second, one by one{told}", [strict], (count - 1) / 10))
        window = {"limit": Windows(60, 3.0), "tells": tells}
        found.append(Case(f"60 in each 3 s{told}", [window], (math.ceil(count / 60) - 1) * 3.0))
    for case in found:
        case.questions = count
    odd = {"limit": Whatever(2, 0.02), "tells": "exactly", "seconds": 0.0}
    never = {"limit": Whatever(1)}
    later = {"limit": Whatever(1, 30.0), "tells": "seconds"}
    return [
        *found,
        Case("every other refused", [odd], 0.02 * 400 / 2, parallels=(4,)),
        Case("two endpoints, one refuses all", [never, {"seconds": 0.1}], parallels=(8,), questions=100),
        Case("two endpoints, one tells 30 s", [later, {"seconds": 0.1}], parallels=(8,), questions=100),
        Case("one refuses all, deadline 10 s", [never], 10.0, questions=64, extra={"deadline": 10}),
        Case("a wrong key, told after 2 s", [{"key": "another", "key_seconds": 2.0}], 2.0, questions=100),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--without-original", action="store_true")
    args = parser.parse_args()
    print(f"{'server':<40} parallel  ideal s | seconds  ratio  requests  done | original's way: ratio  requests  done")
    for case in (case for case in cases(args.questions) if args.only in case.name):
        for parallel in case.parallels:
            ideal = case.ideal(parallel)
            line = f"{case.name:<40} {parallel!s:>8}  {ideal:>7.1f} | "
            line += "{:>7.1f}  {:>5.2f}  {:>8}  {:>4}".format(*measured(case, parallel, ideal, original=False))
            if not args.without_original and parallel != "auto" and len(case.servers) == 1:
                _, *beside = measured(case, parallel, ideal, original=True)
                line += " |                {:>6.2f}  {:>8}  {:>4}".format(*beside)
            print(line, flush=True)
    return 0


def measured(case: Case, parallel: int | str, ideal: float, original: bool) -> tuple[float, float, int, int]:
    """Seconds, their ratio to the ideal, requests, and what was had."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        servers = [stack.enter_context(limited_server(Limited(**_anew(each)))) for each in case.servers]
        start = time.monotonic()
        if original:
            ask_as_the_original(servers[0].address, case.questions, int(parallel))
        else:
            ask_with_the_script(Path(folder), servers, case, parallel)
        taken = sum(server.taken for server in servers)
        began = min(server.began for server in servers if server.began)
        ended = max(server.ended for server in servers) if taken else time.monotonic()
        seconds = ended - (began if began else start)
        return seconds, seconds / ideal, sum(server.requests for server in servers), taken


def _anew(server: dict[str, Any]) -> dict[str, Any]:
    """With a limit of which nothing is used up."""
    limit = server.get("limit")
    if limit is None:
        return server
    names = [name for name in limit.__dataclass_fields__ if not name.startswith("_")]
    return {**server, "limit": type(limit)(*(getattr(limit, name) for name in names))}


def ask_with_the_script(folder: Path, servers: list[Limited], case: Case, parallel: int | str) -> None:
    scratch = Scratch(folder, servers[0].address)
    endpoints = [{"api_base": server.address, "api_key": "k"} for server in servers]
    scratch.models["m"] |= {"parallel": parallel, "backoff": 1.0, "endpoints": endpoints} | case.extra
    scratch.set_questions([question(number) for number in range(1, case.questions + 1)])
    with scratch.start("gen_answer.py") as process:
        process.communicate()


def ask_as_the_original(address: str, count: int, parallel: int) -> None:
    """A thread for each slot; a refusal is slept over."""

    def call(number: int) -> None:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": str(number)}]}).encode()
        request = urllib.request.Request(f"{address}/chat/completions", body, {"authorization": "Bearer k"})
        for _ in range(RETRIES):
            try:
                with urllib.request.urlopen(request) as reply:
                    json.load(reply)
                return
            except urllib.error.URLError:
                time.sleep(SLEEP)

    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(call, range(count)))


if __name__ == "__main__":
    sys.exit(main())
