"""Descriptors and datagrams come in; the engine sees exactly what was sent."""
from support import *


def test_every_kind_of_descriptor():
    # Everything that can be read is read to its end, under its name, byte for byte.
    m = Memlogd()
    before = m.fds()
    r, w = os.pipe(); m.send(b"pipe", [r]); os.close(r); os.write(w, b"a\nb"); os.close(w)
    a, b = socket.socketpair(); m.send(b"stream", [b.fileno()]); b.close(); a.sendall(b"\0\xff\n" * 1000); a.close()
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); m.send(b"dgram", [b.fileno()]); b.close()
    a.send(b"one\n"); a.send(b""); a.send(b"two\n")
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); m.send(b"seq", [b.fileno()]); b.close(); a.send(b"packet\n"); a.close()
    path = m.dir + "/file"
    with open(path, "wb") as f: f.write(b"x" * 100_000 + b"\nend")
    fd = os.open(path, os.O_RDONLY); os.lseek(fd, 99_998, os.SEEK_SET); m.send(b"file", [fd])
    main, sub = pty.openpty(); m.send(b"tty", [sub]); os.close(sub); os.write(main, b"typed\n"); m.opened("tty")
    null = os.open("/dev/null", os.O_RDONLY); m.send(b"null", [null]); os.close(null)
    memfd = os.memfd_create("x"); os.write(memfd, b"memory"); os.lseek(memfd, 0, 0); m.send(b"memfd", [memfd]); os.close(memfd)
    assert m.source("pipe") == (b"a\nb", m.source("pipe")[1])
    assert m.source("stream")[0] == b"\0\xff\n" * 1000
    until("datagrams", lambda: m.data(m.opened("dgram")[0]["id"]) == b"one\ntwo\n")
    assert m.source("seq")[0] == b"packet\n"
    assert m.source("file")[0] == b"xx\nend"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 99_998, "the sender's offset was moved"
    os.close(fd)
    until("the terminal's line", lambda: b"typed" in m.data(m.opened("tty")[0]["id"]))
    os.close(main)
    assert m.source("tty")[1]["detail"] == 0
    assert m.source("null")[0] == b""
    assert m.source("memfd")[0] == b"memory"
    # A datagram socket has no end: it stays open, whatever its peer does.
    until("no other descriptor stays", lambda: m.fds() == before + 1)
    m.stop()


def test_flags_of_shared_descriptions_stay():
    # The sender goes on using what it passed: its descriptions do not become non-blocking.
    m = Memlogd()
    r, w = os.pipe(); a, b = socket.socketpair(); main, sub = pty.openpty()
    m.send(b"shared", [r, b.fileno(), sub]); m.opened("shared", 3)
    for fd in (r, b.fileno(), sub): assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
    m.stop()


def test_files_leave_room_for_streams():
    # Regular files always have something to read, and fill the queue whenever the engine, like the real one, makes a little
    # room. A pipe that is passed with 16 of them is read before half of the files' bytes are.
    m = Memlogd(engine={"batch": 4})
    m.hold()
    read, chunk = 32 * 1024, 1024 * 1024
    for n in range(16):
        fd = os.memfd_create("large"); os.write(fd, b"f" * chunk); os.lseek(fd, 0, 0); m.send(b"file-%d" % n, [fd]); os.close(fd)
    r, w = os.pipe(); fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 8 * read)
    assert os.write(w, b"p" * 8 * read) == 8 * read
    m.send(b"pipe", [r]); os.close(r); os.close(w)
    m.release()
    piped, end = m.source("pipe")
    assert piped == b"p" * 8 * read
    for n in range(16): m.source("file-%d" % n)
    after = sum(len(f["data"]) for f in m.frames("DATA") if f["at"] > end["at"])
    assert after > 8 * chunk, after
    m.stop()


def fifo(m, name):
    path = f"{m.dir}/{name}"
    os.mkfifo(path)
    return path


def test_fifo_whose_writer_comes_later():
    # LinuxKit's service passes the FIFO before the container has opened it. That is no end.
    m = Memlogd()
    path = fifo(m, "fifo")
    r = os.open(path, os.O_RDONLY | os.O_NONBLOCK); m.send(b"later", [r]); os.close(r)
    id = m.opened("later")[0]["id"]
    m.round_trip()
    assert not m.frames("END", id=id)
    w = os.open(path, os.O_WRONLY); os.write(w, b"late\n"); os.close(w)
    assert m.source("later")[0] == b"late\n"
    m.stop()


def test_fifo_whose_writer_has_gone():
    # The container wrote and ended before memlogd got the FIFO: its bytes are read and the source ends.
    m = Memlogd()
    for name, text in ((b"gone", b"gone\n"), (b"silent", b"")):
        path = fifo(m, name.decode())
        r = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        w = os.open(path, os.O_WRONLY); os.write(w, text); os.close(w)
        m.send(name, [r]); os.close(r)
        assert m.source(name.decode())[0] == text
    m.stop()


def test_fifo_that_its_sender_holds_open():
    # Passed for reading and writing: writers may come and go, it never ends.
    m = Memlogd()
    path = fifo(m, "held")
    fd = os.open(path, os.O_RDWR); m.send(b"held", [fd]); os.close(fd)
    id = m.opened("held")[0]["id"]
    for text, all in ((b"1\n", b"1\n"), (b"2\n", b"1\n2\n")):
        w = os.open(path, os.O_WRONLY); os.write(w, text); os.close(w)
        until("the line", lambda: m.data(id) == all)
    m.round_trip()
    assert not m.frames("END", id=id)
    m.stop()


def test_many_fifos_that_end_at_once():
    # The last writer closes while the FIFO is being adopted: the end is seen every time.
    m = Memlogd()
    count = 300
    for n in range(count):
        path = fifo(m, f"f{n}")
        r = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        w = os.open(path, os.O_WRONLY); os.write(w, b"%d\n" % n)
        closer = threading.Thread(target=os.close, args=(w,))
        m.send(b"racy", [r]) if n % 2 else closer.start()
        closer.start() if n % 2 else m.send(b"racy", [r])
        os.close(r); closer.join(); os.unlink(path)
    for record in m.opened("racy", count): m.ended(record["id"])
    assert sorted(int(m.data(r["id"])) for r in m.opened("racy")) == list(range(count))
    m.stop()


def test_descriptors_that_cannot_be_read():
    # Refused, reported and closed: directories, write-only ends, listeners, epoll, path handles.
    m = Memlogd()
    before = m.fds()
    r, w = os.pipe(); listener = socket.socket(socket.AF_UNIX); listener.bind(m.dir + "/l"); listener.listen()
    epoll = select.epoll()
    bad = [os.open("/", os.O_RDONLY), w, listener.fileno(), epoll.fileno(), os.open("/etc/passwd", os.O_PATH), os.open("/dev/null", os.O_WRONLY)]
    m.send(b"bad", bad)
    until("all are refused", lambda: sum(e["count"] for e in m.events("refused")) == len(bad))
    assert m.events("refused")[0]["text"] == "bad"
    assert not m.frames("OPEN", name="bad") and m.fds() == before
    m.stop()


def test_names():
    # Names are passed on as they are. Longer ones are cut at 512 bytes, and that is reported.
    m = Memlogd()
    r, w = os.pipe()
    for name in (b"n" * 512, b"m" * 513, b"l" * 60000, b"a/../b\n\0", b"\xff\x01 x"): m.send(name, [r])
    # An empty datagram can carry descriptors too.
    m.send(b"", [r])
    until("six sources", lambda: len(m.frames("OPEN", kind=1)) == 6)
    assert [f["name"] for f in m.frames("OPEN", kind=1)] == ["n" * 512, "m" * 512, "l" * 512, "a/../b\n\0", "\xff\x01 x", ""]
    until("both cuts are reported", lambda: sum(e["count"] for e in m.events("name_cut")) == 2)
    assert all(f["same"] for f in m.frames("OPEN"))
    m.stop()


def test_datagrams_without_descriptors():
    # Ignored, counted, and reported at most once a second however many come.
    m = Memlogd()
    for _ in range(500): m.send(b"nothing", [])
    until("all are counted", lambda: sum(e["count"] for e in m.events("without")) == 500)
    assert len(m.events("without")) <= 4
    m.stop()


def test_truncated_control_message():
    # memlogd is at its limit of descriptors: those that arrive are adopted, and the loss of the others is reported.
    m = Memlogd()
    resource.prlimit(m.pid, resource.RLIMIT_NOFILE, (m.fds() + 3, 10_000))
    pipes = [os.pipe() for _ in range(10)]
    m.send(b"cut", [r for r, _ in pipes])
    until("the cut is reported", lambda: m.events("truncated"))
    arrived = m.events("truncated")[0]["argument"]
    assert 0 < arrived < 10 and len(m.opened("cut", arrived)) == arrived
    resource.prlimit(m.pid, resource.RLIMIT_NOFILE, (10_000, 10_000))
    r, w = os.pipe(); m.send(b"after", [r]); os.close(r); os.write(w, b"fine"); os.close(w)
    assert m.source("after")[0] == b"fine"
    m.stop()


def test_253_descriptors_at_once():
    m = Memlogd()
    pipes = [os.pipe() for _ in range(253)]
    m.send(b"many", [r for r, _ in pipes])
    for n, (r, w) in enumerate(pipes): os.write(w, b"%d" % n); os.close(w); os.close(r)
    for record in m.opened("many", 253): m.ended(record["id"])
    assert sorted(int(m.data(r["id"])) for r in m.opened("many")) == list(range(253))
    m.stop()


def test_as_many_sources_as_there_are_slots():
    # The 4097th is closed, and that is reported. When others end, their slots are used again.
    m = Memlogd()
    before = m.fds()
    own = len(m.frames("OPEN")) or 1
    r, w = os.pipe()
    total, sent = 4096 - own, 0
    while sent < total + 5:
        part = min(253, total + 5 - sent)
        m.send(b"slots", [r] * part)
        sent += part
    until("five are too many", lambda: sum(e["count"] for e in m.events("full")) == 5)
    assert len(m.opened("slots", total)) == total
    os.close(w); os.close(r)
    until("all ended", lambda: len(m.frames("END")) == total)
    until("no descriptor stays", lambda: m.fds() == before)
    r, w = os.pipe(); m.send(b"again", [r]); os.close(r); os.write(w, b"x"); os.close(w)
    assert m.source("again")[0] == b"x"
    m.stop()


def test_fewer_descriptors_than_slots():
    # The limit of descriptors is low and senders exhaust it: others are refused, and an engine that dies is started again.
    # (Root may raise its own limit, so that capability is dropped first.)
    drop = lambda: (ctypes.CDLL(None).prctl(24, 24, 0, 0, 0), resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
    m = Memlogd(preexec_fn=drop)
    limit = resource.prlimit(m.pid, resource.RLIMIT_NOFILE)[1]
    if limit > 200: return m.stop()
    r, w = os.pipe()
    for _ in range(30): m.send(b"greedy", [r] * 10)
    until("some are refused", lambda: m.events("no_descriptors") or m.events("truncated"))
    for n in range(3):
        os.kill(m.engines()[-1]["started"], signal.SIGKILL)
        until("another engine", lambda: len(m.engines()) == n + 2)
    os.write(w, b"x"); until("it is read", lambda: m.frames("DATA"))
    m.stop()


def test_descriptors_that_come_one_by_one_leave_the_reserve():
    # Each pipe is opened again. It keeps its number, or the reserved numbers would be used up.
    drop = lambda: (ctypes.CDLL(None).prctl(24, 24, 0, 0, 0), resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
    m = Memlogd(preexec_fn=drop)
    limit = resource.prlimit(m.pid, resource.RLIMIT_NOFILE)[1]
    if limit > 200: return m.stop()
    r, w = os.pipe()
    for _ in range(220): m.send(b"greedy", [r])
    until("some are refused", lambda: m.events("no_descriptors"))
    for n in range(3):
        os.kill(m.engines()[-1]["started"], signal.SIGKILL)
        until("another engine", lambda: len(m.engines()) == n + 2)
    os.write(w, b"x"); until("it is read", lambda: m.frames("DATA"))
    m.stop()


def test_too_few_descriptors_to_start():
    drop = lambda limit: lambda: (ctypes.CDLL(None).prctl(24, 24, 0, 0, 0), resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    for limit in (6, 16, 20, 47):
        m = Memlogd(start=False)
        process = m.spawn(preexec_fn=drop(limit))
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (1, "") and err == f"memlogd: the limit of open files (ulimit -Hn) is {limit}, wanted at least 48\n", err


def test_messages_that_are_longer_than_a_read():
    # What does not fit is cut, and the frame says how much that was.
    m = Memlogd()
    for name, type in ((b"datagrams", socket.SOCK_DGRAM), (b"sequence", socket.SOCK_SEQPACKET)):
        a, b = socket.socketpair(socket.AF_UNIX, type)
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        m.send(name, [b.fileno()]); b.close()
        id = m.opened(name.decode())[0]["id"]
        a.send(b"x" * 100_000 + b"\n"); a.send(b"y")
        frames = until("both", lambda: len(f := m.frames("DATA", id=id)) == 2 and f)
        assert [(len(f["data"]), f["detail"]) for f in frames] == [(32768, 100_001 - 32768), (1, 0)]
        a.close()
    m.stop()


def test_an_empty_message_of_a_sequence_is_no_end():
    m = Memlogd()
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    m.send(b"sequence", [b.fileno()]); b.close()
    a.send(b"first"); a.send(b""); a.send(b"second"); a.send(b""); a.send(b"third"); a.close()
    assert m.source("sequence")[0] == b"firstsecondthird"
    m.stop()


def test_silent_datagram_sockets_make_room():
    # A datagram socket has no end. When slots are short, the one that was silent for longest is ended.
    m = Memlogd()
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent = 0
    while sent < 4400:
        m.send(b"dead", [b.fileno()] * 220)
        sent += 220
    until("slots are free again", lambda: (ends := m.frames("END")) and m.acknowledged() > ends[0]["at"])
    r, w = os.pipe(); m.send(b"new", [r]); os.close(r); os.write(w, b"line")
    until("the new one is read", lambda: m.data(m.opened("new")[0]["id"]) == b"line")
    assert m.events("idle_ended")
    m.stop()


def test_a_thousand_sources():
    # A thousand containers write a hundred lines each; every byte arrives, in order, once.
    m = Memlogd()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    ends = []
    for n in range(1000):
        a, b = socket.socketpair(); m.send(b"s%d" % n, [b.fileno()]); b.close(); ends.append(a)
    for line in range(100):
        for n, a in enumerate(ends): a.sendall(b"%d:%d\n" % (n, line))
    for a in ends: a.close()
    until("all ended", lambda: len(m.frames("END")) >= 1000)
    data = {}
    for f in m.frames("DATA"): data[f["id"]] = data.get(f["id"], "") + f["data"]
    for f in m.frames("OPEN", kind=1):
        n = int(f["name"][1:])
        assert data[f["id"]] == "".join(f"{n}:{line}\n" for line in range(100))
    m.stop()


def test_a_slow_engine_blocks_writers_and_loses_nothing():
    # The engine is held: the queue fills up and the writer blocks. The engine goes on, and every byte is there.
    m = Memlogd()
    r, w = os.pipe(); m.send(b"flood", [r]); os.close(r)
    id = m.opened("flood")[0]["id"]
    m.hold()
    os.set_blocking(w, False)
    sent = bytearray()
    while select.select([], [w], [], 1 + slack())[1]:
        part = b"%015d\n" % len(sent) * 256
        sent += part[:os.write(w, part)]
    assert 3_000_000 < len(sent) < 5_000_000, len(sent)
    spent = lambda: sum(int(n) for n in open(f"/proc/{m.pid}/stat").read().split()[13:15])
    before = spent(); time.sleep(0.3)
    assert spent() - before <= 5, "memlogd is busy though it can do nothing"
    m.release()
    os.set_blocking(w, True)
    os.write(w, b"end"); os.close(w)
    m.ended(id)
    assert m.data(id) == bytes(sent) + b"end"
    memory = lambda: os.stat(m.memory_file("memlogd-queue")).st_blocks * 512
    until("the queue's memory is given back", lambda: memory() < 800_000)
    m.stop()


def test_timestamps_are_of_the_read():
    m = Memlogd()
    r, w = os.pipe(); m.send(b"time", [r])
    before = time.time(), time.monotonic()
    os.write(w, b"now")
    frame = until("the frame", lambda: m.frames("DATA"))[0]
    assert before[0] - 0.001 <= frame["real"] <= time.time() and before[1] - 0.001 <= frame["mono"] <= time.monotonic()
    assert frame["mono"] - before[1] < 0.2 + slack()
    m.stop()


def test_descriptors_that_the_caller_bound():
    # A container runtime has bound the sockets and passes them as 3 and 4. They are not unlinked at the end.
    m = Memlogd(start=False)
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); log.bind(m.log)
    query = socket.socket(socket.AF_UNIX); query.bind(m.query)
    m.config.update({"log-fd": str(log.fileno()), "query-fd": str(query.fileno())})
    for key in ("log-path", "query-path", "query-link"): del m.config[key]
    m.popen = dict(pass_fds=(log.fileno(), query.fileno()))
    m.start()
    r, w = os.pipe(); m.send(b"given", [r]); os.close(r); os.write(w, b"x"); os.close(w)
    assert m.source("given")[0] == b"x"
    c = socket.socket(socket.AF_UNIX); c.connect(m.query)
    os.kill(m.pid, signal.SIGTERM); m.process.wait()
    assert os.path.exists(m.log) and os.path.exists(m.query)


def test_stop():
    # For every signal that stops it: what was written before is handled, files are removed, within a second.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        m = Memlogd()
        for other in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE): os.kill(m.pid, other)
        r, w = os.pipe(); m.send(b"last", [r]); m.opened("last")
        suspend(m.pid)
        os.write(w, b"words")
        r2, w2 = os.pipe(); os.write(w2, b"newcomer"); m.send(b"new", [r2])
        os.kill(m.pid, number); os.kill(m.pid, signal.SIGCONT)
        m.process.wait(5)
        assert m.data(m.opened("last")[0]["id"]) == b"words"
        assert m.data(m.opened("new")[0]["id"]) == b"newcomer"
        assert m.events("stopping") and m.records()[-1] == {"stopped": True}
        m.stop()


def test_stop_with_more_in_pipes_than_the_queue_holds():
    # It is read while memlogd stops, as far as the time for it goes; what is left is reported, to the byte.
    m = Memlogd()
    pipes = [os.pipe() for _ in range(80)]
    for n, (r, _) in enumerate(pipes): m.send(b"full-%d" % n, [r]); os.close(r)
    m.opened("full-79")
    suspend(m.pid)
    for _, w in pipes: os.write(w, b"x" * 65536)
    begun = time.monotonic()
    os.kill(m.pid, signal.SIGTERM); os.kill(m.pid, signal.SIGCONT)
    assert m.process.wait(20) == 0
    took = time.monotonic() - begun
    stored = sum(len(m.data(m.opened("full-%d" % n)[0]["id"])) for n in range(80))
    left = sum(event["count"] for event in m.events("unread"))
    assert stored + left == 80 * 65536 and (left == 0 or took >= 1.5), (stored, left, took)
    assert m.records()[-1] == {"stopped": True}
    m.check_sanitizer()


def test_what_could_not_be_read_before_the_end_is_reported():
    # The engine stores nothing until it is asked to stop: what waits when the time for it is over is a number in the log.
    m = Memlogd()
    m.do(do="hold", **{"at-stop": False})
    pipes = [os.pipe() for _ in range(80)]
    for n, (r, _) in enumerate(pipes): m.send(b"full-%d" % n, [r]); os.close(r)
    for _, w in pipes: os.write(w, b"x" * 65536)
    begun = time.monotonic()
    os.kill(m.pid, signal.SIGTERM)
    assert m.process.wait(20) == 0
    took = time.monotonic() - begun
    assert 1.5 <= took < 3.5 + slack(), took
    event, = m.events("unread")
    stored = sum(len(m.data(m.opened("full-%d" % n)[0]["id"])) for n in range(80))
    assert event["count"] == 80 * 65536 - stored > 0, (event, stored)
    assert event["text"].startswith("full-") and event["argument"] >= event["count"] / 65536, event
    m.check_sanitizer()


def test_a_file_that_can_not_be_read_ends_with_the_error():
    m = Memlogd()
    with open("/proc/self/mem", "rb", buffering=0) as file: m.send(b"broken", [file.fileno()])
    assert m.source("broken")[1]["detail"] == 5  # EIO
    m.stop()


def test_signals_that_the_caller_ignores_stay_ignored():
    # `nohup memlogd`, or `memlogd &` in a script.
    ignored = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    m = Memlogd(preexec_fn=lambda: [signal.signal(n, signal.SIG_IGN) for n in ignored])
    for number in ignored: os.kill(m.pid, number)
    m.round_trip()
    m.stop()


def test_a_terminals_interrupt_stops_the_engine_after_it_has_stored_everything():
    # The kernel sends ^C to every process of the foreground group.
    ours, theirs = pty.openpty()
    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    m = Memlogd(preexec_fn=take_terminal, stdin=theirs, engine={"batch": 10})
    r, w = os.pipe(); m.send(b"pipe", [r]); os.close(r)
    id = m.opened("pipe")[0]["id"]
    m.hold()
    os.write(w, b"last words"); os.write(ours, b"\x03")
    until("it is about to stop", lambda: not os.path.exists(m.log))
    m.release()
    assert m.process.wait(20) == 0
    assert m.data(id) == b"last words" and m.records()[-1].get("stopped") and len(m.engines()) == 1, m.records()[-5:]
    m.check_sanitizer()
    for fd in (ours, theirs, w): os.close(fd)


def test_signals_sent_by_mistake_do_nothing():
    m = Memlogd()
    faults = {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
    meant = {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
    for number in signal.valid_signals() - faults - meant: os.kill(m.pid, number)
    m.round_trip()
    m.stop()


def test_a_datagram_source_survives_the_errors_of_packets():
    # Nobody listens where the socket is connected to: each packet brings back ECONNREFUSED, until somebody does.
    m = Memlogd()
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); ours.bind(("127.0.0.1", 0))
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.bind(("127.0.0.1", 0))
    address = other.getsockname()
    other.close()
    ours.connect(address)
    m.send(b"udp", [ours.fileno()])
    id = m.opened("udp")[0]["id"]
    for _ in range(3):
        try: ours.send(b"refused")
        except ConnectionRefusedError: pass
        m.round_trip()
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.bind(address)
    other.sendto(b"hello", ours.getsockname())
    until("it is read", lambda: m.data(id) == b"hello")
    m.stop()


def test_a_datagram_source_ends_when_it_is_shut_down():
    m = Memlogd()
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    m.send(b"dgram", [b.fileno()])
    id = m.opened("dgram")[0]["id"]
    a.send(b""); a.send(b"text")
    until("it is read", lambda: m.data(id) == b"text")
    b.shutdown(socket.SHUT_RD)
    assert m.ended(id)["detail"] == 0
    m.stop()


def test_a_file_that_has_nothing_now_is_not_read_all_the_time():
    # epoll refuses files, so they are read again and again, but not faster.
    m = Memlogd(shim="log pread64 DIR/reads; fail pread64 0 11")
    with open(m.dir + "/file", "w+") as file: m.send(b"file", [file.fileno()])
    def reads():
        with open(m.dir + "/reads") as file: return len(file.readlines())
    until("it is read", lambda: os.path.exists(m.dir + "/reads"))
    begun, before = time.monotonic(), reads()
    until("it is read again", lambda: reads() >= before + 6)
    took, count = time.monotonic() - begun, reads() - before
    assert took > 0.03 * (count - 1), f"{count} reads in {took} s"
    m.stop()


def test_interrupted_calls_change_nothing():
    m = Memlogd(start=False, shim="eintr")
    m.config["syslog-path"] = m.dir + "/dev-log"
    m.start()
    before = m.fds()
    r, w = os.pipe(); m.send(b"pipe", [r]); os.close(r)
    a, b = socket.socketpair(); m.send(b"stream", [b.fileno()]); b.close()
    with open(m.dir + "/file", "w+") as file: file.write("text" * 50_000); file.flush(); file.seek(0); m.send(b"file", [file.fileno()])
    os.write(w, b"a" * 60_000); os.close(w)
    a.sendall(b"b" * 100_000); a.close()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(m.config["syslog-path"])
    for n in range(10): s.send(b"%d" % n)
    assert m.source("pipe")[0] == b"a" * 60_000 and m.source("stream")[0] == b"b" * 100_000 and m.source("file")[0] == b"text" * 50_000
    until("each datagram", lambda: [f["data"][16:] for f in m.frames("DATAGRAM")] == [str(n) for n in range(10)])
    for _ in range(3):
        count = len(m.engines())
        os.kill(m.engines()[-1]["started"], signal.SIGKILL)
        until("another engine", lambda: len(m.engines()) > count)
    m.round_trip()
    until("no descriptor stays open", lambda: m.fds() == before)
    os.kill(m.pid, signal.SIGTERM)
    assert m.process.wait(20) == 0
    m.check_sanitizer()


def test_stop_with_an_engine_that_hangs():
    m = Memlogd()
    os.kill(m.engines()[0]["started"], signal.SIGSTOP)
    m.stop(seconds=3.5)


def test_files_of_another_are_not_removed():
    # Another process has replaced our socket; its file stays.
    m = Memlogd()
    os.unlink(m.log)
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); other.bind(m.log)
    os.kill(m.pid, signal.SIGTERM)
    assert m.process.wait(5) == 0 and os.path.exists(m.log) and not os.path.exists(m.query)


if __name__ == "__main__": run(globals())
