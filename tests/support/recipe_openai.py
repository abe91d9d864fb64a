"""The chat completions and the embeddings of OpenAI, as they answer."""

from __future__ import annotations

from typing import Any

from recipe_server import SECRET, Answered, Asked


def chat(asked: Asked, instead: Answered | None) -> Answered:
    if problem := _openai_problem(asked, "/v1/chat/completions"):
        return problem
    messages = asked.json().get("messages")
    if not isinstance(messages, list) or not all(isinstance(each.get("content"), str) for each in messages):
        return Answered(400, _openai("invalid_request_error", None, "Missing required parameter: 'messages'."))
    if instead:
        return instead
    label = "plumbing" if "boiler" in messages[-1]["content"] else "unknown"
    return _completion({"content": label, "refusal": None}, "stop")


def _completion(message: dict[str, Any], finish_reason: str) -> Answered:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 41, "completion_tokens": 2, "total_tokens": 43}
    return Answered(200, {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage})


def embeddings(asked: Asked, instead: Answered | None) -> Answered:
    if problem := _openai_problem(asked, "/v1/embeddings"):
        return problem
    given = asked.json().get("input")
    texts = [given] if isinstance(given, str) else given
    if not texts or "" in texts:
        return Answered(400, _openai("invalid_request_error", None, "'$.input' is invalid."))
    if instead:
        return instead
    vectors = [
        {"object": "embedding", "index": index, "embedding": [round(len(text) / 64, 6), -0.25]}
        for index, text in enumerate(texts)
    ]
    return Answered(200, {"object": "list", "data": vectors[::-1], "model": asked.json()["model"]})


def _openai_problem(asked: Asked, path: str) -> Answered | None:
    if asked.headers.get("authorization") != f"Bearer {SECRET}":
        return Answered(401, _openai("invalid_request_error", "invalid_api_key", "Incorrect API key provided."))
    if (asked.method, asked.path) != ("POST", path):
        return Answered(404, _openai("invalid_request_error", None, f"Invalid URL ({asked.method} {asked.path})"))
    body = asked.json()
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return Answered(400, _openai("invalid_request_error", None, "you must provide a model parameter"))
    return None


def _openai(kind: str, code: str | None, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


NO_QUOTA = Answered(429, _openai("insufficient_quota", "insufficient_quota", "You exceeded your current quota."))
DOWN = Answered(500, _openai("server_error", None, "The server had an error"))
TOO_FAST = Answered(429, _openai("requests", "rate_limit_exceeded", "Rate limit reached for requests."))
CUT_SHORT = _completion({"content": "plumb", "refusal": None}, "length")
REFUSED = _completion({"content": None, "refusal": "I cannot help with that."}, "stop")
