"""How fast gen_answer.py is, beside the original's way of calling, against the loopback server.

  python benchmarks/calls.py                    2,000 requests of 2 KB in and 4 KB out, three settings
  python benchmarks/calls.py --memory           memory over 20,000 requests (10 models) against 2,000
  python benchmarks/calls.py --inspect PYTHON   with inspect_ai, which is installed for that Python

Printed: wall time over the ideal, ceil(N / parallel) · latency, from the program's start to its end, imports, and for
the script token counts and files included; CPU of the client for each request; peak memory. Beside it bare aiohttp, the
bare SDK and inspect_ai (callers.py). The original's way is a thread pool in which every call makes a client of its own;
it and inspect_ai are measured on fewer requests, for they are slow. The server is a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.callers import MOST_TOKENS, PROMPT  # noqa: E402
from tests.loopback import Server, running_server  # noqa: E402

SETTINGS = ((0.05, 64, 1.25), (1.0, 256, 1.12), (5.0, 512, 1.08))  # latency, in flight, goal


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--original-requests", type=int, default=256, help="0 leaves the original's way out")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--inspect", metavar="PYTHON", help="one for which inspect_ai is installed")
    args = parser.parse_args()
    if args.memory:
        for models in (1, 10):
            _, _, peak = measured_script(0.0, 64 // models, args.requests, models)
            print(f"{models * args.requests:>6} requests: peak {peak:.0f} MB", flush=True)
        return 0
    print("latency  in flight  way              requests  wall/ideal  CPU ms/request  peak MB")
    for latency, parallel, goal in SETTINGS:
        for way, count, (wall, cpu, peak) in measured_ways(args, latency, parallel):
            name, ratio = f"{way} ({goal:g})" if way == "script" else way, wall / ideal(count, parallel, latency)
            said = f"{latency:>5g} s  {parallel:>9}  {name:<15}  {count:>8}  {ratio:>10.2f}"
            print(f"{said}  {cpu * 1000:>14.2f}  {peak:>7.0f}", flush=True)
    return 0


Measured = tuple[float, float, float]  # wall seconds, CPU seconds for each request, peak MB


def measured_ways(args: argparse.Namespace, latency: float, parallel: int) -> Iterator[tuple[str, int, Measured]]:
    """Each way, on how many requests, and what it took."""
    count, few = args.requests, max(args.original_requests, parallel)
    yield "script", count, measured_script(latency, parallel, count)
    for way in ("aiohttp", "sdk"):
        yield way, count, measured_caller(sys.executable, way, latency, parallel, count)
    if args.inspect:
        yield "inspect_ai", few, measured_caller(args.inspect, "inspect", latency, parallel, few)
    if args.original_requests:
        yield "original's way", few, (original_seconds(latency, parallel, few), math.nan, math.nan)


def ideal(count: int, parallel: int, latency: float) -> float:
    return math.ceil(count / parallel) * latency


def measured_script(latency: float, parallel: int, count: int, models: int = 1) -> Measured:
    """The whole script; `count` requests a model."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(latency, models) as server,
    ):
        write_bench(Path(folder), server.openai_base, parallel, count, models)
        command = [sys.executable, str(ROOT / "gen_answer.py")]
        usage = used_by([*command, "--setting-file", "answer.yaml", "--endpoint-file", "api.yaml"], folder)
        for file in (Path(folder) / "data/b/model_answer").glob("*.jsonl"):
            with open(file, "rb") as stream:
                assert sum(1 for _ in stream) == count
    return usage["wall"], usage["cpu"] / count / models, usage["peak_mb"]


def serving(latency: float, models: int = 1) -> contextlib.AbstractContextManager[Server]:
    """A server that knows one key and the models m0, m1 and so on, as those of providers do."""
    names = [f"m{number}" for number in range(models)]
    return running_server(latency=latency, reply="size=4096", keep_requests=10, keys=["k"], served_models=names)


def measured_caller(python: str, way: str, latency: float, parallel: int, count: int) -> Measured:
    """A way of callers.py."""
    with serving(latency) as server:
        command = [python, str(ROOT / "benchmarks/callers.py"), way, server.openai_base]
        usage = used_by([*command, "--count", str(count), "--parallel", str(parallel)], None)
    return usage["wall"], usage["cpu"] / count, usage["peak_mb"]


def used_by(command: list[str], folder: str | None) -> dict[str, float]:
    """What a program used that ran there."""
    measuring = [sys.executable, __file__, "--child", *command]
    done = subprocess.run(measuring, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def write_bench(folder: Path, base: str, parallel: int, count: int, models: int) -> None:
    bench = folder / "data" / "b"
    bench.mkdir(parents=True)
    rows = ({"question_id": f"{n:032x}", "turns": [{"content": f"{n} {PROMPT}"}]} for n in range(count))
    (bench / "question.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = [f"m{number}" for number in range(models)]
    (folder / "answer.yaml").write_text(f"bench_name: b\nmodel_list: {names}\nmax_tokens: {MOST_TOKENS}\n")
    (folder / "api.yaml").write_text(
        "".join(
            f"{name}: {{model_name: {name}, parallel: {parallel}, endpoints: [{{api_base: '{base}', api_key: k}}]}}\n"
            for name in names
        )
    )


def child(command: list[str]) -> int:
    """Run a program and print what it used, as the last line."""
    start = time.perf_counter()
    code = subprocess.call(command)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / unit}))
    return code


def original_seconds(latency: float, parallel: int, count: int) -> float:
    """The original's way: a thread for each slot, a client for each call, nothing written."""
    import openai
    from openai.types.chat import ChatCompletionUserMessageParam

    with running_server(latency=latency, reply="size=4096", keep_requests=10) as server:

        def call(number: int) -> str | None:
            client = openai.OpenAI(base_url=server.openai_base, api_key="k")
            message: ChatCompletionUserMessageParam = {"role": "user", "content": f"{number} {PROMPT}"}
            reply = client.chat.completions.create(model="m", messages=[message], max_tokens=MOST_TOKENS)
            return reply.choices[0].message.content

        start = time.perf_counter()
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(call, range(count)))
        return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(child(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main())
