"""Make a presigned URL, and explain one that was refused (`ocgate sign-url`, `explain-url`)."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

from ocgate.core.errors import BadRequest
from ocgate.core.presigned import ITERATIONS, PresignedURL, Problem, Rules, derive
from ocgate.core.signed_text import (
    Candidate,
    candidates,
    canonical_query,
    origins,
    parse_pairs,
    without_signature,
)
from ocgate.core.targets import parse_target

_URL = re.compile(rb"(https?)://([A-Za-z0-9._~:\[\]-]+)(/[^?#]*)?(?:\?([^#]*))?")
# What may stand in a path and in a query as it is; anything else of a given URL is encoded.
_SAFE = b"/%!$&'()*+,;=:@[]?~"


@dataclass(frozen=True, slots=True)
class Tried:
    """One text that may have been signed; `fits` is None where no key was at hand to try it."""

    candidate: Candidate
    fits: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found about a URL. It is accepted if there are no problems.

    Holds the texts that were tried and never a signature that would have been right.
    """

    problems: tuple[Problem, ...]
    tried: tuple[Tried, ...]


def sign_url(url: str, *, user: str, method: str, expires: int, key: bytes, now: datetime) -> str:
    """Return `url` with a signature for that user name and method, valid for `expires` seconds.

    `url` is absolute, as the client will ask for it; characters that may not stand in a URL
    are encoded. Raises `BadRequest` for a URL that is none, or that is signed already.
    """
    scheme, host, path, query = _split(url)
    path, query = quote(path, safe=_SAFE).encode(), quote(query, safe=_SAFE).encode()
    parse_target(path, query, allow_encoded_slash=True)
    if without_signature(query) != query:
        raise BadRequest("The URL has parameters of a signature already.")
    if not re.fullmatch(r"[A-Z-]+", method) or not 1 <= expires < 10**10:
        raise BadRequest("A signature needs a method in capitals and a validity of at least 1 s.")
    if not user or not user.isprintable():
        raise BadRequest("A signature needs the name of a user.")
    values = {
        "OC-Credential": user,
        "OC-Date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "OC-Expires": str(expires),
        "OC-Verb": method,
        "OC-Algo": f"PBKDF2/{ITERATIONS}-SHA512",
    }
    ours = (f"{name}={quote_plus(value)}".encode() for name, value in values.items())
    full = b"&".join(filter(None, (query, *ours)))
    target = b"%s://%s%s" % (scheme, host, path)
    signature = derive(b"%s?%s" % (target, canonical_query(parse_pairs(full))), key)
    return (b"%s?%s&OC-Signature=%s" % (target, full, signature)).decode()


def explain_url(
    url: str,
    *,
    method: str,
    now: datetime,
    rules: Rules,
    public_origin: bytes | None = None,
    keys: Sequence[bytes] | None = None,
) -> Explanation:
    """Say everything that is wrong with a presigned URL, and which texts may have been signed.

    `keys` are those of the user in `OC-Credential`; None if nobody looked them up. Raises
    `BadRequest` if `url` is no absolute URL.
    """
    scheme, host, path, query = _split(url)
    try:
        presigned = PresignedURL.parse(path, query)
    except BadRequest as error:
        return Explanation((Problem("malformed", str(error)),), ())
    if presigned is None:
        return Explanation((Problem("malformed", "There is no OC-Signature in the URL."),), ())
    problems = list(presigned.problems(method=method, now=now, rules=rules))
    seen_at = origins(public=public_origin, host=host, scheme=scheme.decode(), forwarded=None)
    texts = candidates(presigned.path, presigned.canonical_query, seen_at)
    tried = tuple(Tried(candidate, _fits(presigned, candidate, keys)) for candidate in texts)
    if keys is not None and not keys:
        problems.append(Problem("no_key", f"There is no signing key for {presigned.credential}."))
    elif keys is not None and not any(attempt.fits for attempt in tried):
        problems.append(
            Problem(
                "signature_mismatch",
                "The signature is of none of these texts with the user's key: another URL was"
                " signed, or the key has changed since.",
            )
        )
    return Explanation(tuple(problems), tried)


def _fits(
    presigned: PresignedURL, candidate: Candidate, keys: Sequence[bytes] | None
) -> bool | None:
    if not keys:
        return None
    made = [derive(candidate.text, key) for key in keys]
    return any(hmac.compare_digest(signature, presigned.signature) for signature in made)


def _split(url: str) -> tuple[bytes, bytes, bytes, bytes]:
    # A command line holds bytes that are not UTF-8 as surrogates; they are refused further on.
    found = _URL.fullmatch(url.encode("utf-8", "surrogatepass"))
    if found is None:
        raise BadRequest("This is no absolute http or https URL, or it has a fragment.")
    return found[1], found[2], found[3] or b"/", found[4] or b""
