"""A server on 127.0.0.1 that speaks OpenAI's, Azure's and Anthropic's wire formats, and can be told to fail.

    from tests.loopback import running_server

    with running_server(latency=0.05, faults={"429": 0.05}, seed=1) as server:
        client = AsyncOpenAI(base_url=server.openai_base, api_key="sk-test", max_retries=0)
        ...
        assert server.stats()["early"] == 0

All keywords are those of `settings.Settings`; the faults' names are `faults.NAMES`. By hand:
`python -m tests.loopback --port 8000 --config '{"latency": 0.05}'`.
"""

from .process import Server, running_server
from .settings import REASONER

__all__ = ["REASONER", "Server", "running_server"]
