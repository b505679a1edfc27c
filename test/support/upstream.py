"""Answers as upstream memlogd does: upstream.py SOCKET FILE. FILE is what is buffered; who follows gets one line more."""
import socket
import sys

path, lines_path = sys.argv[1:3]
with open(lines_path, "rb") as file:
    lines = file.read().splitlines(keepends=True)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(8)
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    mode = connection.recv(1)
    if mode in (b"\0", b"\2"):
        for line in lines:
            connection.sendall(line)
    if mode in (b"\1", b"\2"):
        connection.sendall(b'{"time":"2099-01-01T00:00:00Z","source":"late","msg":"after"}\n')
    connection.close()
