// Lets an HTTP server of node listen on the socket that systemd holds, which is
// standard input. Loaded by NODE_OPTIONS, it acts when a server asks for the port
// $HELD_PORT. When the process is told to end, it accepts no more and lets the
// requests that are under way end first: whoever connects later waits in the held
// socket for the next process.
'use strict';

const { Server } = require('node:net');

const { close, listen } = Server.prototype;

// Ends after the requests, which vite would cut off. While there are connections,
// waits 0.1 s for those requests that were sent before.
function endGracefully(server) {
  const connections = new Set();
  const open = new Set();
  let isEnding = false;
  server.prependListener('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.prependListener('request', (request, response) => {
    response.shouldKeepAlive &&= !isEnding;
    open.add(response);
    response.once('close', () => open.delete(response));
  });
  const endings = process.rawListeners('SIGTERM');
  process.removeAllListeners('SIGTERM');
  process.on('SIGTERM', () => {
    if (isEnding) return;
    isEnding = true;
    close.call(server); // that of HTTP also closes connections that are kept
    open.forEach((response) => {
      if (!response.headersSent) response.shouldKeepAlive = false;
    });
    const last = Date.now() + 100;
    setInterval(() => {
      if (open.size > 0) return;
      if (connections.size > 0 && Date.now() < last) return;
      if (endings.length === 0) process.exit();
      endings.splice(0).forEach((end) => end.call(process, 'SIGTERM'));
    }, 10);
  });
}

Server.prototype.listen = function (where, ...rest) {
  const port = where !== null && typeof where === 'object' ? where.port : where;
  if (Number(port) !== Number(process.env.HELD_PORT)) {
    return listen.call(this, where, ...rest);
  }
  endGracefully(this);
  // Closed, the server leaves standard input open: another one can follow it, as
  // that of vite after a change of its configuration.
  const whenListening = rest.filter((one) => typeof one === 'function');
  return listen.call(this, { fd: 0 }, 4096, ...whenListening);
};
