"""The engine dies, hangs or sends nonsense: the intake starts another one, and every byte is seen."""
from support import *


def test_what_the_engine_is_started_with():
    # Exactly its descriptors, its options, and an OOM score of its own.
    with socket.socket() as leak:
        m = Memlogd(pass_fds=(leak.fileno(),))
        engine = m.engines()[0]
        kinds = {int(k): v.split(":")[0] for k, v in engine["links"].items()}
        assert kinds == {0: "/memfd", 1: "pipe", 2: "pipe", 3: "socket", 4: "/memfd", 5: "/memfd", 6: "socket"}, kinds
        assert engine["oom"] == "500" and json.loads(engine["argv"][0])["out"] == m.out
        may = subprocess.run(["sh", "-c", "echo -999 > /proc/self/oom_score_adj"], stderr=subprocess.DEVNULL).returncode == 0
        assert open(f"/proc/{m.pid}/oom_score_adj").read().strip() == ("-999" if may else "0")
        status = dict(line.split(":\t") for line in engine["status"])
        assert int(status["SigBlk"], 16) == 0
        first = until("the first frame", m.frames)[0]
        assert (first["frame"], first["detail"], first["argument"], first["at"]) == ("EVENT", EVENTS["started"], m.pid, 0)
        m.stop()


def test_a_stopped_engine_ends_with_its_intake():
    m = Memlogd()
    engine = m.engines()[0]["started"]
    os.kill(engine, signal.SIGSTOP)
    m.process.kill(); m.process.wait()
    until("the engine ends", lambda: not os.path.exists(f"/proc/{engine}"))


def test_the_queue_is_read_only_for_the_engine():
    m = Memlogd()
    flags = open(f"/proc/{m.engines()[0]['started']}/fdinfo/4").read()
    assert int(flags.split("flags:")[1].split()[0], 8) & os.O_ACCMODE == os.O_RDONLY
    m.stop()


def test_killed_again_and_again_under_load():
    # Eight kill -9 while four writers write: no writer gets an error, and every byte is seen once and in order.
    m = Memlogd()
    ends = [socket.socketpair() for _ in range(4)]
    for n, (a, b) in enumerate(ends): m.send(b"load%d" % n, [b.fileno()]); b.close()
    sent, done = [bytearray() for _ in ends], threading.Event()
    def write(n):
        line = 0
        while not done.is_set():
            part = b"".join(b"%d:%d\n" % (n, line + i) for i in range(50)); line += 50
            ends[n][0].sendall(part); sent[n].extend(part); time.sleep(0.0005)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads: t.start()
    for kill in range(8):
        engines = until("an engine runs", lambda: len(e := m.engines()) > kill and e)
        seen = len(m.frames("DATA"))
        until("it handles frames", lambda: len(m.frames("DATA")) > seen)
        os.kill(engines[-1]["started"], signal.SIGKILL)
    done.set()
    for t in threads: t.join()
    for a, _ in ends: a.close()
    for n in range(4): assert m.source(f"load{n}")[0] == bytes(sent[n]), n
    assert m.events("exited")[-1]["argument"] == signal.SIGKILL
    until("all exits are reported", lambda: m.events("exited")[-1]["count"] == 8)
    assert m.process.poll() is None
    m.stop()


def test_positions_survive():
    # A new engine begins where its ring file says, at or above the position that the queue's header has.
    m = Memlogd()
    r, w = os.pipe(); m.send(b"x", [r]); os.write(w, b"hello"); until("data", lambda: m.frames("DATA"))
    until("an acknowledgement", m.acknowledged)
    os.kill(m.engines()[0]["started"], signal.SIGKILL)
    second = until("a second engine", lambda: m.engines()[1:])[0]
    assert second["begin"] >= second["acknowledged"] > 0
    m.stop()


def test_an_engine_that_hangs_is_killed():
    m = Memlogd()
    r, w = os.pipe(); m.send(b"x", [r]); m.opened("x")
    os.kill(m.engines()[0]["started"], signal.SIGSTOP)
    os.write(w, b"waiting")
    until("a second engine", lambda: m.engines()[1:])
    until("it has the bytes", lambda: m.frames("DATA"))
    assert m.events("stalled") and m.events("exited")
    m.stop()


def test_an_engine_that_never_sends_its_first_ack_is_killed():
    m = Memlogd(mode="mute")
    with open(m.modes, "w") as f: f.write("")
    until("a second engine", lambda: m.engines()[1:])
    until("it is reported", lambda: m.events("stalled"))
    m.stop()


def test_an_idle_engine_is_left_alone():
    m = Memlogd()
    time.sleep(3)  # twice engineStallMs; there is no event to wait for
    assert len(m.engines()) == 1
    m.stop()


def test_garbage_on_the_control_stream():
    # The engine is killed for each kind of nonsense; the intake goes on.
    good = struct.pack("<IIQ", 3, 0, 0)
    nonsense = [struct.pack("<IIQ", 99, 0, 0), struct.pack("<IIQ", 3, 0, 1 << 60), struct.pack("<IIQ", 3, 0, 3),
                struct.pack("<IIQ", 4, 1, 1 << 40), struct.pack("<IIQ", 4, 1, 5), struct.pack("<IIQ", 4, 1, 8) + b"\1\2\3\4abcd",
                struct.pack("<IIQ", 4, 77, 8) + b"\1\2\3\4/x\0y", struct.pack("<IIQ", 1, 0, 0), b"\0" * 16, struct.pack("<IIQ", 3, 0, 0)]
    m = Memlogd()
    r, w = os.pipe(); m.send(b"x", [r]); m.opened("x")
    for n, raw in enumerate(nonsense):
        until("an engine", lambda: len(m.engines()) == n + 1)
        m.do(do="raw", hex=raw.hex())
    until("the last engine", lambda: len(m.engines()) == len(nonsense) + 1)
    os.write(w, b"still here"); until("data", lambda: m.frames("DATA"))
    m.stop()


def test_an_engine_that_cannot_start_is_started_again():
    m = Memlogd(mode="exit")
    until("four starts", lambda: len(m.engines()) >= 4)
    with open(m.modes, "w") as f: f.write("")
    until("exits are reported", lambda: m.events("exited"))
    assert m.events("exited")[-1]["argument"] == 3 << 8, m.events("exited")
    m.stop()


def test_the_output_of_the_engine_is_logged():
    m = Memlogd()
    m.do(do="say", text="a stack trace\n")
    id = m.opened("memlogd.engine")[0]["id"]
    until("its output", lambda: m.data(id) == b"a stack trace\n")
    assert m.opened("memlogd.engine")[0]["kind"] == 7
    m.stop()


def test_the_engine_opens_and_closes_a_fifo():
    # As with Docker: the daemon holds the FIFO open for reading and writing, so it never ends. CLOSE reads what is there.
    m = Memlogd()
    before = m.fds()
    path = m.dir + "/docker"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    m.do(do="open", kind=6, token=77, path=path, name="container")
    opened = m.opened("container")[0]
    assert opened["token"] == opened["detail"] == 77 and opened["kind"] == 6
    os.write(held, b"x" * 60_000)
    os.write(held, b"end")
    m.do(do="close", id=opened["id"])
    m.ended(opened["id"])
    assert m.data(opened["id"]) == b"x" * 60_000 + b"end"
    assert m.fds() == before
    m.do(do="close", id=opened["id"]); m.do(do="close", id=4_000_000_000)
    for where, error in ((m.dir + "/missing", 2), (m.dir, 22), (m.out, 22)):
        m.do(do="open", kind=6, token=error, path=where, name="n")
        until("the engine has its answer", lambda: m.frames("UNOPENED", detail=error, error=error))
        if error == 2: assert not m.events("open_failed"), "a FIFO that is gone is no news"
        else: until("the failure is reported", lambda: [e for e in m.events("open_failed") if e["text"] == where and e["argument"] == error])
    m.stop()


def test_only_a_fifo_is_opened():
    # To open another file may have effects or block, so its type is looked at first.
    m = Memlogd()
    libc = ctypes.CDLL(None)
    path = m.dir + "/file"
    open(path, "w").close()
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, path.encode(), 0x20) > 0  # IN_OPEN
    m.do(do="open", kind=6, token=1, path=path, name="n")
    until("it is refused", lambda: [e for e in m.events("open_failed") if (e["text"], e["argument"]) == (path, 22)])
    try: raise AssertionError(f"it was opened: {os.read(watch, 1000)}")
    except BlockingIOError: os.close(watch)
    m.stop()


def test_the_number_of_an_engine_that_was_reaped_is_not_used():
    # It may be another process's by then. What the engine had sent is read after its end: a question about a reader.
    m = Memlogd(shim="stop wait4 2; log kill DIR/kills")
    engine = m.engines()[0]["started"]
    until("it is ready", lambda: m.acknowledged() > 0)
    os.kill(m.pid, signal.SIGCHLD)
    m.until_stopped()
    m.do(do="raw", hex=struct.pack("<IIQ", 7, 6, 1 << 32).hex())
    m.do(do="say", text="sent")  # the engine does one thing after the other
    os.kill(engine, signal.SIGKILL)
    until("it is dead", lambda: open(f"/proc/{engine}/stat").read().rsplit(")")[1].split()[0] == "Z")
    m.resume()
    until("another engine", lambda: len(m.engines()) == 2)
    m.round_trip()
    assert not os.path.exists(m.dir + "/kills"), open(m.dir + "/kills").read()
    m.stop()


def test_each_failure_to_open_is_answered_by_its_token():
    # Events keep one path a second; the answers do not.
    m = Memlogd()
    for token in range(1, 21): m.do(do="open", kind=6, token=token, path=f"{m.dir}/missing-{token}", name="n")
    until("all answers", lambda: len(m.frames("UNOPENED")) == 20)
    assert [(f["detail"], f["error"]) for f in m.frames("UNOPENED")] == [(token, 2) for token in range(1, 21)]
    m.stop()


def test_sync_names_the_position_up_to_which_frames_wait():
    m = Memlogd()
    r, w = os.pipe(); m.send(b"x", [r]); m.opened("x")
    os.write(w, b"data"); last = until("data", lambda: m.frames("DATA"))[-1]
    m.do(do="sync")
    answer = until("the answer", lambda: [a for a in m.records() if "sync" in a])[0]["sync"]
    assert answer >= last["at"] + 32 + 8, (answer, last)
    m.stop()


def test_the_engine_ends_with_the_intake():
    m = Memlogd()
    engine = m.engines()[0]["started"]
    m.process.kill(); m.process.wait()
    until("the engine ends", lambda: not os.path.exists(f"/proc/{engine}") or "Z" in open(f"/proc/{engine}/stat").read().split()[2])


if __name__ == "__main__": run(globals())
