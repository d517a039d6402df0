"""Requests as raw bytes on a socket, for what no HTTP library would send."""

import base64
import http.client
import socket
import time

from tests.support.asking import Answer


def raw_request(
    target: bytes = b"/file",
    *headers: bytes,
    host: bytes,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    body: bytes = b"",
) -> bytes:
    """Put a request together without looking at any of it; each header is a whole line."""
    lines = (method + b" " + target + b" " + version, b"Host: " + host, *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def basic_header(user: str, password: str) -> bytes:
    """Return the header line of a password."""
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode())


def exchange(
    port: int,
    data: bytes,
    *,
    method: str = "GET",
    source: str = "127.0.0.1",
    seconds: float = 20,
) -> Answer:
    """Send bytes to 127.0.0.1:`port` and read one response; AssertionError if there is none."""
    with socket.create_connection(
        ("127.0.0.1", port), timeout=seconds, source_address=(source, 0)
    ) as connection:
        connection.sendall(data)
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            return Answer(response.status, tuple(response.getheaders()), response.read())
        except (http.client.HTTPException, TimeoutError) as error:
            raise AssertionError(f"no clear answer to {data[:200]!r}: {error!r}") from error
        finally:
            response.close()


def closed_within(connection: socket.socket, seconds: float) -> bool:
    """Say whether the other side hangs up in time; what it still sends is thrown away."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            if not connection.recv(65536):
                return True
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
    return False
