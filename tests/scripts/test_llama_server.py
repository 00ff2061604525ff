"""What tools/llama_server.py says of flags that cannot be, before it loads anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pipeline_bench import run_script


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--port", "99999"), "error: --port 99999: a port is a number from 0 to 65535.\n"),
        (("--context", "0"), "argument --context: '0' is not a number from 1 on\n"),
        (("--parallel", "-1"), "argument --parallel: '-1' is not a number from 1 on\n"),
    ],
)
def test_a_flag_out_of_range_is_one_message(tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    done = run_script(tmp_path, "tools/llama_server.py", "x.gguf", *flags)
    assert done.returncode == 2 and done.stderr.endswith(told), done.stderr
