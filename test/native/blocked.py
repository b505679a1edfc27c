"""Descriptors whose operations block, whatever flags they have: memlogd goes on, and a thread of its own waits for each."""
from support import *

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
PAGE = 4096
# From linux/userfaultfd.h.
USERFAULTFD = {"x86_64": 323, "aarch64": 282}[os.uname().machine]
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE = 0xC018AA3F, 0xC020AA00, 0xC020AA04


class Stalled:
    """A process that is inside write(2), in a page fault that is not served: it holds the lock of the pipe."""

    def __init__(self, writer):
        go, ready = os.pipe(), os.pipe()
        self.is_reaped = False
        # memlogd can't end while one of its threads waits for the pipe: this one is cleaned up first.
        started.append(self)
        self.pid = os.fork()
        if self.pid == 0:
            try: self.stall(writer, go[0], ready[1])
            finally: os._exit(1)
        os.close(go[0]); os.close(ready[1])
        self.go = go[1]
        assert os.read(ready[0], 1) == b"r", "no userfaultfd"
        until("it waits in write", self.is_in_write)

    def is_in_write(self):
        """Whether the first thread sleeps in write(2); its number is 1 on x86_64 and 64 on aarch64."""
        with open(f"/proc/{self.pid}/syscall") as file: return file.read().split()[0] in ("1", "64")

    def stall(self, writer, go, ready):
        area = libc.mmap(None, PAGE, 3, 0x22, -1, 0)
        fault = libc.syscall(USERFAULTFD, os.O_CLOEXEC)
        if fault < 0: os._exit(2)
        fcntl.ioctl(fault, UFFDIO_API, struct.pack("QQQ", 0xAA, 0, 0))
        fcntl.ioctl(fault, UFFDIO_REGISTER, struct.pack("QQQQ", area, PAGE, 1, 0))
        def serve():
            os.read(go, 1)
            fcntl.ioctl(fault, UFFDIO_ZEROPAGE, struct.pack("QQQq", area, PAGE, 0, 0))
        threading.Thread(target=serve, daemon=True).start()
        os.write(ready, b"r")
        libc.write(writer, ctypes.c_void_p(area), PAGE)
        os._exit(0)

    def serve(self):
        os.write(self.go, b"g")
        self.reap()

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.reap()

    def reap(self):
        os.waitpid(self.pid, 0)
        os.close(self.go)
        self.is_reaped = True

    def clean(self):
        if not self.is_reaped: self.kill()


def has_userfaultfd():
    fd = libc.syscall(USERFAULTFD, os.O_CLOEXEC)
    if fd < 0: return print("skipped: userfaultfd is not permitted")
    os.close(fd)
    return True


def pipe_source(m, name):
    r, w = os.pipe(); m.send(name, [r]); os.close(r)
    return w, m.opened(name.decode())[0]["id"]


def stall(m, writers):
    """Each pipe has a byte to read, and a writer that holds its lock."""
    suspend(m.pid)
    for w in writers: os.write(w, b"x")
    stalled = [Stalled(w) for w in writers]
    os.kill(m.pid, signal.SIGCONT)
    return stalled


def test_a_writer_in_a_page_fault_blocks_nobody_else():
    if not has_userfaultfd(): return
    m = Memlogd()
    w, id = pipe_source(m, b"stalled")
    stalled = stall(m, [w])[0]
    os.write(pipe_source(m, b"other")[0], b"still read")
    until("others are read", lambda: m.data(m.opened("other")[0]["id"]) == b"still read")
    event = until("it is reported", lambda: m.events("blocked"))[0]
    assert (event["text"], event["argument"]) == ("stalled", 1)
    m.round_trip()
    stalled.serve()
    until("its bytes are read", lambda: m.data(id) == b"x" + bytes(PAGE))
    os.write(w, b"more"); until("it is read on", lambda: m.data(id) == b"x" + bytes(PAGE) + b"more")
    os.close(w)
    assert m.ended(id)["detail"] == 0
    m.round_trip()
    # It was the first one that read, at the engine's start: the engine goes on without it.
    until("the thread has ended", lambda: len(os.listdir(f"/proc/{m.pid}/task")) == 2)
    m.round_trip()
    assert len(m.engines()) == 1
    m.stop()


def test_many_writers_in_page_faults():
    if not has_userfaultfd(): return
    m = Memlogd()
    before = m.fds()
    ends = [pipe_source(m, b"stalled-%d" % n) for n in range(8)]
    stalled = stall(m, [w for w, _ in ends])
    m.round_trip()
    for s in stalled: s.kill()
    for w, id in ends: os.close(w); m.ended(id)
    until("no descriptor stays open", lambda: m.fds() == before)
    m.stop()


def test_stop_while_a_read_is_blocked():
    # The sockets go at once, and with them every other descriptor. The process itself ends when the kernel lets it.
    if not has_userfaultfd(): return
    m = Memlogd()
    w, id = pipe_source(m, b"stalled")
    other, _ = pipe_source(m, b"other")
    stalled = stall(m, [w])[0]
    m.round_trip()
    m.process.send_signal(signal.SIGTERM)
    until("its files are removed", lambda: not os.path.exists(m.log) and not os.path.exists(m.query))
    def is_closed():
        try: os.write(other, b"x")
        except BrokenPipeError: return True
    until("other writers get EPIPE", is_closed)
    stalled.kill()
    assert m.process.wait(20) == 0
    m.check_sanitizer()


def lingering():
    """A TCP connection whose last close waits for a minute: its peer does not read what was sent."""
    listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
    ours = socket.create_connection(listener.getsockname())
    peer, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    ours.setblocking(False)
    try:
        while True: ours.send(bytes(100_000))
    except BlockingIOError: pass
    ours.setblocking(True)
    return ours, peer


def test_a_lingering_close_blocks_nobody_else():
    m = Memlogd()
    before = m.fds()
    ours, peer = lingering()
    m.send(b"linger", [ours.fileno()]); ours.close()
    id = m.opened("linger")[0]["id"]
    peer.shutdown(socket.SHUT_WR)
    m.ended(id)
    begun = time.monotonic()
    m.round_trip()
    assert time.monotonic() - begun < 20, "the close was waited for"
    peer.close()
    until("no descriptor stays open", lambda: m.fds() == before)
    m.stop()


def test_descriptors_sent_into_a_source_block_nobody_else():
    # The kernel closes what a writer sends along its bytes. Linux 6.16 refuses to send it at all.
    m = Memlogd(shim=OLD_KERNEL)
    a, b = socket.socketpair(); m.send(b"stream", [b.fileno()]); b.close()
    m.opened("stream")
    ours, peer = lingering()
    # Held for a moment: the last close must be memlogd's, and not ours.
    suspend(m.pid)
    socket.send_fds(a, [b"with"], [ours.fileno()]); ours.close()
    os.kill(m.pid, signal.SIGCONT)
    begun = time.monotonic()
    m.round_trip()
    assert time.monotonic() - begun < 20, "the close was waited for"
    peer.close()
    a.sendall(b"out"); a.close()
    assert m.source("stream")[0] == b"without"
    m.stop()


def knows_passrights():
    a, b = socket.socketpair()
    with a, b:
        try: a.setsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS, 0)
        except OSError: return print("skipped: this kernel has no SO_PASSRIGHTS")
    return True


def test_sockets_that_take_no_descriptors_refuse_them():
    if not knows_passrights(): return
    m = Memlogd(start=False)
    m.config["syslog-path"] = m.dir + "/dev-log"
    m.start()
    for path, kind in ((m.config["syslog-path"], socket.SOCK_DGRAM), (m.query, socket.SOCK_STREAM)):
        with socket.socket(socket.AF_UNIX, kind) as s:
            s.connect(path)
            try: socket.send_fds(s, [b"x"], [0])
            except PermissionError: continue
            raise AssertionError(path)
    m.stop()


def test_many_lingering_closes_are_never_waited_for():
    # Beyond eight threads the log socket is left unread until one of them has ended.
    m = Memlogd()
    before = m.fds()
    writer, id = pipe_source(m, b"other")
    pairs = [lingering() for _ in range(12)]
    for n, (ours, _) in enumerate(pairs): m.send(b"linger-%d" % n, [ours.fileno()]); ours.close()
    ids = [m.opened("linger-%d" % n)[0]["id"] for n in range(12)]
    for _, peer in pairs: peer.shutdown(socket.SHUT_WR)
    for ended in ids: m.ended(ended)
    event = until("it is reported", lambda: m.events("closing_blocked"))[0]
    assert event["argument"] == 8, event
    late = []
    for n in range(20):
        begun = time.monotonic()
        os.write(writer, b"%d\n" % n)
        until("others are read", lambda: m.data(id).endswith(b"%d\n" % n))
        late.append(time.monotonic() - begun)
    assert sorted(late)[10] < 0.1 + slack(), late
    r, w = os.pipe(); m.send(b"later", [r]); os.close(r); os.write(w, b"x"); os.close(w)
    assert not m.frames("OPEN", name="later")
    pairs[0][1].close()
    assert m.source("later")[0] == b"x"
    for _, peer in pairs: peer.close()
    os.close(writer)
    until("no descriptor stays open", lambda: m.fds() == before)
    until("no thread stays", lambda: len(os.listdir(f"/proc/{m.pid}/task")) == 2)
    m.stop()


def test_many_descriptors_sent_to_the_syslog_socket_of_an_older_kernel():
    # What comes before the first message that can't be closed is stored at once, the rest when it can be again.
    m = Memlogd(start=False, shim=OLD_KERNEL)
    m.config["syslog-path"] = m.dir + "/dev-log"
    m.start()
    writer, id = pipe_source(m, b"other")
    texts = lambda: [f["data"].rsplit("\0", 1)[-1] for f in m.frames("DATAGRAM")]
    peers = []
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(m.config["syslog-path"])
    # The last close must be memlogd's, and not ours. A signal would end the wait.
    suspend(m.pid)
    for n in range(9):
        ours, peer = lingering()
        socket.send_fds(s, [b"hostile-%d" % n], [ours.fileno()]); ours.close()
        peers.append(peer)
    os.kill(m.pid, signal.SIGCONT)
    until("it is reported", lambda: m.events("closing_blocked"))
    s.send(b"plain")
    until("a message without descriptors is stored", lambda: any(t.endswith("plain") for t in texts()))
    r, w = os.pipe()
    socket.send_fds(s, [b"refused"], [r]); s.send(b"behind")
    os.write(writer, b"x")
    until("others are read", lambda: m.data(id) == b"x")
    assert not any(t.endswith(("refused", "behind")) for t in texts())
    for peer in peers: peer.close()
    until("the rest is stored", lambda: any(t.endswith("behind") for t in texts()))
    os.close(writer)
    m.stop()


def test_descriptors_sent_to_the_syslog_socket_block_nobody_else():
    m = Memlogd(start=False, shim=OLD_KERNEL)
    m.config["syslog-path"] = m.dir + "/dev-log"
    m.start()
    ours, peer = lingering()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(m.config["syslog-path"])
    # Held for a moment: the last close must be memlogd's, and not ours.
    suspend(m.pid)
    socket.send_fds(s, [b"hostile"], [ours.fileno()] * 3); ours.close()
    s.send(b"waiting")
    os.kill(m.pid, signal.SIGCONT)
    begun = time.monotonic()
    until("what waited is read", lambda: any(f["data"].endswith("waiting") for f in m.frames("DATAGRAM")))
    s.send(b"next")
    until("the next datagram is read", lambda: any(f["data"].endswith("next") for f in m.frames("DATAGRAM")))
    assert time.monotonic() - begun < 20, "the close was waited for"
    peer.close()
    count = lambda: len(m.frames("DATAGRAM")) + sum(e["count"] for e in m.events("lost"))
    until("received + lost = sent", lambda: count() == 3)
    os.kill(m.pid, signal.SIGTERM); m.process.wait(20)
    m.check_sanitizer()


def test_a_file_whose_reads_block():
    # /proc/kmsg is a regular file by its mode, and a read waits until there is a record.
    try: fd = os.open("/proc/kmsg", os.O_RDONLY)
    except OSError: return print("skipped: /proc/kmsg can't be opened")
    m = Memlogd()
    m.send(b"kmsg", [fd]); os.close(fd)
    m.opened("kmsg")
    m.round_trip()
    m.stop()


if __name__ == "__main__": run(globals())
