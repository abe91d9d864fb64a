"""`POST /chat`: chat completions. The one field that is wanted stands deep in the answer."""

from __future__ import annotations

from typing import Any

from mock_api.faces.account import Account
from mock_api.faces.face import Answer, Face, Request, share_of

INDUSTRIES = ("Software", "Retail", "Manufacturing", "Healthcare", "Logistics", "Finance")


class Chat:
    """Answers the last message with an industry that follows from its text."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def faces(self) -> dict[tuple[str, str], Face]:
        """Return the face by method and path."""
        return {("POST", "/chat"): Face(self.complete)}

    def complete(self, request: Request) -> Answer:
        """Answer `{model, messages: [{role, content}]}`; a bearer token is asked for where `MOCK_API_KEY` is set."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if self._account.key and not (scheme.lower() == "bearer" and self._account.accepts(token)):
            return _error(401, "incorrect API key provided", "invalid_api_key")
        asked = request.json() or {}
        model, messages = asked.get("model"), asked.get("messages")
        if not isinstance(model, str) or not model:
            return _error(400, "you must provide a model parameter", "missing_required_parameter")
        if not isinstance(messages, list) or not messages or not all(_is_message(each) for each in messages):
            return _error(400, "messages must be a list of {role, content}", "invalid_value")
        return Answer(200, _completion(model, [each["content"] for each in messages]))


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def _completion(model: str, texts: list[str]) -> dict[str, Any]:
    share = share_of(texts[-1])
    content = INDUSTRIES[int(share * len(INDUSTRIES))]
    message = {"role": "assistant", "content": content, "refusal": None}
    asked_tokens = sum(len(text.split()) for text in texts)
    return {
        "id": f"chatcmpl-{int(share * 4_294_967_296):08x}",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked_tokens, "completion_tokens": 1, "total_tokens": asked_tokens + 1},
    }


def _error(status: int, message: str, code: str) -> Answer:
    return Answer(status, {"error": {"message": message, "type": "invalid_request_error", "code": code}})
