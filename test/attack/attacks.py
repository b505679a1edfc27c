"""
Attacks on a running memlogd: attacks.py NAME DIRECTORY SECONDS LOGREAD PORT runs one for about that long and checks that what
is promised holds. Each function that begins with `attack_` is one; its text is its title, `flags` what memlogd is started
with; `{port}` stands for a free port. Exit status 77: the machine can't run it, and why is printed. `attacks.py --list` prints all of them as JSON.
"""
import json, os, pwd, resource, signal, socket, struct, subprocess, sys, time

SKIPPED = 77
USER, OTHER_USER = 54321, 54322


def attack(title, *flags):
    def note(function):
        function.title, function.flags = title, flags
        return function
    return note


def skip(why):
    print(why)
    sys.exit(SKIPPED)


def until(what, check, seconds=60):
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found: return found
        if time.monotonic() > end: raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.02)


class Target:
    """The memlogd that is attacked."""
    def __init__(self, directory, seconds, logread, port):
        self.logread, self.port = logread, port
        self.directory, self.seconds = directory, seconds
        self.log, self.query, self.syslog = ("%s/%s.sock" % (directory, name) for name in ("log", "query", "syslog"))
        os.chmod(directory, 0o755)

    def pass_descriptors(self, name, fds):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.connect(self.log)
            socket.send_fds(log, [name], fds)

    def ask(self, request):
        """A connection to the query socket, after the request was sent."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(self.query)
        try: connection.sendall(request)
        except BrokenPipeError: pass
        return connection

    def dump(self):
        """What a dump holds: pairs of source and message."""
        connection, text = self.ask(b"\0"), b""
        while got := connection.recv(1 << 20): text += got
        return [(entry["source"], entry["msg"]) for entry in map(json.loads, text.splitlines())]

    def statistics(self):
        connection, text = self.ask(b'\0{"stats":true}\n'), b""
        while got := connection.recv(1 << 20): text += got
        return json.loads(text.splitlines()[1])

    def engine(self):
        """The pid of the engine, 0 while none runs: the child of the intake, which listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.query)
            intake = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        with open("/proc/%d/task/%d/children" % (intake, intake)) as file: return int((file.read().split() or ["0"])[0])

    def first_line(self, request):
        """The header of the reply to a dump."""
        connection, text = self.ask(b"\0" + json.dumps(request).encode() + b"\n"), b""
        while got := connection.recv(1 << 20): text += got
        return text.split(b"\n", 1)[0]

    def counter(self, name): return self.statistics()["counters"][name]

    def connect_syslog(self):
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.connect(self.syslog)
        return log

    def log_lines(self, source, count):
        """Lines of a container that must survive the attack."""
        reader, writer = os.pipe()
        self.pass_descriptors(source.encode(), [reader])
        os.close(reader)
        os.write(writer, b"".join(b"%d\n" % n for n in range(count)))
        os.close(writer)
        until("they are stored", lambda: len(self.lines(source)) == count)

    def lines(self, source): return [message for name, message in self.dump() if name == source]


def as_user(uid, work):
    """Runs `work` as a user in a process of its own; its pid."""
    pid = os.fork()
    if pid != 0: return pid
    status = 1
    try:
        if uid != os.getuid(): os.setgroups([]); os.setgid(uid); os.setuid(uid)
        work()
        status = 0
    finally: os._exit(status)


def join(*pids):
    for pid in pids:
        status = os.waitpid(pid, 0)[1]
        assert status == 0, "an attacker failed: %d" % status


def needs_root():
    if os.getuid() != 0: skip("only root can act as other users")


@attack("a user floods /dev/log", "-syslog", "{syslog}")
def attack_syslog_flood(target):
    needs_root()
    target.log_lines("before", 500)
    counts = "%s/sent" % target.directory
    open(counts, "w").close()
    os.chmod(counts, 0o666)
    def flood():
        log, sent, end = target.connect_syslog(), 0, time.monotonic() + target.seconds
        while time.monotonic() < end:
            for _ in range(100): log.send(b"<13>flood: %d" % sent); sent += 1
        with open(counts, "a") as file: file.write("%d\n" % sent)
    join(as_user(USER, flood))
    sent = int(open(counts).read())
    stored = lambda: len(target.lines("flood"))
    assert len(target.lines("before")) == 500, "lines of others were evicted"
    until("stored + refused = sent", lambda: stored() + target.counter("datagramsRateLimited") == sent)
    ring = target.statistics()["ring"]
    share = stored() * (ring["bytes"] / ring["lines"]) / ring["maxBytes"]
    assert share <= 0.6, share
    assert any("datagrams of user %d" % USER in text for text in target.lines("memlogd")), target.lines("memlogd")



@attack("two users take all places for readers", "-socket-mode", "0666")
def attack_query_places(target):
    needs_root()
    target.log_lines("before", 10)
    end = time.monotonic() + target.seconds
    def connect():
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(target.query)
        return connection
    def hold():
        """Followers that never read, and a stream of clients that connect and close."""
        followers = []
        while time.monotonic() < end:
            try:
                for _ in range(20): connect().close()
                time.sleep(0.02)
                if len(followers) < 600: followers.append(connect()); followers[-1].sendall(b"\2{}\n")
            except OSError: time.sleep(0.01)
    pids = [as_user(uid, hold) for uid in (USER, OTHER_USER)]
    # Root asks all the time, and is answered. A refusal has a reason.
    while time.monotonic() < end:
        ran = subprocess.run([target.logread, "-socket", target.query], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert ran.returncode == 0 and ran.stdout.count("before") == 10, (ran.returncode, ran.stdout, ran.stderr)
    join(*pids)


def open_pipes(target, name, count):
    """Sources that are pipes; their other ends."""
    writers = []
    for n in range(count):
        reader, writer = os.pipe()
        target.pass_descriptors(b"%s-%d" % (name, n), [reader])
        os.close(reader)
        writers.append(writer)
    return writers


def lingering():
    """A TCP connection whose last close waits for a minute: its peer does not read what was sent."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0)); listener.listen()
        ours = socket.create_connection(listener.getsockname())
        peer = listener.accept()[0]
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    ours.setblocking(False)
    try:
        while True: ours.send(bytes(100_000))
    except BlockingIOError: pass
    return ours, peer


@attack("a container passes descriptors whose closing hangs")
def attack_hanging_closes(target):
    until("the quiet container is logged", lambda: target.lines("quiet"))
    pairs = [lingering() for _ in range(12)]
    for ours, _ in pairs: target.pass_descriptors(b"hanging", [ours.fileno()]); ours.close()
    until("they are sources", lambda: target.counter("sourcesOpened") >= 13)
    for _, peer in pairs: peer.shutdown(socket.SHUT_WR)
    until("it is in the log", lambda: any("hangs in 8 threads" in text for text in target.lines("memlogd")))
    time.sleep(target.seconds)
    for _, peer in pairs: peer.close()
    target.log_lines("after", 10)


@attack("a user passes descriptors to /dev/log", "-syslog", "{syslog}")
def attack_syslog_descriptors(target):
    needs_root()
    until("the quiet container is logged", lambda: target.lines("quiet"))
    def flood():
        log, end = target.connect_syslog(), time.monotonic() + target.seconds
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
        while time.monotonic() < end:
            try: socket.send_fds(log, [b"<13>flood: with descriptors"], fds)
            except PermissionError: log.send(b"<13>flood: without")  # Linux 6.16
    join(as_user(USER, flood))
    target.log_lines("after", 10)


@attack("a container passes files whose reads never end")
def attack_blocking_files(target):
    needs_root()
    until("the quiet container is logged", lambda: target.lines("quiet"))
    try: fds = [os.open("/proc/kmsg", os.O_RDONLY) for _ in range(8)]
    except OSError as error: skip("/proc/kmsg: %s" % error.strerror)
    for n, fd in enumerate(fds): target.pass_descriptors(b"hanging-%d" % n, [fd]); os.close(fd)
    time.sleep(target.seconds)
    target.log_lines("after", 10)


@attack("a container passes 4,400 sockets that stay silent")
def attack_silent_sockets(target):
    until("the quiet container is logged", lambda: target.lines("quiet"))
    writers = []
    for n in range(4400):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        target.pass_descriptors(b"silent-%d" % n, [theirs.fileno()])
        theirs.close()
        writers.append(ours)
    begun = time.monotonic()
    target.log_lines("after", 10)
    assert time.monotonic() - begun < 20, "a new container waited %.1f s" % (time.monotonic() - begun)
    # The longest idle ones give way. Those that come before the engine has taken note of that are refused, and named.
    until("it is in the log", lambda: any("datagram socket" in text or "refused" in text for text in target.lines("memlogd")))


@attack("a container passes more pipes than there is room for, and the engine dies")
def attack_many_pipes(target):
    until("the quiet container is logged", lambda: target.lines("quiet"))
    writers = open_pipes(target, b"pipe", 4200)
    until("the refused ones are named", lambda: any("refused" in text or "in use" in text for text in target.lines("memlogd")))
    engine = target.engine()
    os.kill(engine, signal.SIGKILL)
    until("another engine runs", lambda: target.engine() not in (0, engine))
    for writer in writers: os.close(writer)
    until("the pipes have ended", lambda: target.statistics()["sources"] < 100)
    target.log_lines("after", 10)


@attack("one address takes all connections of syslog over TCP", "-syslog-tcp", "127.0.0.1:{port}")
def attack_syslog_places(target):
    address = ("127.0.0.1", target.port)
    held = []
    for _ in range(300):
        try: held.append(socket.create_connection(address, timeout=5))
        except OSError: break
    other = socket.socket()
    other.bind(("127.0.0.2", 0))
    other.connect(address)
    other.sendall(b"<13>other: from another address\n")
    until("another address is served", lambda: target.lines("other"))
    time.sleep(target.seconds)
    for connection in held + [other]: connection.close()


@attack("a thousand containers never end their lines")
def attack_unfinished_lines(target):
    until("the quiet container is logged", lambda: target.lines("quiet"))
    writers = open_pipes(target, b"endless", 1000)
    for writer in writers: os.set_blocking(writer, False)
    end = time.monotonic() + target.seconds
    while time.monotonic() < end:
        for writer in writers:
            try: os.write(writer, b"x" * 4096)
            except BlockingIOError: pass
    for writer in writers: os.close(writer)
    target.log_lines("after", 10)


@attack("a reader asks for as many globs as it may, again and again")
def attack_costly_queries(target):
    for n in range(200): target.log_lines("name-%d-%s" % (n, "a" * 200), 1)
    # As many as fit into the longest request; then those that are accepted.
    globs = ["*%s*%d" % ("a" * 80, n) for n in range(256)]
    assert b'"error"' in target.first_line({"sources": globs}), "no limit"
    while b'"error"' in target.first_line({"sources": globs}): globs = globs[:len(globs) * 9 // 10]
    end = time.monotonic() + target.seconds
    while time.monotonic() < end: target.first_line({"sources": globs})


@attack("somebody who has only the log socket asks to take over")
def attack_takeovers(target):
    needs_root()
    until("the quiet container is logged", lambda: target.lines("quiet"))
    engine = target.engine()
    os.chmod(target.log, 0o666)
    def ask():
        end = time.monotonic() + target.seconds
        while time.monotonic() < end:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, theirs, open("/dev/null") as proof:
                target.pass_descriptors(b"\0memlogd-takeover", [theirs.fileno(), proof.fileno()])
                time.sleep(0.01)
    join(as_user(USER, ask))
    assert target.engine() == engine, "the engine was restarted"
    target.log_lines("after", 10)


ATTACKS = {name[len("attack_"):].replace("_", "-"): function for name, function in list(globals().items()) if name.startswith("attack_")}


def main():
    if sys.argv[1] == "--list":
        return print(json.dumps([{"name": name, "title": f.title, "flags": f.flags} for name, f in ATTACKS.items()]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    name, directory, seconds, logread, port = sys.argv[1:6]
    ATTACKS[name](Target(directory, float(seconds), logread, int(port)))


main()
