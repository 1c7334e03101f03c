"""Runs uvicorn, with its own arguments, on a socket that outlives it.

uvicorn closes its connections when it is told to end, and a client that has
just sent a request on one gets no answer. This one first accepts no more, and
waits for up to 0.1 s for requests that have begun to arrive. Connections on
which nothing is under way it gives to systemd, which keeps them for the next
process, as it does the socket: what clients send meanwhile waits there
(FDSTORE=1 in sd_notify(3)). Those with a request under way end with its
answer, which says so where it has not begun. All others are closed.

It needs uvicorn in one process, and FileDescriptorStoreMax= of the service.
"""

import asyncio
import os
import socket
import sys

import h11
from uvicorn import Server, main

CLOSE = (b"connection", b"close")
NAME = "kept"
FIRST = 3  # of the descriptors that systemd passes: sd_listen_fds(3)
AT_ONCE = 250  # descriptors in a message: SCM_RIGHTS in unix(7)
GRACE = 0.1  # seconds

shut_down = Server.shutdown
start_up = Server.startup
kept = []  # sockets from the process before


def warn(what, error):
    print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)


def notify(message, descriptors=()):
    where = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect("\0" + where[1:] if where[0] == "@" else where)
        socket.send_fds(client, [message.encode()], descriptors)


def is_under_way(connection):
    return connection.cycle and not connection.cycle.response_complete


def is_idle(connection):
    """Returns True when what comes next on it is the start of a request."""
    if is_under_way(connection):
        return False
    if hasattr(connection, "conn"):  # it uses h11, else httptools
        return (connection.conn.their_state is h11.IDLE
                and not connection.conn.trailing_data[0])
    if connection.cycle is None:
        return connection.scope is None
    # The scope is another one when the next request has begun to arrive.
    # more_body stays true where the answer came before the end of a request.
    return (connection.scope is connection.cycle.scope
            and not connection.cycle.more_body)


def can_move(connection):
    transport = connection.transport
    return (is_idle(connection) and not transport.is_closing()
            and transport.get_extra_info("sslcontext") is None
            and transport.get_write_buffer_size() == 0)


def give(connections):
    """Gives those that are idle to systemd."""
    idle = [one.transport.get_extra_info("socket").fileno()
            for one in connections if can_move(one)]
    for start in range(0, len(idle), AT_ONCE):
        notify(f"FDSTORE=1\nFDNAME={NAME}", idle[start:start + AT_ONCE])


def end_with_answers(connections):
    for one in filter(is_under_way, connections):
        if not one.cycle.response_started:
            one.cycle.default_headers = [*one.cycle.default_headers, CLOSE]


async def prepare(server):
    """Leaves only connections that end with the answer under way."""
    loop = asyncio.get_running_loop()
    last = loop.time() + GRACE
    while True:
        await asyncio.sleep(0.01)  # until all that is accepted is in there
        connections = [one for one in server.server_state.connections
                       if isinstance(one, server.config.http_protocol_class)]
        if loop.time() > last or all(is_idle(one) or is_under_way(one)
                                     for one in connections):
            break
    end_with_answers(connections)
    try:
        if "NOTIFY_SOCKET" in os.environ:
            give(connections)
    finally:
        # uvicorn does this, too. An old one with a new Python first waits
        # until all have ended.
        for one in connections:
            one.shutdown()


async def prepare_and_shut_down(self, sockets=None):
    for server in self.servers:
        server.close()
    try:
        await prepare(self)
    except Exception as error:  # the service has to end all the same
        warn("closing connections", error)
    await shut_down(self, sockets)


def take():
    """Takes over what systemd kept."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    for number, name in enumerate(names, FIRST):
        if name == NAME:
            kept.append(socket.socket(fileno=number))
            kept[-1].set_inheritable(False)


async def serve_kept(server):
    config = server.config
    loop = asyncio.get_running_loop()
    state = getattr(server.lifespan, "state", None)  # since 0.21

    def create_protocol():
        protocol = config.http_protocol_class(
            config=config, server_state=server.server_state,
            **({} if state is None else {"app_state": state}))
        # As after an answer.
        protocol.timeout_keep_alive_task = loop.call_later(
            config.timeout_keep_alive, protocol.timeout_keep_alive_handler)
        return protocol

    # From here on they are closed when this process ends, or given anew.
    notify(f"FDSTOREREMOVE=1\nFDNAME={NAME}")
    for one, result in zip(kept, await asyncio.gather(
            *(loop.connect_accepted_socket(create_protocol, one)
              for one in kept), return_exceptions=True)):
        if isinstance(result, Exception):
            warn("closing a connection that was kept", result)
            one.close()
    kept.clear()


async def start_up_and_serve_kept(self, sockets=None):
    await start_up(self, sockets)
    if self.started and kept and not self.should_exit:
        try:
            await serve_kept(self)
        except Exception as error:  # the service has to start all the same
            warn("leaving connections that were kept", error)
    if self.started and self.should_exit:  # it does not call this itself
        await self.shutdown(sockets)


Server.shutdown = prepare_and_shut_down
Server.startup = start_up_and_serve_kept
if __name__ == "__main__":
    take()
    main()
