"""What api_keys.py and limits.py share: which requests they apply to, and how they reject one."""

from typing import Final

from starlette.types import Message, Receive, Scope, Send

from phonoscope.gateway.problems import Problem, problem_response
from phonoscope.gateway.request_outcome import record_outcome

API_PREFIXES: Final = ("/v1/", "/api/")
POLICY_VIOLATION: Final = 1008


def is_api_request(scope: Scope) -> bool:
    """Returns whether a request is for the API: the page, probes and metrics are open to all."""
    path: str = scope.get("path", "")  # lifespan has none
    return path.startswith(API_PREFIXES)


async def send_problem(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a problem as the response; a WebSocket gets it in place of its handshake if the server supports that."""
    record_outcome(scope, int(problem.status), problem.reason)
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        close: Message = {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": problem.reason}
        await send(close)
        return
    await problem_response(problem, scope["path"])(scope, receive, send)
