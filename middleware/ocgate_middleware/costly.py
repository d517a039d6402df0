"""Costly checks are done once, in a bounded number of threads, and failures are counted.

The tools that the authenticators share around PBKDF2 and bcrypt. A check goes through them
in this order:

1. `Verdicts.get`: an outcome that is remembered costs a dictionary look-up;
2. `FailureLimit.blocked`: who failed too often is not worth a derivation;
3. `Verdicts.once`: concurrent requests with one credential share one computation;
4. `run_costly`: at most one thread a processor, clients take turns, the queue is bounded.

Many checks may be waiting when the first of them fails. So what is run in 4 asks `blocked` once
more when its turn comes, raises `LimitReached` where the answer has changed, and counts its own
failure; otherwise a burst would get as many guesses as the queue has places.
"""

import asyncio
import ipaddress
import os
import threading
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Generic, TypeVar, TypeVarTuple

from ocgate.core.errors import Overloaded

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

QUEUE_SIZE = 64
"""Checks that may wait for a thread. PBKDF2 takes 9 ms, so the queue is a second at most."""

LONGEST_NAME = 255
"""Characters of a claimed user name that are kept; longer ones are nobody's."""

_PROCESS_KEY = os.urandom(32)
"""Never leaves the process: what is remembered cannot be matched to a credential from a dump."""


class LimitReached(Exception):
    """Too many others failed while this check was waiting for its turn."""


class Verdicts(Generic[T]):
    """Outcomes of costly checks, remembered for a while; the oldest use gives way.

    Credentials are never kept: `key` makes a keyed BLAKE2b hash of all that the outcome
    depends on. `now` counts seconds and never goes back.
    """

    def __init__(self, *, size: int = 4096, now: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._now = now
        self._remembered: OrderedDict[bytes, tuple[T, float]] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[T]] = {}

    def key(self, *parts: bytes) -> bytes:
        """Return the name under which the outcome for exactly these parts is remembered."""
        if len(parts) == 1:
            return blake2b(parts[0], key=_PROCESS_KEY, digest_size=32).digest()
        # Written with its quotes and commas, a tuple keeps ("ab", "c") and ("a", "bc") apart.
        return blake2b(repr(parts).encode(), key=_PROCESS_KEY, digest_size=32).digest()

    def get(self, key: bytes) -> T | None:
        """Return the outcome, or None if it is unknown or too old."""
        found = self._remembered.get(key)
        if found is None:
            return None
        value, until = found
        if self._now() >= until:
            del self._remembered[key]
            return None
        self._remembered.move_to_end(key)
        return value

    def remember(self, key: bytes, value: T, *, seconds: float) -> None:
        """Keep the outcome for that long, or until `size` others were used more recently."""
        self._remembered[key] = (value, self._now() + seconds)
        self._remembered.move_to_end(key)
        while len(self._remembered) > self._size:
            self._remembered.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """Drop the outcome, if there is one."""
        self._remembered.pop(key, None)

    async def once(self, key: bytes, compute: Callable[[], Awaitable[T]]) -> T:
        """Return what `compute` returns; concurrent callers with one key share one call.

        `compute` calls `remember` itself, as it knows for how long. It goes on when the
        caller that started it is cancelled, since others may wait for it.
        """
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(_awaited(compute))
            self._running[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)

    def _finished(self, key: bytes, task: asyncio.Task[T]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            # Looked at here, because every caller may have gone away.
            task.exception()


class FailureLimit:
    """Counts failures by name in leaky buckets: `attempts` at once, then `attempts` in `seconds`.

    A name is whatever is limited: a client address, a credential. At most `size` names are
    held; the one that failed longest ago gives way. May be used in threads.
    """

    def __init__(
        self,
        *,
        attempts: int,
        seconds: float,
        size: int = 4096,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attempts = attempts
        self._leak = attempts / seconds
        self._size = size
        self._now = now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def blocked(self, *names: str) -> bool:
        """Tell whether one of the names has failed too often of late; empty names never have."""
        return any(self._level(name) > self._attempts - 1 for name in names)

    def failed(self, *names: str) -> None:
        """Count one failure for each name; empty names are left out."""
        now = self._now()
        with self._lock:
            for name in filter(None, names):
                # Never above the brim, so that a burst is forgiven as soon as a single failure.
                self._levels[name] = (min(self._level(name) + 1, self._attempts), now)
                self._levels.move_to_end(name)
            while len(self._levels) > self._size:
                self._levels.popitem(last=False)

    def _level(self, name: str) -> float:
        level, at = self._levels.get(name, (0.0, 0.0))
        return max(0.0, level - (self._now() - at) * self._leak) if level else 0.0


def limited_name(credential: str) -> str:
    """Return the name under which a user name is limited: one for all of its spellings."""
    text = unicodedata.normalize("NFC", credential[:LONGEST_NAME])
    return unicodedata.normalize("NFC", text.casefold())


def client_name(scope: Mapping[str, Any]) -> str:
    """Return the name under which a client is limited: its address, of IPv6 the /64 network.

    Empty where the address is unknown (a unix socket without a trusted proxy's word).
    """
    client = scope.get("client")
    if not client:
        return ""
    host = str(client[0])
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # One customer commonly holds a whole /64 (RFC 6177), so single addresses limit nobody.
    return str(ipaddress.IPv6Network((address, 64), strict=False))


class CostlyWork:
    """Threads for calls that burn processor time; clients take turns.

    Each client has its own line and the threads serve the lines in rotation. When the queue
    is full, the newest call of the longest line is refused; so a client that floods the
    queue pushes out its own calls and not those of others.
    """

    def __init__(self, *, threads: int, queue_size: int = QUEUE_SIZE) -> None:
        self._queue_size = queue_size
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ocgate-costly")
        self._lock = threading.Lock()
        self._lines: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._waiting = 0

    async def run(self, call: Callable[[], T], *, client: str) -> T:
        """Return `call()`; raises `Overloaded` when the queue has no place for this client."""
        future: Future[T] = Future()
        with self._lock:
            refused = self._admit(client, future, call)
        if refused is not None and refused.set_running_or_notify_cancel():
            refused.set_exception(Overloaded("Too many checks are waiting; try again in a moment."))
        if refused is not future:
            self._threads.submit(self._next)
        return await asyncio.wrap_future(future)

    def _admit(self, client: str, future: Future[T], call: Callable[[], T]) -> Future[Any] | None:
        line = self._lines.setdefault(client, deque())
        line.append((future, call))
        self._waiting += 1
        if self._waiting <= self._queue_size:
            return None
        # Of lines equally long the newcomer's gives way: nobody is pushed out by an equal.
        name, longest = max(self._lines.items(), key=lambda item: (len(item[1]), item[0] == client))
        refused, _ = longest.pop()
        if not longest:
            del self._lines[name]
        self._waiting -= 1
        return refused

    def _next(self) -> None:
        with self._lock:
            if not self._lines:
                return
            client, line = self._lines.popitem(last=False)
            future, call = line.popleft()
            self._waiting -= 1
            if line:
                self._lines[client] = line
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the caller of `run` gets it, whatever it is
            future.set_exception(error)


_shared = CostlyWork(threads=os.cpu_count() or 1)


async def run_costly(fn: Callable[[*Ts], T], *args: *Ts, client: str = "") -> T:
    """Return `fn(*args)`, called in one of the threads that all costly checks share.

    `client` (see `client_name`) decides whose turn it is. Raises
    `ocgate.core.errors.Overloaded` when the queue is full.
    """
    return await _shared.run(lambda: fn(*args), client=client)


async def _awaited(compute: Callable[[], Awaitable[T]]) -> T:
    return await compute()
