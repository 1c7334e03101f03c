"""python server.py --host ADDRESS --port NUMBER"""

import argparse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from page import PAGE


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"{PAGE}\n".encode())


parser = argparse.ArgumentParser()
parser.add_argument("--host", required=True)
parser.add_argument("--port", required=True, type=int)
options = parser.parse_args()
ThreadingHTTPServer((options.host, options.port), Handler).serve_forever()
