"""One `send` wrapper for all middlewares that add response headers.

The outermost of them wraps `send`; the ones further in find its list in the scope and add
to it. So each file works alone, and ten of them cost one wrapper.
"""

from collections.abc import Awaitable, Callable, Iterable

from starlette.types import Message, Scope, Send

Header = tuple[bytes, bytes]
Edit = Callable[[list[Header], set[bytes]], None]
"""Changes a response's raw header list in place. The set holds the lower-case names that are in
the list; an edit adds those that it puts there, so that they are collected only once."""

EDITS = "ocgate.response_edits"


def edited(scope: Scope, send: Send, edit: Edit) -> tuple[Scope, Send]:
    """Return the scope and `send` to go on with, so that `edit` sees every response head.

    Edits run from the innermost to the outermost middleware.
    """
    edits: list[Edit] | None = scope.get(EDITS)
    if edits is not None:
        edits.append(edit)
        return scope, send
    edits = [edit]

    def send_edited(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            for change in reversed(edits):
                change(headers, names)
            message = {**message, "headers": headers}
        return send(message)

    return {**scope, EDITS: edits}, send_edited


def setting(headers: Iterable[Header]) -> Edit:
    """Make an edit that sets these headers: whatever had the same name before is removed."""
    ours = list(headers)
    names = frozenset(name for name, _ in ours)

    def edit(present: list[Header], present_names: set[bytes]) -> None:
        if not names.isdisjoint(present_names):
            present[:] = [h for h in present if h[0].lower() not in names]
        present += ours
        present_names |= names

    return edit
