"""A model from a GGUF file behind llama.cpp's own server, for `serve:` in config/api_config.yaml.

python tools/llama_server.py FILE.gguf --port 8080    needs xllamacpp: pip install -r requirements-local.txt

It speaks the OpenAI protocol and ends with the process.
"""

from __future__ import annotations

import argparse
import importlib
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NoReturn

MAGIC = b"GGUF"  # the first bytes of a model file


def main() -> None:
    """Check what a user may have got wrong, load the model, and serve it until the process is ended."""
    arguments = _arguments()
    _check_file(arguments.model)
    _check_port(arguments.port)
    try:
        xllamacpp = importlib.import_module("xllamacpp")  # only some have it
    except ImportError as error:
        _fail(f"xllamacpp is not there ({error}). pip install -r requirements-local.txt")
    server = _load(arguments, xllamacpp)
    print(f"serving {arguments.model} at {server.listening_address} (process {os.getpid()})", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _count(text: str) -> int:
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="the GGUF file")
    parser.add_argument("--port", type=int, default=8080, help="(default: 8080)")
    parser.add_argument("--parallel", type=_count, default=2, help="requests at a time (default: 2)")
    parser.add_argument("--context", type=_count, default=4096, help="tokens of each, prompt and reply (default: 4096)")
    # with a thread on each core, all of them wait whenever another program takes one: five times as slow, not twice
    parser.add_argument("--threads", type=_count, default=max(1, (os.cpu_count() or 2) // 2), help="(default: half)")
    parser.add_argument("--chat-template", type=Path, help="a Jinja file, for a model that brings none")
    return parser.parse_args()


def _params(xllamacpp: Any, arguments: argparse.Namespace) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model)
    params.model_alias = {arguments.model.stem}
    params.port = arguments.port
    params.n_parallel = arguments.parallel
    params.n_ctx = arguments.context * arguments.parallel
    for use in (params.cpuparams, params.cpuparams_batch):
        use.n_threads = arguments.threads
    if arguments.chat_template:
        params.use_jinja = True
        params.chat_template = _template(arguments.chat_template)
    return params


def _check_file(model: Path) -> None:
    try:
        with open(model, "rb") as stream:
            magic = stream.read(len(MAGIC))
    except OSError as error:
        _fail(
            f"{model}: {error.strerror}. Give the path of a GGUF file; those of config/local are fetched by "
            "bash run.sh local."
        )
    if magic != MAGIC:
        _fail(f"{model} is no GGUF file, it begins with {magic!r}. Fetch it again.")


def _template(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"--chat-template {file}: {error}. Give the path of a Jinja template.")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            _fail(f"--port {port}: a port is a number from 0 to 65535.")
        except OSError as error:
            _fail(f"port {port}: {error.strerror}. Give another --port; under serve, {{port}} finds a free one.")


def _load(arguments: argparse.Namespace, xllamacpp: Any) -> Any:
    """The server with the model loaded. What llama.cpp writes meanwhile is held back: a failure is one line."""
    own = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            server, reason = xllamacpp.Server(_params(xllamacpp, arguments)), ""
        except RuntimeError as error:
            server, reason = None, str(error)
        finally:
            os.dup2(own, 2)
            os.close(own)
        held.seek(0)
        said = held.read().decode(errors="replace")
    if server is not None:
        sys.stderr.write(said)
        return server
    reason = next((line.partition(" E ")[2] for line in said.splitlines() if " E " in line), reason)
    _fail(
        f"llama.cpp cannot load {arguments.model}: {reason}. If the file is incomplete, fetch it again; those of "
        "config/local are fetched by bash run.sh local."
    )


if __name__ == "__main__":
    main()
