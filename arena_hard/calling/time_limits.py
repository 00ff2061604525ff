"""A limit in time for what is waited for: asyncio's own, and for Python 3.10 the package by its author."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

__all__ = ["timeout"]
