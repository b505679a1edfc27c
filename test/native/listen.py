"""Binding: stale sockets are replaced, anything else is reported; -daemonize returns when the sockets exist."""
from support import *


def test_a_stale_socket_is_replaced():
    m = Memlogd(start=False)
    for path, type in ((m.log, socket.SOCK_DGRAM), (m.query, socket.SOCK_STREAM)):
        with socket.socket(socket.AF_UNIX, type) as s: s.bind(path)
    with socket.socket(socket.AF_UNIX) as s: s.bind(m.link)
    m.start()
    assert os.readlink(m.link) == "memlogq.sock"
    c = socket.socket(socket.AF_UNIX); c.connect(m.link)
    assert all(stat.S_IMODE(os.stat(p).st_mode) == 0o600 for p in (m.log, m.query))
    m.stop()


def test_another_memlogd_is_alive():
    m = Memlogd()
    r, w = os.pipe(); m.send(b"early", [r]); m.opened("early")
    until("the pid is memlogd's, not the engine's that listens too", lambda: m.failure() == f"memlogd: {m.log}: another memlogd is listening (pid {m.pid})")
    m2 = Memlogd({"query-path": m.query}, start=False)
    assert m2.failure() == f"memlogd: {m.query}: another memlogd is listening (pid {m.pid})"
    assert not os.path.exists(m2.log), "a failed start leaves no socket"
    assert m2.config.update({"daemonize": "1"}) is None and "pid %d" % m.pid in m2.failure()
    r, w = os.pipe(); m.send(b"x", [r]); m.opened("x")
    m.stop()


def test_the_pid_is_the_daemons():
    m = Memlogd({"daemonize": "1"}, start=False)
    p = m.spawn(); p.wait(10)
    pid = int(m.failure().split("pid ")[1][:-1])
    assert pid != p.pid and os.readlink(f"/proc/{pid}/cwd") == "/"
    os.kill(pid, signal.SIGTERM)
    until("it ended", lambda: not os.path.exists(m.query))


def test_paths_where_nothing_can_be_bound():
    def message(path): return Memlogd({"log-path": path}, start=False).failure(status=2)
    d = tempfile.mkdtemp()
    os.chmod(d, 0o755)
    open(d + "/file", "w").close()
    assert message(d + "/no/log") == f"memlogd: {d}/no/log: the directory {d}/no/ does not exist"
    assert message(d + "/file/log") == f"memlogd: {d}/file/log: the directory {d}/file/ is not a directory"
    assert message(d + "/file") == f"memlogd: {d}/file: exists and is not a socket: it is left alone"
    assert os.path.isfile(d + "/file")
    os.mkdir(d + "/directory")
    assert "exists and is not a socket" in message(d + "/directory")
    assert message(d + "/directory/") == f"memlogd: {d}/directory/: is a directory"
    assert "longer than 107 bytes" in message(d + "/" + "x" * 107)
    assert message("") == "memlogd: '': a socket needs a path"
    if os.getuid() == 0 and os.path.exists("/usr/bin/python3"):
        m = Memlogd({"log-path": d + "/denied"}, start=False)
        os.chmod(m.dir, 0o777)
        assert m.failure(user=65534, env=dict(environment(m.dir, m.config), MEMLOGD_NODE="/usr/bin/python3", PYTHONHOME="/usr")) == f"memlogd: {d}/denied: permission denied"
    os.symlink(d + "/file", d + "/link")
    assert "exists and is not a socket" in message(d + "/link")
    for key in ("query-path", "syslog-path"):
        # With -daemonize, the parent prints the daemon's message and exits with its status.
        m = Memlogd({key: d + "/no/socket", "daemonize": "1"}, start=False)
        assert m.failure(status=2) == f"memlogd: {d}/no/socket: the directory {d}/no/ does not exist"
        assert not os.path.lexists(m.log), "a failed start leaves no socket"


def test_the_longest_path():
    d = tempfile.mkdtemp()
    path = d + "/" + "p" * (107 - len(d) - 1)
    m = Memlogd({"log-path": path})
    m.log = path
    r, w = os.pipe(); m.send(b"x", [r]); m.opened("x")
    m.stop()


def test_a_dangling_link_in_the_way():
    m = Memlogd(start=False)
    os.symlink("/nonexistent/x", m.log)
    m.start()
    assert stat.S_ISSOCK(os.lstat(m.log).st_mode)
    m.stop()


def test_the_path_of_the_link_is_in_use():
    # Neither a file nor a live socket is removed.
    m = Memlogd(start=False)
    open(m.link, "w").close()
    assert m.failure(status=2) == f"memlogd: {m.link}: exists and is not a socket: it is left alone"
    os.unlink(m.link)
    other = socket.socket(socket.AF_UNIX); other.bind(m.link); other.listen()
    assert "another memlogd is listening" in m.failure() and not os.path.exists(m.log)


def test_a_link_in_another_directory():
    m = Memlogd(start=False)
    os.mkdir(m.dir + "/sub")
    m.config["query-link"] = m.link = m.dir + "/sub/link"
    m.start()
    assert os.readlink(m.link) == m.query
    m.stop()


def test_relative_paths():
    m = Memlogd(start=False)
    m.config.update({"log-path": "log.sock", "query-path": "memlogq.sock", "query-link": "memlogdq.sock"})
    m.popen = dict(cwd=m.dir)
    m.start()
    assert os.readlink(m.link) == "memlogq.sock"
    m.stop()


def test_mode_and_group():
    m = Memlogd({"socket-mode": str(0o660), "socket-gid": "12345"} if os.getuid() == 0 else {"socket-mode": str(0o660)})
    for path in (m.log, m.query):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert os.getuid() != 0 or os.stat(path).st_gid == 12345
    m.stop()


def test_a_link_in_the_place_of_the_socket_is_not_followed():
    # The owner of the directory can put one there between bind(2) and the change of the group.
    if os.getuid() != 0: return print("skipped: not root")
    m = Memlogd({"socket-mode": str(0o666), "socket-gid": "12345"}, start=False, shim="stopped bind 1")
    victim = m.dir + "/victim"
    os.close(os.open(victim, os.O_CREAT, 0o600))
    m.start_until_stopped()
    os.unlink(m.log); os.symlink(victim, m.log)
    m.resume()
    until("it has failed, or runs", lambda: m.process.poll() is not None or m.engines())
    found = os.stat(victim)
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, os.getgid()), found
    assert m.process.wait(20) == 1 and m.process.stderr.read().startswith(f"memlogd: {m.log}: ")


def test_daemonize():
    # Returns 0 when the sockets exist, and keeps nothing of its caller: no terminal, no directory, no descriptor.
    m = Memlogd({"daemonize": "1"}, start=False)
    r, w = os.pipe()
    os.set_inheritable(w, True)
    begun = time.monotonic()
    p = m.spawn(close_fds=False)
    out, err = p.communicate(timeout=10)  # returns only if the daemon has closed stdout and stderr
    assert (p.returncode, out, err) == (0, "", ""), (p.returncode, out, err)
    assert os.path.exists(m.log) and os.path.exists(m.query) and os.path.exists(m.link)
    os.close(w)
    assert os.read(r, 1) == b"", "the daemon kept a descriptor of its caller"
    c = socket.socket(socket.AF_UNIX); c.connect(m.query)
    pid = struct.unpack("iii", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    assert os.readlink(f"/proc/{pid}/cwd") == "/" and os.getsid(pid) == pid
    assert [os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)] == ["/dev/null"] * 3
    until("the engine", m.engines)
    os.kill(pid, signal.SIGHUP)
    m.round_trip()
    os.kill(pid, signal.SIGTERM)
    until("the end", lambda: not os.path.exists(f"/proc/{pid}/stat") or open(f"/proc/{pid}/stat").read().split()[2] == "Z", 2)
    m.check_sanitizer()


def test_no_memory_for_the_queue():
    # What the loop needs is made before memlogd reports that it is ready. A limit on file sizes stands in for a lack of memory.
    for daemonize in ({}, {"daemonize": "1"}):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        m = Memlogd(daemonize, start=False, preexec_fn=limit, restore_signals=False)
        message = m.failure()
        assert message.startswith("memlogd: could not be started: "), message
        assert not os.path.exists(m.log) and not os.path.exists(m.query)


def strict(shim=""):
    """A machine whose kernel counts memory strictly."""
    m = Memlogd(start=False, shim="replace /proc/sys/vm/overcommit_memory DIR/strict;" + shim)
    with open(m.dir + "/strict", "w") as file: file.write("2\n")
    return m


def test_memory_that_could_be_refused_later_is_taken_at_the_start():
    # Writing to a page that the kernel refuses would be a SIGBUS. So no page is given back either.
    m = strict().start()
    queue = m.memory_file("memlogd-queue")
    has_all = lambda: (found := os.stat(queue)).st_blocks * 512 >= found.st_size
    assert has_all(), os.stat(queue)
    r, w = os.pipe(); m.send(b"much", [r]); os.close(r)
    with open(w, "wb") as writer: writer.write(bytes(1_000_000))
    m.source("much")
    m.round_trip()
    assert has_all(), os.stat(queue)
    m.stop()


def test_no_memory_where_it_is_counted():
    message = strict("fail fallocate 1 12").failure()
    assert message.startswith("memlogd: could not be started: "), message


def test_an_interrupted_start_where_memory_is_counted():
    strict("fail fallocate 1 4").start().stop()


def test_many_start_at_once():
    # Ten daemons on the same stale sockets: exactly one runs, nine report its pid.
    m = Memlogd({"daemonize": "1"}, start=False)
    for path, type in ((m.log, socket.SOCK_DGRAM), (m.query, socket.SOCK_STREAM)):
        with socket.socket(socket.AF_UNIX, type) as s: s.bind(path)
    starts = [m.spawn() for _ in range(10)]
    messages = [p.communicate(timeout=20)[1] for p in starts]
    assert sorted(p.returncode for p in starts) == [0] + [1] * 9, messages
    assert sum("another memlogd is listening" in text for text in messages) == 9, messages
    c = socket.socket(socket.AF_UNIX); c.connect(m.link)
    pid = struct.unpack("iii", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    os.kill(pid, signal.SIGTERM)
    until("the end", lambda: not os.path.exists(m.query))


def timed_failure(m):
    begun = time.monotonic()
    message = m.failure()
    return message, time.monotonic() - begun - slack()


def test_a_lock_of_the_directory_by_somebody_else_delays_nothing():
    # Everybody who may read a directory can lock it.
    m = Memlogd({"daemonize": "1"}, start=False)
    fd = os.open(m.dir, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    begun = time.monotonic()
    p = m.spawn(); p.wait(20)
    assert p.returncode == 0 and time.monotonic() - begun - slack() < 1.8
    c = socket.socket(socket.AF_UNIX); c.connect(m.query)
    os.kill(struct.unpack("iii", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0], signal.SIGTERM)
    until("the end", lambda: not os.path.exists(m.query))
    assert not os.path.exists(m.dir + "/.memlogd.lock")


def test_a_start_that_does_not_end_is_waited_for_once():
    # In all, not for each socket; and then nothing is bound without the lock.
    m = Memlogd({"syslog-path": "/dev/null/x"}, start=False)
    lock = m.dir + "/.memlogd.lock"
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    message, took = timed_failure(m)
    assert message == f"memlogd: {m.log}: the directory's .memlogd.lock is locked: another memlogd is starting, and does not end"
    assert 1.9 < took + slack() and took < 3.5, took
    assert not os.path.exists(m.log) and os.path.exists(lock)
    os.close(fd)
    del m.config["syslog-path"]
    m.start()
    assert not os.path.exists(lock), "the file is removed"
    m.stop()


def test_a_lock_file_of_somebody_else_is_refused():
    m = Memlogd(start=False)
    lock, victim = m.dir + "/.memlogd.lock", m.dir + "/victim"
    os.symlink(victim, lock)
    assert m.failure() == f"memlogd: {m.log}: the directory's .memlogd.lock is not a file"
    assert not os.path.exists(victim)
    os.unlink(lock)
    os.mkfifo(lock)
    assert m.failure() == f"memlogd: {m.log}: the directory's .memlogd.lock is not a file of memlogd's user"
    os.unlink(lock)
    if os.getuid() == 0:
        os.close(os.open(lock, os.O_CREAT, 0o600)); os.chown(lock, 65534, 65534)
        assert m.failure() == f"memlogd: {m.log}: the directory's .memlogd.lock is not a file of memlogd's user"


def test_descriptors_of_the_wrong_kind():
    d = tempfile.mkdtemp()
    stream = socket.socket(socket.AF_UNIX); r, w = os.pipe()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    def message(**config): return Memlogd({k.replace("_", "-"): v for k, v in config.items()}, start=False, pass_fds=(stream.fileno(), r, udp.fileno())).failure()
    assert message(log_path=None, log_fd="77") == "memlogd: -fd-log 77: no such descriptor is open"
    assert message(log_path=None, log_fd=str(stream.fileno())).endswith("is not a Unix datagram socket")
    assert message(log_path=None, log_fd=str(udp.fileno())).endswith("is not a Unix datagram socket")
    assert message(query_path=None, query_link=None, query_fd=str(r)).endswith("is not a Unix stream socket")
    assert message(query_path=None, query_link=None, query_fd=str(stream.fileno())).endswith("is not bound, or connected")


def test_bad_network_addresses():
    def message(status=1, **config): return Memlogd({k.replace("_", "-"): v for k, v in config.items()}, start=False).failure(status)
    assert message(syslog_udp="zz") == "memlogd: -syslog-udp: the address is not valid"
    assert message(syslog_tcp="02") == "memlogd: -syslog-tcp: the address is not valid"
    assert message(2, syslog_udp="0200ffff" + socket.inet_aton("203.0.113.9").hex() + "00" * 8) == "memlogd: -syslog-udp: the address is not one of this machine's"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0)); taken.listen()
        hexed = "0200" + struct.pack(">H", taken.getsockname()[1]).hex() + "7f000001" + "00" * 8
        assert message(syslog_tcp=hexed) == "memlogd: -syslog-tcp: the address is in use"


def test_the_config_role_refuses():
    # Its exit status is ours: a usage error, a signal.
    m = Memlogd({"exit": 2}, start=False)
    assert m.failure(status=2) == "config role refuses"
    assert Memlogd({"kill": 15}, start=False).failure(status=143) == ""
    env = dict(environment(m.dir, {}), MEMLOGD_NODE="/nonexistent/node")
    assert m.failure(status=1, env=env) == "memlogd-config: could not be started: not found"


def test_children_of_ignored_sigchld():
    # The caller ignores SIGCHLD and has closed standard input: nothing changes.
    m = Memlogd(start=False)
    m.popen = dict(preexec_fn=lambda: (signal.signal(signal.SIGCHLD, signal.SIG_IGN), os.close(0)))
    m.start()
    r, w = os.pipe(); m.send(b"x", [r]); m.opened("x")
    os.kill(m.engines()[0]["started"], signal.SIGKILL)
    until("a second engine", lambda: m.engines()[1:])
    m.stop()


if __name__ == "__main__": run(globals())
