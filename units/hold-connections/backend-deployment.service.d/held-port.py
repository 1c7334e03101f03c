"""Runs uvicorn, with its own arguments, on a socket that outlives it.

uvicorn closes at once what it has accepted and not yet read, when it is told
to end: a client that has just connected gets no answer. This one first accepts
no more, answers for 0.1 s what has come in, and asks clients that keep their
connections to come back on new ones. Those wait in the held socket for the
next process.
"""

import asyncio

from uvicorn import Server, main

CLOSE = (b"connection", b"close")

shut_down = Server.shutdown


async def answer_and_shut_down(self, sockets=None):
    for server in self.servers:
        server.close()
    self.server_state.default_headers = [
        *self.server_state.default_headers, CLOSE]
    await asyncio.sleep(0.1)
    await shut_down(self, sockets)


Server.shutdown = answer_and_shut_down
main()
