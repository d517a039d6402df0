"""What can go wrong, grouped by what the caller can do about it.

    OcgateError
    ├── ConfigError        at start or in a command only: the operator mends the configuration
    ├── BadRequest    400  the request itself is wrong, whoever sends it
    ├── Forbidden     403  known, but not allowed
    ├── NotFound      404
    ├── StoreError    503  the store did not answer; nothing is known about the credential
    ├── Overloaded    503  a bounded queue is full
    ├── BadGateway    502  the backend answered nonsense or hung up
    └── GatewayTimeout 504 the backend did not answer in time

`str(error)` may be shown to a client; `detail` is for the log only. A refused credential is
not an error: authenticators return it (`ocgate.core.identity.Rejection`).
"""


class OcgateError(Exception):
    """Base of everything that ocgate raises on purpose."""

    status = 500
    retry_after: int | None = None
    """Seconds after which asking again may help, for `Retry-After`."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class ConfigError(OcgateError):
    """The configuration cannot be used; raised before anything is served."""


class BadRequest(OcgateError):
    """The request is malformed or ambiguous, so nobody acts on it."""

    status = 400


class Forbidden(OcgateError):
    """The principal is known and may not do this."""

    status = 403


class NotFound(OcgateError):
    """There is no such thing here."""

    status = 404


class StoreError(OcgateError):
    """The store could not be asked. Never taken for "there is no such entry"."""

    status = 503
    retry_after = 1


class Overloaded(OcgateError):
    """A bounded queue is full: asking again in a moment is the honest answer."""

    status = 503
    retry_after = 1


class BadGateway(OcgateError):
    """The backend answered something that is not HTTP, hung up early, or cannot be reached."""

    status = 502


class GatewayTimeout(OcgateError):
    """The backend did not connect or answer within the configured time."""

    status = 504
