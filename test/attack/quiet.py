"""
A quiet container beside an attack: quiet.py LOG_SOCKET QUERY_SOCKET writes a numbered line every few milliseconds until
its standard input ends, and reads its own lines back. Prints JSON: lines sent, received and reported lost, and how late
the lines were.
"""
import json, os, resource, select, socket, struct, sys, time

INTERVAL = 0.01
PATIENCE = 60
log_path, query_path = sys.argv[1:3]
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


class Follower:
    """Follows the source `quiet`, by cursor where the connection breaks."""
    def __init__(self):
        self.ring, self.next, self.late, self.lost = None, 1, [], 0
        self.connect()

    def connect(self):
        self.connection, self.buffer, self.has_header = socket.socket(socket.AF_UNIX), b"", False
        request = {"sources": ["quiet", "memlogd"]}
        if self.ring: request["cursor"] = {"ring": self.ring, "sequence": self.next}
        try:
            self.connection.connect(query_path)
            self.connection.sendall(b"\2" + json.dumps(request).encode() + b"\n")
        except OSError: pass

    def read(self):
        try: got = self.connection.recv(1 << 20)
        except OSError: got = b""
        if not got:
            self.connection.close()
            time.sleep(0.02)
            return self.connect()
        self.buffer += got
        if not self.has_header:
            end = self.buffer.find(b"\n") + 1
            if end == 0: return
            self.ring, self.has_header, self.buffer = json.loads(self.buffer[:end])["ring"], True, self.buffer[end:]
        at = 0
        while len(self.buffer) >= at + 48:
            size, kind = struct.unpack_from("<IB", self.buffer, at)
            if len(self.buffer) < at + size: break
            self.entry(kind, self.buffer[at:at + size])
            at += size
        self.buffer = self.buffer[at:]

    def entry(self, kind, bytes):
        self.next = struct.unpack_from("<Q", bytes, 8)[0] + 1
        source, fields, message = struct.unpack_from("<HHI", bytes, 32)
        if bytes[48:48 + source] != b"quiet": return self.gap(bytes[48 + source:48 + source + fields]) if kind == 2 else None
        start = 48 + source + fields
        self.late.append(time.monotonic() - float(bytes[start:start + message]))

    def gap(self, fields):
        found, at = {}, 0
        while at < len(fields):
            key, value = fields[at], struct.unpack_from("<H", fields, at + 1)[0]
            found[fields[at + 3:at + 3 + key]] = fields[at + 3 + key:at + 3 + key + value]
            at += 3 + key + value
        if b"first" in found:
            self.lost += int(found[b"lost"])
            self.next = int(found[b"last"]) + 1


log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect(log_path)
reader, writer = os.pipe()
socket.send_fds(log, [b"quiet"], [reader])
os.close(reader)
os.set_blocking(writer, False)
follower, sent, is_over, end = Follower(), 0, False, None
due = time.monotonic()
while end is None or (len(follower.late) < sent and time.monotonic() < end):
    now = time.monotonic()
    if now >= due and not is_over:
        try:
            os.write(writer, b"%.6f\n" % now)
            sent += 1
        except BlockingIOError: pass
        due = now + INTERVAL
    wanted = [follower.connection] + ([] if is_over else [sys.stdin])
    ready = select.select(wanted, [], [], max(0, min(due - now, INTERVAL)))[0]
    if follower.connection in ready: follower.read()
    if sys.stdin in ready: is_over, end = True, time.monotonic() + PATIENCE
late = sorted(follower.late)
print(json.dumps({"sent": sent, "received": len(late), "lost": follower.lost, "p99Ms": late[len(late) * 99 // 100] * 1000 if late else None}))
