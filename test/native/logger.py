"""memlogd-containerd as containerd starts it: 3 and 4 are the container's output, 5 is closed to start the container."""
from support import *


class Logger:
    """The logger with the pipes that containerd's shim makes, and what the container then writes to them."""
    def __init__(self, m, *args, env={}, config=None, shim="", stderr=subprocess.PIPE, **more):
        self.m = m
        (out, self.out), (err, self.err), (self.ready, ready) = os.pipe(), os.pipe(), os.pipe()
        variables = environment(m.dir, config or {"socket": m.log}, shim)
        variables.update(dict(CONTAINER_NAMESPACE="default", CONTAINER_ID="web"), **env)
        variables = {k: v for k, v in variables.items() if v is not None}
        def descriptors():
            # High enough that nothing is overwritten before it is copied.
            for fd, to in [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50), 3 + n) for n, fd in enumerate((out, err, ready))]: os.dup2(fd, to)
        self.p = subprocess.Popen(["/usr/bin/memlogd-containerd", *(args or ("-socket", m.log))], executable=NATIVE, env=variables,
                                  pass_fds=(3, 4, 5), preexec_fn=descriptors, stdout=subprocess.PIPE, stderr=stderr, **more)
        for fd in (out, err, ready): os.close(fd)

    def until_ready(self): assert os.read(self.ready, 1) == b""

    def close(self):
        for fd in (self.out, self.err): os.close(fd)

    def end(self, seconds=20):
        out, err = self.p.communicate(timeout=seconds)
        self.m.check_sanitizer()
        return self.p.returncode, (err or b"").decode()


def test_both_outputs_get_everything():
    m = Memlogd()
    logger = Logger(m)
    logger.until_ready()
    os.write(logger.out, b"one\n"); os.write(logger.err, b"two\n")
    out, err = (m.opened(f"default/web.{n}")[0]["id"] for n in ("stdout", "stderr"))
    until("both are in the log", lambda: (m.data(out), m.data(err)) == (b"one\n", b"two\n"))
    os.close(logger.out)
    assert m.ended(out)
    os.write(logger.err, b"three\n")
    until("the other goes on", lambda: m.data(err) == b"two\nthree\n")
    assert logger.p.poll() is None
    os.close(logger.err)
    assert logger.end() == (0, "")
    assert m.ended(err)
    m.stop()


def test_the_container_starts_when_memlogd_has_received_its_output():
    m = Memlogd()
    suspend(m.pid)
    logger = Logger(m)
    assert select.select([logger.ready], [], [], 0.2)[0] == []
    m.resume()
    logger.until_ready()
    logger.close()
    assert logger.end() == (0, "")
    m.stop()


def test_a_memlogd_that_receives_nothing_delays_the_start_for_a_limited_time():
    m = Memlogd()
    suspend(m.pid)
    logger = Logger(m)
    logger.until_ready()
    status, message = logger.end()
    assert (status, message) == (1, f"memlogd-containerd: {m.log}: memlogd has received nothing of default/web for 500 ms\n"), message
    # What was sent is not lost.
    os.write(logger.out, b"later\n"); logger.close()
    m.resume()
    assert m.source("default/web.stdout")[0] == b"later\n"
    # The same when even the socket's queue is full.
    suspend(m.pid)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(m.log); s.setblocking(False)
        try:
            while True: s.send(b"x")
        except BlockingIOError: pass
    logger = Logger(m)
    logger.until_ready()
    assert logger.end() == (1, message)
    m.resume(); m.stop()


def test_without_memlogd():
    m = Memlogd(start=False)
    logger = Logger(m)
    logger.until_ready()
    assert logger.end() == (1, f"memlogd-containerd: {m.log}: no such socket: memlogd does not run; default/web is not logged\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s: s.bind(m.log)
    assert Logger(m).end() == (1, f"memlogd-containerd: {m.log}: nobody listens: memlogd does not run; default/web is not logged\n")


def test_messages_go_to_the_shims_log_where_nobody_reads_standard_error():
    m = Memlogd(start=False)
    os.mkfifo(m.dir + "/log")
    log = os.open(m.dir + "/log", os.O_RDONLY | os.O_NONBLOCK)
    assert Logger(m, stderr=subprocess.DEVNULL, cwd=m.dir).end()[0] == 1
    assert os.read(log, 4096).endswith(b"default/web is not logged\n")
    # Neither a file of that name is written to, nor a FIFO that nobody reads waited for.
    os.close(log)
    assert Logger(m, stderr=subprocess.DEVNULL, cwd=m.dir).end()[0] == 1
    os.unlink(m.dir + "/log"); open(m.dir + "/log", "w").close()
    assert Logger(m, stderr=subprocess.DEVNULL, cwd=m.dir).end()[0] == 1
    assert os.path.getsize(m.dir + "/log") == 0


def test_the_end_of_the_task():
    m = Memlogd()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        logger = Logger(m, env=dict(CONTAINER_ID=f"by{number}"))
        logger.until_ready()
        os.write(logger.out, b"last\n"); logger.close()
        logger.p.send_signal(number)
        assert logger.end() == (0, "")
        assert m.source(f"default/by{number}.stdout")[0] == b"last\n"
    m.stop()


def test_the_next_memlogd_goes_on():
    m = Memlogd()
    logger = Logger(m)
    logger.until_ready()
    os.write(logger.out, b"before\n")
    until("it is read", lambda: m.data(m.opened("default/web.stdout")[0]["id"]) == b"before\n")
    os.close(logger.err)
    assert m.ended(m.opened("default/web.stderr")[0]["id"])
    # It dies without having removed its socket.
    m.process.kill(); m.process.wait()
    until("its engine is gone", lambda: not os.path.exists(f"/proc/{m.engines()[-1]['started']}"))
    os.write(logger.out, b"between\n")
    next = Memlogd(start=False)
    next.config.update({"log-path": m.log})
    next.start()
    id = next.opened("default/web.stdout")[0]["id"]
    os.write(logger.out, b"after\n"); os.close(logger.out)
    assert next.ended(id) and next.data(id) == b"between\nafter\n"
    assert logger.end() == (0, "")
    # Once, and what had ended not at all.
    assert len(next.frames("OPEN", name="default/web.stdout")) == 1 and next.frames("OPEN", name="default/web.stderr") == []
    next.log = m.log
    next.stop()


def test_other_files_beside_the_socket_change_nothing():
    m = Memlogd()
    logger = Logger(m)
    logger.until_ready()
    m.opened("default/web.stdout")
    for n in range(500): open(f"{m.dir}/file{n}", "w").close(); os.unlink(f"{m.dir}/file{n}")
    # The same socket under its name again.
    os.rename(m.log, m.dir + "/moved"); os.rename(m.dir + "/moved", m.log)
    m.round_trip()
    logger.close()
    assert logger.end() == (0, "")
    assert len(m.frames("OPEN", name="default/web.stdout")) == 1
    m.stop()


def test_a_socket_that_is_there_before_its_owner_listens_is_tried_again():
    m = Memlogd()
    logger = Logger(m)
    logger.until_ready()
    os.unlink(m.log)
    late = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead: dead.bind(m.dir + "/new")
    os.rename(m.dir + "/new", m.log)
    os.unlink(m.log); late.bind(m.log); late.settimeout(10)
    names = {socket.recv_fds(late, 512, 2)[0] for _ in range(2)}
    assert names == {b"default/web.stdout", b"default/web.stderr"}
    logger.close()
    assert logger.end() == (0, "")
    late.close()
    m.process.terminate(); m.process.wait()


def test_long_names_keep_their_endings():
    m = Memlogd()
    logger = Logger(m, env=dict(CONTAINER_NAMESPACE="n" * 76, CONTAINER_ID="i" * 600))
    logger.until_ready()
    logger.close()
    assert logger.end() == (0, "")
    name = "n" * 76 + "/" + "i" * (512 - 77 - 7)
    m.opened(name + ".stdout"); m.opened(name + ".stderr")
    m.stop()


def test_not_started_by_containerd():
    m = Memlogd()
    by = "containerd starts this program (--log-uri binary:///usr/bin/memlogd-containerd)\n"
    for name in ("CONTAINER_ID", "CONTAINER_NAMESPACE"):
        assert Logger(m, env={name: None}).end() == (2, f"memlogd-containerd: CONTAINER_NAMESPACE and CONTAINER_ID are not set: {by}")
    p = subprocess.run(["memlogd-containerd"], executable=NATIVE, env=dict(environment(m.dir, {}), CONTAINER_NAMESPACE="n", CONTAINER_ID="i"), capture_output=True)
    assert (p.returncode, p.stderr.decode()) == (2, f"memlogd-containerd: descriptors 3, 4 and 5 are not open: {by}")
    assert Logger(m, config={"exit": 2}).end() == (2, "config role refuses\n")
    m.stop()


if __name__ == "__main__": run(globals())
