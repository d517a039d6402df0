"""How much of what was sent the client has not read yet."""

import array
import asyncio
import fcntl
import termios


def unread_by_client(transport: asyncio.Transport) -> int:
    """Return how many bytes wait in the process and, if any do, in the kernel too.

    The kernel takes more from the process only when a good part of its own buffer (megabytes on
    a fast network) has gone out, so the process' part alone would stand still for minutes in
    front of a client that reads slowly but steadily.
    """
    waiting = transport.get_write_buffer_size()
    if waiting == 0:
        return waiting
    socket = transport.get_extra_info("socket")
    in_kernel = array.array("i", [0])
    try:
        fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, in_kernel)
    except OSError:  # not every system tells it of a socket
        return waiting
    return waiting + in_kernel[0]
