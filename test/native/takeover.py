"""A new memlogd receives nonsense from a running one: it reports it in one line and exits with 1."""
import random
from support import *

NAME = b"\0memlogd-takeover"
SOURCES, AREA, HEADER, SLOT = 4096, 4 * 1024 * 1024, 4096, 576
EVENTS_AT, PATHS_AT, SOURCES_AT = 80, 80 + 8 * 24, 80 + 8 * 24 + 5 * 128 + 4 * 4
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def sealed(name, size, content=b""):
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    os.pwrite(fd, content, 0)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return fd


class Running:
    """Stands in for the running memlogd: hands over what a test wants."""

    def __init__(self, memlogd):
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind(memlogd.log)
        self.query = socket.socket(socket.AF_UNIX)
        self.query.bind(memlogd.query)
        self.query.listen()

    def asked(self):
        name, fds, _, _ = socket.recv_fds(self.log, 600, 10)
        assert name == NAME and len(fds) == 2, (name, fds)
        os.close(fds[1])
        return socket.socket(fileno=fds[0])

    def state(self, pipes):
        """A valid state with one source for each pipe, and its descriptors in order."""
        queue = sealed("queue", HEADER + SOURCES * SLOT + AREA, struct.pack("<5I", 0x31514C4D, 1, AREA, SOURCES, SLOT))
        fds = [queue, os.memfd_create("ring"), self.log.fileno(), self.query.fileno()]
        head = struct.pack("<8I2Q5I", 0x31544C4D, 3, SOURCES, AREA, 1, os.getpid(), 100, 0b1111, 0, 0, 0, 0, 0, 0, 0)
        state = bytearray(SOURCES_AT + 40 * len(pipes))
        state[:len(head)] = head
        struct.pack_into("<3I", state, 68, len(pipes), len(state), 2)
        for n, pipe in enumerate(pipes):
            struct.pack_into("<IIHBBBxxxQQ", state, SOURCES_AT + 40 * n, n, n + 1, 1, 1, 0, 0, 0, 0)
            state[SOURCES_AT + 40 * n + 13] = 1
            fds.append(pipe)
        return state, fds


def hand_over(peer, state, fds, first=b"S", seal=True, size=None):
    memory = sealed("state", size or len(state), bytes(state)) if seal else os.memfd_create("state")
    socket.send_fds(peer, [first], [memory])
    os.close(memory)
    for at in range(0, len(fds), 100): socket.send_fds(peer, [b"D"], fds[at:at + 100])


def scene(answer):
    """One attempt. `answer` is called with the stand-in, the connection and three pipes. Returns what the new memlogd printed."""
    memlogd = Memlogd({"takeover": "1"}, start=False)
    running = Running(memlogd)
    process = memlogd.spawn()
    peer = running.asked()
    peer.settimeout(5)
    pipes = [os.pipe() for _ in range(3)]
    try:
        answer(running, peer, [reader for reader, _ in pipes])
    except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError):
        pass
    peer.close()
    printed = process.communicate(timeout=20)[1]
    for pair in pipes: [os.close(fd) for fd in pair]
    memlogd.process = process
    assert process.returncode == 1, (process.returncode, printed)
    assert printed.startswith("memlogd: takeover: ") and printed.count("\n") == 1, printed
    assert "Sanitizer" not in printed and not [name for name in os.listdir(memlogd.dir) if name.startswith("sanitizer")], printed
    assert os.path.exists(memlogd.log) and os.path.exists(memlogd.query), "sockets of the running one were removed"
    running.log.close(), running.query.close()
    shutil.rmtree(memlogd.dir)
    started.remove(memlogd)
    return printed


def test_rings_of_older_formats_are_followed():
    for ring in (2, 3, 4):
        def answer(running, peer, pipes):
            state, fds = running.state(pipes)
            struct.pack_into("<I", state, 76, ring)
            hand_over(peer, state, fds)
            assert peer.recv(1) == b"R", ring
        assert "has not handed over, and goes on" in scene(answer)


def test_without_a_go_everything_stays_with_the_old_one():
    def answer(running, peer, pipes):
        hand_over(peer, *running.state(pipes))
        assert peer.recv(1) == b"R"
    assert "has not handed over, and goes on" in scene(answer)


def test_invalid_answers():
    def silent(running, peer, pipes): pass
    def text(running, peer, pipes): peer.send(b"hello")
    def no_descriptor(running, peer, pipes): peer.send(b"S")
    def two(running, peer, pipes): socket.send_fds(peer, [b"S"], pipes[:2])
    def a_pipe(running, peer, pipes): socket.send_fds(peer, [b"S"], pipes[:1])
    def unsealed(running, peer, pipes): hand_over(peer, *running.state(pipes), seal=False)
    def other_version(running, peer, pipes):
        state, fds = running.state(pipes)
        struct.pack_into("<I", state, 4, 1)
        hand_over(peer, state, fds)
    def old_ring(running, peer, pipes):
        state, fds = running.state(pipes)
        struct.pack_into("<I", state, 76, 1)
        hand_over(peer, state, fds)
    def new_ring(running, peer, pipes):
        state, fds = running.state(pipes)
        struct.pack_into("<I", state, 76, 5)
        hand_over(peer, state, fds)
    def too_few(running, peer, pipes):
        state, fds = running.state(pipes)
        hand_over(peer, state, fds[:-1])
    def same_slot(running, peer, pipes):
        state, fds = running.state(pipes)
        struct.pack_into("<I", state, SOURCES_AT + 40, 0)
        hand_over(peer, state, fds)
    for answer in (silent, text, no_descriptor, two, a_pipe, unsealed): assert "can't be used" in (printed := scene(answer)) or "does not hand over" in printed, printed
    assert "of a version that this one cannot follow" in scene(other_version)
    assert "of a version that this one cannot follow" in scene(old_ring)
    assert "of a version that this one cannot follow" in scene(new_ring)
    assert "descriptors of sources are missing" in scene(too_few)
    assert "one of its sources is invalid" in scene(same_slot)


def ask(memlogd):
    """Asks a memlogd to hand over; the connection."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    proof = os.open(memlogd.query, os.O_PATH)
    memlogd.send(NAME, [theirs.fileno(), proof])
    os.close(proof)
    theirs.close()
    return ours


def test_the_state_cannot_be_changed_by_the_one_that_asks():
    memlogd = Memlogd()
    peer = ask(memlogd)
    first, fds, _, _ = socket.recv_fds(peer, 1, 1)
    assert first == b"S"
    try: os.pwrite(fds[0], b"\xff" * 1000, 0)
    except PermissionError: pass
    else: raise AssertionError("the state was written to")
    peer.close()
    os.close(fds[0])
    memlogd.round_trip()
    memlogd.stop()


def test_a_state_that_changes_after_it_was_checked():
    # Its file can still be written to by the one that sent it.
    memlogd = Memlogd({"takeover": "1"}, start=False, shim="stop recvmsg 2")
    running = Running(memlogd)
    memlogd.process = memlogd.spawn()
    peer = running.asked()
    pipes = [os.pipe() for _ in range(3)]
    state, fds = running.state([reader for reader, _ in pipes])
    memory = sealed("state", len(state), bytes(state))
    socket.send_fds(peer, [b"S"], [memory])
    memlogd.until_stopped()
    os.pwrite(memory, struct.pack("<I", 0xffffff), 68)  # the number of sources
    memlogd.resume()
    socket.send_fds(peer, [b"D"], fds)
    assert peer.recv(1) == b"R"
    peer.send(b"G")
    until("its engine runs", memlogd.engines)
    memlogd.process.terminate()
    assert memlogd.process.wait(20) == 0
    memlogd.check_sanitizer()


def test_interrupted_calls_change_nothing():
    old = Memlogd(shim="eintr")
    r, w = os.pipe(); old.send(b"kept", [r]); os.close(r)
    id = old.opened("kept")[0]["id"]
    new = Memlogd(dict(old.config, takeover="1"), start=False, shim="eintr")
    new.process = new.spawn()
    until("it has taken over", lambda: len(old.engines()) == 2)
    assert old.process.wait(20) == 0
    os.write(w, b"after"); os.close(w)
    old.ended(id)
    assert old.data(id) == b"after"
    new.process.terminate()
    assert new.process.wait(20) == 0
    old.check_sanitizer(), new.check_sanitizer()


def test_a_file_without_seals_is_not_taken_for_a_sealed_one():
    def on_disk(running, peer, pipes):
        state, fds = running.state(pipes)
        file = tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(__file__)))
        file.write(state); file.flush()
        socket.send_fds(peer, [b"S"], [file.fileno()])
        socket.send_fds(peer, [b"D"], fds)
    assert "can't be used" in scene(on_disk)


def test_a_new_memlogd_that_is_stopped_for_a_moment_gets_its_go():
    # SIGSTOP and SIGCONT interrupt a receive that has a time limit (signal(7)).
    memlogd = Memlogd({"takeover": "1"}, start=False)
    running = Running(memlogd)
    memlogd.process = memlogd.spawn()
    peer = running.asked()
    pipes = [os.pipe() for _ in range(3)]
    hand_over(peer, *running.state([reader for reader, _ in pipes]))
    assert peer.recv(1) == b"R"
    for _ in range(3):
        os.kill(memlogd.pid, signal.SIGSTOP)
        until("it is stopped", lambda: open(f"/proc/{memlogd.pid}/stat").read().split()[2] == "T")
        os.kill(memlogd.pid, signal.SIGCONT)
    peer.send(b"G")
    until("its engine runs", memlogd.engines)
    memlogd.process.terminate()
    assert memlogd.process.wait(20) == 0
    memlogd.check_sanitizer()


def test_a_memlogd_that_is_about_to_stop_does_not_hand_over():
    # The order to stop and the question come at the same moment.
    old = Memlogd()
    os.kill(old.pid, signal.SIGSTOP)
    new = Memlogd(dict(old.config, takeover="1"), start=False)
    process = new.spawn()
    # It waits in recvmsg(2): number 47 on x86_64, 212 on aarch64.
    until("the question is sent", lambda: open(f"/proc/{process.pid}/syscall").read().split()[0] in ("47", "212"))
    os.kill(old.pid, signal.SIGTERM)
    os.kill(old.pid, signal.SIGCONT)
    printed = process.communicate(timeout=30)[1]
    assert process.returncode == 1 and "does not hand over" in printed, (process.returncode, printed)
    assert old.process.wait(20) == 0 and not os.path.exists(old.log)


def test_the_old_one_is_killed_when_it_has_handed_over():
    # Right before its last word. The new one has everything, and nobody else has.
    old = Memlogd(shim="stop sendmsg 3")  # state, descriptors, go
    r, w = os.pipe(); old.send(b"kept", [r]); os.close(r)
    id = old.opened("kept")[0]["id"]
    os.write(w, b"before ")
    until("it is stored", lambda: old.data(id) == b"before ")
    new = Memlogd(dict(old.config, takeover="1"), start=False)
    new.process = new.spawn()
    old.until_stopped()
    old.process.kill(); old.process.wait()
    until("the new one's engine", lambda: old.engines()[1:])
    os.write(w, b"after"); os.close(w)
    assert old.source("kept")[0] == b"before after"
    new.process.terminate()
    assert new.process.wait(20) == 0 and not os.path.exists(old.log)
    new.check_sanitizer()


def test_a_takeover_that_fails_removes_what_it_has_bound():
    old = Memlogd()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("127.0.0.1", 0))
        udp = struct.pack("<H", socket.AF_INET) + struct.pack(">H", busy.getsockname()[1]) + socket.inet_aton("127.0.0.1") + bytes(8)
        syslog = old.dir + "/syslog.sock"
        new = Memlogd(dict(old.config, **{"takeover": "1", "syslog-path": syslog, "syslog-udp": udp.hex()}), start=False)
        assert new.failure() == "memlogd: -syslog-udp: the address is in use"
    assert not os.path.exists(syslog) and all(os.path.exists(path) for path in (old.log, old.query, old.link))
    old.round_trip()
    old.stop()


def test_any_damage_to_the_state():
    seed = int(os.environ.get("SEED", 1))
    for number in range(seed, seed + 60):
        generator = random.Random(number)
        def answer(running, peer, pipes):
            state, fds = running.state(pipes)
            for _ in range(generator.randint(1, 4)):
                at = generator.choice([generator.randrange(80), generator.randrange(SOURCES_AT, len(state)), generator.randrange(len(state))])
                state[at] = generator.choice([0, 1, 255, generator.randrange(256)])
            if generator.random() < 0.2: generator.shuffle(fds)
            if generator.random() < 0.2: del fds[generator.randrange(len(fds))]
            if generator.random() < 0.2: state = state[:generator.randrange(1, len(state))]
            hand_over(peer, state, fds)
        print("seed", number)
        scene(answer)


if __name__ == "__main__": run(globals())
