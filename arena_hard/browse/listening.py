"""The address to listen on, tried before the server is built: a port in use is said at once, in our words."""

from __future__ import annotations

import argparse
import errno
import os
import socket

from arena_hard.data.records import UserError

FIRST_PORT, PORTS = 7860, 100  # Gradio's own


def port_number(text: str) -> int:
    """A port of the command line."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no port: give a number from 1 to 65535, such as {FIRST_PORT}")
    return int(text)


def port_for(host: str, wanted: int | None) -> int:
    """The wanted port, or the first one that is free. Raises UserError where nothing can listen there."""
    if wanted is not None:
        trouble = _trouble(host, wanted)
        if trouble is None:
            return wanted
        raise _refusal(host, wanted, trouble)
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        trouble = _trouble(host, port)
        if trouble is None:
            return port
        if trouble.errno != errno.EADDRINUSE:
            raise _refusal(host, port, trouble)
    raise UserError(
        f"All ports from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} of {host} are in use. "
        "Name another one by --port, or end what listens there."
    )


def _trouble(host: str, port: int) -> OSError | None:
    """Why nothing can listen there; None where it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name == "posix":  # elsewhere it would take a port from another program
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _refusal(host: str, port: int, trouble: OSError) -> UserError:
    if trouble.errno == errno.EADDRINUSE:
        free = next((each for each in range(port + 1, 65536) if _trouble(host, each) is None), FIRST_PORT)
        return UserError(
            f"Port {port} of {host} is in use, perhaps by an earlier qa_browser.py. End what listens there, or take "
            f"another port: --port {free}"
        )
    if trouble.errno == errno.EACCES:
        return UserError(f"Port {port} is kept for the system's own services. Take another one: --port {FIRST_PORT}")
    return UserError(
        f"{host} is no address of this machine ({trouble.strerror}). --host takes 127.0.0.1 (this machine only), "
        "0.0.0.0 (all its addresses) or one of its own."
    )
