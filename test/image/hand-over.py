"""Binds memlogd's two sockets and becomes a command, with them as descriptors 3 and 4, as LinuxKit's startmemlogd does.

hand-over.py LOG-SOCKET QUERY-SOCKET COMMAND ARGUMENT...
"""
import os
import socket
import sys

log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1])
query = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
query.bind(sys.argv[2])
query.listen(128)
# First out of the way: one of the two may be 3 or 4 already.
os.dup2(log.fileno(), 10)
os.dup2(query.fileno(), 11)
os.dup2(10, 3)
os.dup2(11, 4)
os.closerange(5, 64)
os.execvp(sys.argv[3], sys.argv[3:])
