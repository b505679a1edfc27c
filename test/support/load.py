"""Load for the tests of whole daemons, written without the project's own code.

load.py writers SOCKET COUNT LINES PER_SECOND
    COUNT processes pass a pipe each and write LINES numbered lines into it, PER_SECOND at most (0: as fast as they can).
    A byte on standard input ends them earlier. Prints {"lines": [..]}.

load.py follower SOCKET REQUEST LAST
    Reads by the extended protocol until an entry of the source LAST comes. A lost connection is taken up again by cursor.
    Each sequence number must be delivered or reported lost exactly once; numbered lines of each source must be in order.
    Prints {"first", "delivered", "lost", "gaps", "connections", "sources": {name: lines}, "messages": {own source: [..]}}.

load.py flood SOCKET SYSLOG SOURCES SECONDS
    One process writes to SOURCES pipes in turn, every second one without ever a newline, and datagrams to the syslog socket.
    Prints {"lines": written, "datagrams": sent}.

load.py sleepers QUERY COUNT
    COUNT followers that never read. Prints {} once its standard input ends.
"""
import json
import os
import resource
import select
import socket
import struct
import sys
import time


def pass_descriptor(path, name, fd):
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.connect(path)
    socket.send_fds(log, [name.encode()], [fd])
    log.close()


def write_lines(path, index, lines, per_second):
    reader, writer = os.pipe()
    pass_descriptor(path, "writer-%d" % index, reader)
    os.close(reader)
    block = max(1, per_second // 50) if per_second else 1000
    written, begun = 0, time.monotonic()
    while written < lines:
        if select.select([sys.stdin], [], [], 0)[0]:
            break
        end = min(lines, written + block)
        view = memoryview(b"".join([b"%d of a line\n" % number for number in range(written, end)]))
        while len(view) > 0:
            # A pipe takes a page at once or in part: what was taken of a line that is not whole is written on.
            done = os.write(writer, view)
            view = view[done:]
        written = end
        if per_second:
            wait = begun + written / per_second - time.monotonic()
            if wait > 0:
                time.sleep(wait)
    os.close(writer)
    return written


def writers(path, count, lines, per_second):
    children = []
    for index in range(count):
        answer, question = os.pipe()
        pid = os.fork()
        if pid == 0:
            result = write_lines(path, index, lines, per_second)
            os.write(question, json.dumps(result).encode())
            os._exit(0)
        os.close(question)
        children.append((pid, answer))
    results = []
    for pid, answer in children:
        text = b""
        while True:
            got = os.read(answer, 4096)
            if not got:
                break
            text += got
        status = os.waitpid(pid, 0)[1]
        if status != 0:
            sys.exit("a writer ended with %d" % status)
        results.append(json.loads(text))
    print(json.dumps({"lines": results}))


class Follower:
    def __init__(self, path, request, last):
        self.path, self.request, self.last = path, request, last.encode()
        self.ring = self.next = self.first = None
        self.delivered = self.lost = self.gaps = self.connections = 0
        self.sources, self.numbers, self.messages = {}, {}, {}
        self.is_filtered = "sources" in request
        self.is_done = False

    def connect(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(self.path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        request = dict(self.request)
        if self.next is not None:
            request["cursor"] = {"ring": self.ring, "sequence": self.next}
        connection.sendall(b"\2" + json.dumps(request).encode() + b"\n")
        self.connections += 1
        return connection

    def run(self):
        while not self.is_done:
            connection = self.connect()
            try:
                self.read(connection)
            except ConnectionResetError:
                pass
            connection.close()

    def read(self, connection):
        header, pending = None, b""
        while not self.is_done:
            got = connection.recv(1 << 18)
            if not got:
                return
            pending += got
            if header is None:
                if b"\n" not in pending:
                    continue
                line, pending = pending.split(b"\n", 1)
                header = json.loads(line)
                if self.ring is None:
                    self.ring, self.next = header["ring"], header["first"]
                    self.first = self.next
                if header["ring"] != self.ring:
                    sys.exit("another ring")
            pending = self.take(pending)

    def take(self, pending):
        at, end = 0, len(pending)
        unpack = struct.unpack_from
        while end - at >= 48:
            size, kind, _, _, sequence = unpack("<IBBHQ", pending, at)
            if end - at < size:
                break
            source_bytes, fields_bytes, message_bytes = unpack("<HHI", pending, at + 32)
            source = pending[at + 48:at + 48 + source_bytes]
            message = at + 48 + source_bytes + fields_bytes
            is_gap = kind == 2 and self.gap(pending, at + 48 + source_bytes, message)
            if kind != 3 and not is_gap:
                self.entry(sequence, source, pending[message:message + message_bytes])
            at += size
        return pending[at:]

    def gap(self, pending, at, end):
        fields = {}
        while at + 3 <= end:
            key, value = struct.unpack_from("<BH", pending, at)
            fields[pending[at + 3:at + 3 + key]] = pending[at + 3 + key:at + 3 + key + value]
            at += 3 + key + value
        if b"first" not in fields:
            return False
        first, last, lost = int(fields[b"first"]), int(fields[b"last"]), int(fields[b"lost"])
        if not self.is_filtered and first != self.next or lost != last - first + 1:
            sys.exit("a gap of %d from %d to %d, wanted one from %d" % (lost, first, last, self.next))
        self.lost += lost
        self.gaps += 1
        self.next = last + 1
        return True

    def entry(self, sequence, source, message):
        if sequence != self.next and not (self.is_filtered and sequence > self.next):
            sys.exit("entry %d came, wanted %d" % (sequence, self.next))
        self.next = sequence + 1
        self.delivered += 1
        name = source.decode()
        self.sources[name] = self.sources.get(name, 0) + 1
        if source.startswith(b"writer-"):
            number = int(message[:message.index(b" ")])
            before = self.numbers.get(name, -1)
            if number != before + 1 and not (self.gaps > 0 and number > before):
                sys.exit("%s: line %d after %d" % (name, number, before))
            self.numbers[name] = number
        else:
            self.messages.setdefault(name, []).append(message.decode(errors="replace"))
        if source == self.last:
            self.is_done = True

    def report(self):
        keys = ["first", "next", "delivered", "lost", "gaps", "connections", "sources", "messages"]
        print(json.dumps({key: getattr(self, key) for key in keys}))


def flood(path, syslog_path, sources, seconds):
    pipes = []
    for index in range(sources):
        reader, writer = os.pipe()
        pass_descriptor(path, "flood-%d" % index, reader)
        os.close(reader)
        os.set_blocking(writer, False)
        pipes.append((writer, b"x" * 4096 if index % 2 else b"endless lines of one hundred bytes, as they are, " * 2 + b"\n"))
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.connect(syslog_path)
    log.setblocking(False)
    lines = datagrams = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for at, (writer, text) in enumerate(pipes):
            try:
                # Less than a page is taken whole or not at all.
                os.write(writer, text)
                lines += at % 2 == 0
                log.send(b"<13>flood: %d" % datagrams)
                datagrams += 1
            except BlockingIOError:
                pass
    for writer, _ in pipes:
        os.close(writer)
    print(json.dumps({"lines": lines, "datagrams": datagrams}))


def sleepers(path, count):
    connections = []
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.sendall(b"\2{}\n")
        connections.append(connection)
    sys.stdin.read()
    print("{}")


def main():
    what, path, *rest = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if what == "writers":
        writers(path, *[int(number) for number in rest])
    elif what == "flood":
        flood(path, rest[0], int(rest[1]), int(rest[2]))
    elif what == "sleepers":
        sleepers(path, int(rest[0]))
    else:
        follower = Follower(path, json.loads(rest[0]), rest[1])
        follower.run()
        follower.report()


main()
