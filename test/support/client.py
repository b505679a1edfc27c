"""What a test's Python text may use: client.py TEXT LOG_SOCKET QUERY_SOCKET DIRECTORY SECONDS runs TEXT."""
import array
import json
import os
import pty
import resource
import select
import socket
import struct
import sys
import time

text, log_path, query_path, directory, seconds = sys.argv[1:6]
patience = float(seconds)
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect(log_path)
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def send(name, fds):
    """Passes descriptors under a name."""
    socket.send_fds(log, [name], fds)


def ask(request):
    """A connection to the query socket on which the request was sent; a server that refuses it may be quicker."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(patience)
    connection.connect(query_path)
    try:
        connection.sendall(request)
    except BrokenPipeError:
        pass
    return connection


def read_all(connection):
    parts = []
    while True:
        got = connection.recv(65536)
        if not got:
            return b"".join(parts)
        parts.append(got)


def statistics():
    return json.loads(read_all(ask(b'\0{"stats":true}\n')).split(b"\n")[1])


def until(what, check):
    """Waits until `check` returns something true, and returns it."""
    end = time.monotonic() + patience
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            sys.exit("in vain: " + what)
        time.sleep(0.02)


exec(compile(text, "test", "exec"))
