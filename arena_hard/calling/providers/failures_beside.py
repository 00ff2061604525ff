"""Whether what stands beside an answer, or among the parts of one, tells that it broke off.

Gateways put much there that is harmless: codes that all is well, words such as success, progress. So a sure sign is
told from one that counts only where nothing else says that the answer ended well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arena_hard.calling.providers.error_bodies import code_of, inner_of, words_within
from arena_hard.calling.providers.finish_reasons import tells_failure

# What an answer and what belongs to it stands in: no words of an error.
_OF_AN_ANSWER = {
    *("choices", "content", "output", "delta", "text", "completion", "candidates", "usage", "metrics", "model"),
    *("data", "result", "response", "body", "id", "created", "logprobs", "index", "finish_reason", "stop_reason"),
}
_ERRORS = ("error", "errors", "fault", "Error")  # objects or words that are there only where something failed
_RESULTS = ("base_resp", "header", "Response", "detail")  # objects that tell of success too
_ERROR_WORDS = ("error_msg", "error_message", "errorMessage", "err_msg", "errmsg", "faultstring")
_WORDS = ("message", "msg", "Message", "status_msg", "detail")
_GOOD_CODES = (0, 200)
_WELL = re.compile(
    r"^\W*(?:ok|okay|0|200|true|false|none|null|no[ _]?errors?|normal|[\w ]{0,20}(?:completed?|finished|done|ended|end)"
    r"|processing|pending|running|queued|started|connected|thinking|ping|pong|close|eof)?\W*$"
    r"|(?<!un)success|succeeded|成功|keep.?alive|heart.?beat|in.progress",
    re.IGNORECASE,
)


def apart(body: Any) -> dict[str, Any]:
    """What a reply or a part of one holds beside the answer; nothing of what is no object."""
    if not isinstance(body, Mapping):
        return {}
    return {
        key: value
        for key, value in body.items()
        if key not in _OF_AN_ANSWER and not (key == "message" and not isinstance(value, str))
    }


def failure_in(body: Any) -> dict[str, Any]:
    """What a body that tells of a failure holds of it, with words for people."""
    beside = apart(body)
    if words_within(inner_of(beside)) is not None:
        return beside
    shown = ", ".join(f"{key}: {value}" for key, value in beside.items() if value is not None)
    return {"status": beside.get("status"), "code": beside.get("code"), "message": shown}


def surely_failed(body: Any) -> bool:
    """Whether a body tells of a failure beyond doubt, whatever else it holds."""
    if not isinstance(body, Mapping):
        return False
    beside = apart(body)
    if "error" in (beside.get("object"), beside.get("type")):
        return True
    if any(_tells_error(beside.get(key)) for key in _ERRORS) or any(_is_bad(beside.get(key)) for key in _RESULTS):
        return True
    if any(not is_well(beside.get(key)) for key in _ERROR_WORDS):
        return True
    if body.keys().isdisjoint({*_OF_AN_ANSWER, "type"}) and not is_well(_flat(beside.get("detail"))):  # FastAPI
        return True
    status, success = beside.get("status"), beside.get("success")
    is_failed = isinstance(status, str) and tells_failure(status)
    return success is False or is_failed or _has_bad_code(beside) or any(map(tells_failure, _said(beside)))


def perhaps_failed(body: Any) -> bool:
    """Whether a body says in words what may be a failure: no event of a kind that it names, no part of an answer."""
    beside = apart(body)
    if "detail" in beside and not is_well(_flat(beside["detail"])):
        return "type" not in beside
    is_alone = isinstance(body, Mapping) and body.keys().isdisjoint({*_OF_AN_ANSWER, "type"})
    return is_alone and any(not is_well(words) for words in _said(beside))


def is_well(words: Any) -> bool:
    """Whether words for people tell of no failure; so do none."""
    return not isinstance(words, str) or _WELL.search(words) is not None and not tells_failure(words)


def _said(beside: Mapping[str, Any]) -> list[str]:
    return [beside[key] for key in _WORDS if isinstance(beside.get(key), str)]


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else str(value or "")


def _tells_error(value: Any) -> bool:
    """Whether this is an error: an object or a list with a code or words that are not of success, or such words."""
    if value is True:
        return True
    if isinstance(value, str):
        return bool(value.strip()) and not is_well(value)
    if not value or not isinstance(value, (Mapping, list)):
        return False
    inner = inner_of({"error": value})
    words = words_within(inner)
    return _is_bad(inner) or code_of(inner) is None and words is not None and not is_well(words)


def _is_bad(value: Any) -> bool:
    """Whether an object that tells how a request went tells that it failed."""
    if not isinstance(value, Mapping):
        return False
    code = code_of(value)
    if code is not None:
        return code not in _GOOD_CODES and not _says_well(value)
    return any(map(tells_failure, _said(value)))


def _says_well(value: Mapping[str, Any]) -> bool:
    words = words_within(value)
    return words is not None and is_well(words)


def _has_bad_code(beside: Mapping[str, Any]) -> bool:
    """The same of a body itself, where numbers may mean anything: words have to stand beside them."""
    code, words = code_of(beside), words_within(beside)
    if code is None:
        name = beside.get("code")
        return isinstance(name, str) and words is not None and not is_well(name) and not is_well(words)
    if code in _GOOD_CODES or _says_well(beside):
        return False
    return words is not None or 400 <= code < 600
