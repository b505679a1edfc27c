"""Syslog, the kernel's log, Docker's socket."""
from support import *


def test_syslog_datagrams():
    # Everybody may write to it, and the kernel says who did. Descriptors that a sender passes along are closed, where
    # the kernel does not refuse them.
    m = Memlogd(start=False, shim=OLD_KERNEL)
    path = m.dir + "/dev-log"
    m.config["syslog-path"] = path
    m.start()
    before = m.fds()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(path)
    s.send(b"<13>hello"); s.send(b""); s.send(b"y" * 60_000)
    socket.send_fds(s, [b"with fds"], [0, 1, 2])
    frames = until("four datagrams", lambda: len(f := m.frames("DATAGRAM")) == 4 and f)
    for frame, text in zip(frames, (b"<13>hello", b"", b"y" * 60_000, b"with fds")):
        data = frame["data"].encode("latin1")
        assert struct.unpack("<IIII", data[:16]) == (os.getpid(), os.getuid(), os.getgid(), 0) and data[16:] == text and frame["detail"] == 0
    assert m.opened("syslog")[0]["kind"] == 2
    until("no descriptor stays", lambda: m.fds() == before)
    os.kill(m.pid, signal.SIGTERM); m.process.wait()
    assert not os.path.exists(path)


def test_syslog_datagrams_that_wait():
    # What waits in the socket is received at once, each datagram with its own sender, and in order.
    m = Memlogd(start=False, shim=OLD_KERNEL)
    path = m.dir + "/dev-log"
    m.config["syslog-path"] = path
    m.start()
    before = m.fds()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(path)
    texts = [b"%d " % n + b"t" * (n % 3 * 20_000) for n in range(8)]
    suspend(m.pid)
    for text in texts[:-1]: s.send(text)
    child = subprocess.Popen([sys.executable, "-c", "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1]); "
                              "socket.send_fds(s, [sys.argv[2].encode()], [0] * 253)", path, texts[-1].decode()])
    child.wait()
    os.kill(m.pid, signal.SIGCONT)
    frames = until("all of them", lambda: len(f := m.frames("DATAGRAM")) == len(texts) and f)
    senders = [os.getpid()] * (len(texts) - 1) + [child.pid]
    for frame, text, pid in zip(frames, texts, senders):
        data = frame["data"].encode("latin1")
        assert struct.unpack("<I", data[:4])[0] == pid and data[16:] == text
    assert len(set(f["mono"] for f in frames)) == 1, "not one batch"
    until("no descriptor stays", lambda: m.fds() == before)
    m.stop()


def test_the_first_datagram_has_its_sender():
    # It is sent as soon as the socket exists, before memlogd does anything else.
    m = Memlogd(start=False, shim="stopped bind 3")
    path = m.config["syslog-path"] = m.dir + "/dev-log"
    m.start_until_stopped()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(path)
    s.send(b"early")
    m.resume()
    frame = until("it is read", lambda: m.frames("DATAGRAM"))[0]
    assert struct.unpack("<III", frame["data"].encode("latin1")[:12]) == (os.getpid(), os.getuid(), os.getgid())
    m.stop()


def test_syslog_flood_under_a_full_queue():
    # The engine is held and the queue is full: senders wait a moment, then datagrams are dropped, and the reported number is exact.
    m = Memlogd(start=False)
    path = m.dir + "/dev-log"
    m.config["syslog-path"] = path
    m.start(); m.hold()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(path)
    total, begun = 6000, time.monotonic()
    for n in range(total): s.send(b"%06d" % n + b"z" * 1000)
    took = time.monotonic() - begun
    assert took < 5 + 5 * slack(), took
    m.release()
    count = lambda: len(m.frames("DATAGRAM")) + sum(e["count"] for e in m.events("lost"))
    until("received + lost = sent", lambda: count() == total)
    assert sum(e["count"] for e in m.events("lost")) > 1000 and m.events("lost")[0]["argument"] == 2
    m.stop()


def test_a_queue_that_fills_up_in_a_turn_leaves_datagrams_their_time():
    # The engine's own OPENs fill the queue in the turn in which datagrams wait. It acknowledges what is there right after them.
    limit = 4 * 1024 * 1024 - (4096 * 2 * 32 + 4096) - 2 * (64 * 1024 + 96) - (32 * 1024 + 32)
    m = Memlogd(start=False)
    m.config["syslog-path"] = m.dir + "/dev-log"
    m.start()
    fifo = m.dir + "/f"
    os.mkfifo(fifo)
    m.round_trip()
    m.do(do="hold")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(m.config["syslog-path"])
    frames = (limit - 500) // 1040
    for n in range(frames): s.send(b"%06d" % n + b"z" * (1040 - 32 - 16 - 6))
    until("all is read", lambda: fcntl.ioctl(s, termios.TIOCOUTQ, b"\0" * 4) == b"\0" * 4)
    suspend(m.pid)
    for n in range(8): s.send(b"waits")  # no more than a socket holds
    opens = 9000 // (16 + 4 + len(fifo) + 2)
    assert opens * 32 > 500 + 1040
    m.do(do="open-all-and-store", path=fifo, kind=1, count=opens)
    m.resume()
    until("each datagram is handled", lambda: len(m.frames("DATAGRAM")) + sum(e["count"] for e in m.events("lost")) == frames + 8)
    # A machine that is busier than their time is long may drop them, then.
    full = m.opened("f", opens)[-1]["mono"]
    assert all(event["mono"] >= full + 0.2 for event in m.events("lost")), (full, m.events("lost"))
    m.stop()


def as_user(uid, work):
    pid = os.fork()
    if pid == 0:
        try: os.setgroups([]); os.setgid(uid); os.setuid(uid); work()
        except BaseException: os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_users_have_their_own_limit():
    # A short message counts 200 bytes, so ten of them fit into 2000. Root has no limit, and another user has a limit of its own.
    if os.getuid() != 0: return print("skipped: only root can act as other users")
    m = Memlogd(start=False)
    path = m.dir + "/dev-log"
    os.chmod(m.dir, 0o755)
    m.config.update({"syslog-path": path, "syslog-user-bytes": "2000", "syslog-message-bytes": "200"})
    m.start()
    def send(count, text=b"x"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(path)
            for _ in range(count): s.send(text)
    as_user(1000, lambda: send(15)); as_user(1001, lambda: send(11)); send(30)
    as_user(1002, lambda: send(1, b"a\0" * 11)); as_user(1002, lambda: send(1, b"b\0" * 9))
    until("the last one", lambda: any(f["data"].endswith("b\0") for f in m.frames("DATAGRAM")))
    sent = lambda uid: sum(struct.unpack("<I", f["data"].encode("latin1")[4:8])[0] == uid for f in m.frames("DATAGRAM"))
    refused = lambda uid: sum(e["count"] for e in m.events("rate_limited") if e["argument"] == uid)
    until("all are counted", lambda: refused(1000) == 5 and refused(1001) == 1 and refused(1002) == 1)
    assert [sent(uid) for uid in (0, 1000, 1001, 1002)] == [30, 10, 10, 1]
    m.stop()


def address(port): return struct.pack("<H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + bytes(8)


def free_port(type):
    with socket.socket(socket.AF_INET, type) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_syslog_over_udp():
    port = free_port(socket.SOCK_DGRAM)
    m = Memlogd({"syslog-udp": address(port).hex()})
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
    s.sendto(b"<1>remote", ("127.0.0.1", port)); s.sendto(b"q" * 65_507, ("127.0.0.1", port))
    frames = until("both", lambda: len(f := m.frames("DATAGRAM")) == 2 and f)
    data = frames[0]["data"].encode("latin1")
    assert struct.unpack("<IIII", data[:16])[3] == 16 and data[16:32] == address(s.getsockname()[1]) and data[32:] == b"<1>remote"
    assert len(frames[1]["data"]) == 32 + 65_507
    m.stop()


def waiting_datagrams(port):
    """Bytes in the buffer of the socket at that port."""
    with open("/proc/net/udp") as table: lines = [line.split() for line in table]
    return sum(int(f[4].split(":")[1], 16) for f in lines[1:] if f[1].endswith(":%04X" % port))


def test_udp_datagrams_that_the_kernel_dropped():
    # memlogd is stopped and the socket's buffer overflows: the kernel's drops are reported, and the sum is exact.
    port = free_port(socket.SOCK_DGRAM)
    m = Memlogd({"syslog-udp": address(port).hex()})
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", port))
    suspend(m.pid)
    total = 2000  # few and large, so that a busy engine stores in time what the buffer holds
    for _ in range(total): s.send(b"u" * 60_000)
    os.kill(m.pid, signal.SIGCONT)
    seen = lambda: len(m.frames("DATAGRAM"))
    until("the socket is empty", lambda: waiting_datagrams(port) == 0)
    count = lambda: seen() + sum(e["count"] for e in m.events("lost"))
    until("received + lost = sent, though no other datagram comes", lambda: count() == total)
    assert m.events("lost")[0]["argument"] == 3
    # The same right before the end.
    suspend(m.pid)
    for _ in range(total): s.send(b"u" * 60_000)
    os.kill(m.pid, signal.SIGTERM); os.kill(m.pid, signal.SIGCONT)
    assert m.process.wait(20) == 0 and count() == 2 * total, (count(), total)
    m.check_sanitizer()


def test_udp_datagrams_that_the_kernel_dropped_before_the_rest_is_dropped():
    # The queue is full, so what the socket still holds is dropped too. No later datagram brings the kernel's count.
    port = free_port(socket.SOCK_DGRAM)
    m = Memlogd({"syslog-udp": address(port).hex()})
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", port))
    m.hold()
    total = 30_000
    for _ in range(2):
        suspend(m.pid)
        for _ in range(total): s.send(b"u" * 1000)
        m.resume()
        until("the socket is empty", lambda: waiting_datagrams(port) == 0)
    m.release()
    count = lambda: len(m.frames("DATAGRAM")) + sum(e["count"] for e in m.events("lost"))
    until("received + lost = sent", lambda: count() == 2 * total)
    m.stop()


def test_syslog_over_udp6():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind(("::1", 0)); port = s.getsockname()[1]
    raw = struct.pack("<H", socket.AF_INET6) + struct.pack(">H", port) + bytes(4) + socket.inet_pton(socket.AF_INET6, "::1") + bytes(4)
    m = Memlogd({"syslog-udp": raw.hex()})
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b"six", ("::1", port))
    data = until("it", lambda: m.frames("DATAGRAM"))[0]["data"].encode("latin1")
    assert struct.unpack("<I", data[12:16])[0] == 28 and data[24:40] == socket.inet_pton(socket.AF_INET6, "::1") and data[44:] == b"six"
    m.stop()


def test_syslog_over_tcp():
    # Every connection is a source named by its peer, the port included. The 33rd of a peer is refused and reported.
    port = free_port(socket.SOCK_STREAM)
    m = Memlogd({"syslog-tcp": address(port).hex()})
    before = m.fds()
    connect = lambda host: socket.create_connection(("127.0.0.1", port), source_address=(host, 0), timeout=60)
    hosts = ["127.0.0.%d" % n for n in range(1, 9)]
    peers = [connect(hosts[n // 32]) for n in range(256)]
    for n, peer in enumerate(peers): peer.sendall(b"%d" % n)
    opened = [f for peer in peers for f in m.opened("%s:%d" % peer.getsockname())]
    assert len(opened) == 256 and opened[0]["kind"] == 4
    peers.pop().close()
    until("there is room", lambda: len(m.frames("END")) == 1)
    too_many = connect("127.0.0.1")
    until("it is reported", lambda: m.events("full"))
    assert too_many.recv(1) == b"" and m.events("full")[0]["argument"] == 4 and m.events("full")[0]["text"] == "127.0.0.1"
    for peer in peers: peer.close()
    for f in opened: m.ended(f["id"])
    assert sorted(int(m.data(f["id"])) for f in opened) == list(range(256))
    again = connect("127.0.0.1"); again.sendall(b"again")
    m.opened("%s:%d" % again.getsockname()); again.close()
    until("no descriptor stays", lambda: m.fds() == before)
    m.stop()


def test_a_silent_connection_of_who_has_most_makes_room():
    # All 256 are in use. While everybody sends, a newcomer is refused; then the silent one of the largest holder goes.
    port = free_port(socket.SOCK_STREAM)
    m = Memlogd({"syslog-tcp": address(port).hex()})
    connect = lambda host: socket.create_connection(("127.0.0.1", port), source_address=(host, 0), timeout=60)
    lone = connect("127.0.0.10")
    peers = [connect("127.0.0.%d" % (1 + n // 32)) for n in range(255)]
    for peer in peers: peer.sendall(b"<1>")
    name_of = lambda peer: "%s:%d" % peer.getsockname()
    for peer in peers: m.opened(name_of(peer))
    newcomers = []
    def attempt(senders):
        for sender in senders: sender.sendall(b".")
        newcomers.append(connect("127.0.0.9"))
        newcomers[-1].settimeout(0.05)
        try: return newcomers[-1].recv(1) != b""
        except TimeoutError: return True
    assert not attempt([*peers, lone]) and until("it is reported", lambda: m.events("full"))
    silent = peers.pop(40)
    name = name_of(silent)
    until("a newcomer is accepted", lambda: attempt(peers))
    assert silent.recv(1) == b"" and until("it is reported", lambda: m.events("connection_ended"))[0]["text"] == name
    assert [f["id"] for f in m.frames("END")] == [m.opened(name)[0]["id"]]
    lone.sendall(b"still here")
    until("its text", lambda: m.data(m.opened(name_of(lone))[0]["id"]).endswith(b"still here"))
    m.stop()


def test_connections_of_an_ipv6_network_count_together():
    # Whoever has one address has all of the network's.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0: return print("skipped: no network of its own")  # CLONE_NEWNET
    run = lambda words: subprocess.run(words.split(), check=True)
    run("ip link set lo up")
    for host in ("fd00:1::1", "fd00:1::2", "fd00:1:0:1::1"): run(f"ip -6 addr add {host}/128 dev lo nodad")
    m = Memlogd({"syslog-tcp": (struct.pack("<H", socket.AF_INET6) + struct.pack(">H", 6514) + bytes(24)).hex()})
    connect = lambda host: socket.create_connection(("::1", 6514), source_address=(host, 0), timeout=60)
    peers = [connect("fd00:1::%d" % (1 + n % 2)) for n in range(32)]
    assert connect("fd00:1::2").recv(1) == b""
    assert until("it is reported", lambda: m.events("full"))[0]["text"] == "[fd00:1::2]"
    other = connect("fd00:1:0:1::1")
    m.opened("[fd00:1:0:1::1]:%d" % other.getsockname()[1])
    m.stop()


def test_ipv6_peers_are_named_as_rfc_5952_says():
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::", 0)); port = s.getsockname()[1]
    raw = struct.pack("<H", socket.AF_INET6) + struct.pack(">H", port) + bytes(24)
    m = Memlogd({"syslog-tcp": raw.hex()})
    a = socket.create_connection(("::1", port)); b = socket.create_connection(("127.0.0.1", port))
    m.opened("[::1]:%d" % a.getsockname()[1]); m.opened("127.0.0.1:%d" % b.getsockname()[1])
    m.stop()


def test_kernel_records():
    # Each read is a record, from the first one on. Later records come once, even if the engine dies.
    if not os.access("/dev/kmsg", os.R_OK): return
    try: fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError: return
    records = []
    try:
        while True: records.append(os.read(fd, 8192))
    except BlockingIOError: pass
    m = Memlogd({"kmsg-path": "/dev/kmsg"})
    frames = until("the records", lambda: len(f := m.frames("RECORD")) >= len(records) and f)
    assert frames[0]["data"].encode("latin1").split(b";")[0].split(b",")[1] == records[0].split(b",")[1]
    assert m.opened("kernel")[0]["kind"] == 5
    with open("/dev/kmsg", "wb", buffering=0) as k: k.write(b"<14>memlogd test record\n")
    until("a new record", lambda: any("memlogd test record" in f["data"] for f in m.frames("RECORD")))
    os.kill(m.engines()[0]["started"], signal.SIGKILL)
    until("a second engine", lambda: m.engines()[1:])
    m.round_trip()
    numbers = [int(f["data"].split(",")[1]) for f in m.frames("RECORD")]
    assert numbers == sorted(set(numbers)), "a record came twice"
    m.stop()


def test_no_kernel_log():
    m = Memlogd({"kmsg-path": "/nonexistent/kmsg"})
    until("it is reported", lambda: m.events("kmsg"))
    assert (m.events("kmsg")[0]["argument"], m.events("kmsg")[0]["text"]) == (2, "/nonexistent/kmsg")
    m.stop()


def test_docker_socket():
    # The directory is made, the listening socket is the engine's descriptor 7, the file is removed at the end.
    m = Memlogd(start=False)
    path = m.dir + "/plugins/deep/memlogd.sock"
    m.config["docker-path"] = path
    m.start()
    assert m.engines()[0]["links"]["7"].startswith("socket:") and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    c = socket.socket(socket.AF_UNIX); c.connect(path)
    os.kill(m.pid, signal.SIGTERM); m.process.wait()
    assert not os.path.exists(path)


if __name__ == "__main__": run(globals())
