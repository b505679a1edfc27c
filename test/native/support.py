"""
Shared by the tests of the native half. $NATIVE is the program under test, $STAND_IN the script that stands in for the
JavaScript roles. Every test is a function that begins with `test_`; `run()` calls the one named on the command line.
"""
import array, ctypes, fcntl, json, os, pty, re, resource, select, shutil, signal, socket, stat, struct, subprocess, sys, tempfile, termios, threading, time

NATIVE, STAND_IN = os.environ["NATIVE"], os.environ["STAND_IN"]
EVENTS = dict(started=1, exited=2, without=3, truncated=4, name_cut=5, full=6, refused=7, lost=8, kmsg=9, kmsg_long=10,
              stalled=11, open_failed=12, stopping=13, blocked=16, rate_limited=17, no_descriptors=18, idle_ended=19, unread=21,
              connection_ended=22, closing_blocked=23)

SO_PASSRIGHTS = 83
# A shim's order: before Linux 6.16 every Unix socket takes descriptors.
OLD_KERNEL = f"without {SO_PASSRIGHTS}"


def until(what, check, seconds=100):
    """Waits for a condition; returns what `check` returned."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found: return found
        if time.monotonic() > end: raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def slack():
    """Seconds that a machine which is busy with other tests may add to a limit."""
    return max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 1)


def environment(directory, config, shim=""):
    return dict(os.environ, SHIM=shim, MEMLOGD_NODE=sys.executable, PYTHONHOME=sys.base_prefix, MEMLOGD_BUNDLE=STAND_IN, STAND_IN_CONFIG=json.dumps(config),
                ASAN_OPTIONS=f"log_path={directory}/sanitizer", UBSAN_OPTIONS=f"log_path={directory}/sanitizer:print_stacktrace=1")


def record(line):
    """A record of the engine. A killed engine may have written half a line; its frame comes again with the next engine."""
    try: return json.loads(line)
    except ValueError: return None


started = []


def has_stopped(pid):
    """Whether each of its threads has: a signal that is sent is not there yet."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try: file = open(f"/proc/{pid}/task/{task}/stat")
        except FileNotFoundError: continue  # it has ended
        with file:
            if file.read().rsplit(")")[1].split()[0] != "T": return False
    return True


def suspend(pid):
    os.kill(pid, signal.SIGSTOP)
    until("it has stopped", lambda: has_stopped(pid))


class Memlogd:
    def __init__(self, config=None, mode="", engine=None, start=True, shim="", **popen):
        self.dir = tempfile.mkdtemp(prefix="native-")
        started.append(self)
        self.log, self.query, self.link = (f"{self.dir}/{n}" for n in ("log.sock", "memlogq.sock", "memlogdq.sock"))
        self.out, self.pause, self.commands, self.modes = (f"{self.dir}/{n}" for n in ("out", "pause", "commands", "modes"))
        options = dict(out=self.out, pause=self.pause, commands=self.commands, mode=mode, modes=self.modes, **(engine or {}))
        self.config = {"log-path": self.log, "query-path": self.query, "query-link": self.link, "engine": json.dumps(options)}
        self.config.update(config or {})
        self.config = {k: v for k, v in self.config.items() if v is not None}
        self.popen, self.process = popen, None
        self.shim = shim.replace("DIR", self.dir)  # orders to test/native/shim.c
        self.offset, self.seen, self.by_kind = 0, [], {}
        if start: self.start()

    def spawn(self, **more):
        settings = dict(env=environment(self.dir, self.config, self.shim), stderr=subprocess.PIPE, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        settings.update(self.popen)
        settings.update(more)
        return subprocess.Popen(["memlogd"], executable=NATIVE, **settings)

    def start(self):
        self.process = self.spawn()
        until("memlogd's engine runs", lambda: self.engines() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stderr.read()
        return self

    def until_stopped(self):
        """Waits for the shim's SIGSTOP."""
        until("it is stopped", lambda: open(f"/proc/{self.pid}/stat").read().rsplit(")")[1].split()[0] == "T")

    def start_until_stopped(self):
        self.process = self.spawn()
        self.until_stopped()

    def resume(self): os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self): return self.process.pid

    def records(self):
        """What the engines have written so far."""
        if not os.path.exists(self.out): return []
        with open(self.out) as file:
            file.seek(self.offset)
            text = file.read()
        end = text.rfind("\n") + 1
        self.offset += end  # JSON is ASCII: a character is a byte
        for line in text[:end].splitlines():
            if not (r := record(line)): continue
            self.seen.append(r)
            if "frame" in r: self.by_kind.setdefault(r["frame"], {})[r["at"]] = r
        return self.seen

    def engines(self): return [r for r in self.records() if "started" in r]

    def frames(self, frame=None, **wanted):
        """Each frame once, by its position, in order."""
        self.records()
        kinds = self.by_kind.values() if frame is None else [self.by_kind.get(frame, {})]
        found = [r for kind in kinds for r in kind.values() if all(r.get(k) == v for k, v in wanted.items())]
        return sorted(found, key=lambda r: r["at"])

    def events(self, name): return self.frames("EVENT", detail=EVENTS[name])

    def opened(self, name, count=1):
        return until(f"{count} sources {name!r}", lambda: len(f := self.frames("OPEN", name=name)) >= count and f)

    def data(self, id): return "".join(r["data"] for r in self.frames("DATA", id=id)).encode("latin1")

    def ended(self, id): return until(f"the end of {id}", lambda: self.frames("END", id=id))[0]

    def source(self, name):
        """Waits until the source of that name has ended; its bytes and its END frame."""
        id = self.opened(name)[-1]["id"]
        end = self.ended(id)
        return self.data(id), end

    def send(self, name, fds):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(self.log)
        if fds: socket.send_fds(s, [name], fds)
        else: s.send(name)
        s.close()

    def round_trip(self):
        """Waits until memlogd has adopted, read and ended another source: whatever came before has been handled too."""
        self.trips = getattr(self, "trips", 0) + 1
        r, w = os.pipe()
        name = "round-trip-%d" % self.trips
        self.send(name.encode(), [r]); os.close(r); os.write(w, b"x"); os.close(w)
        assert self.source(name)[0] == b"x"

    def memory_file(self, name):
        """The path of the intake's own descriptor: an engine may be replaced at any time on a busy machine."""
        paths = [f"/proc/{self.pid}/fd/{fd}" for fd in os.listdir(f"/proc/{self.pid}/fd")]
        return next(path for path in paths if os.readlink(path).startswith(f"/memfd:{name} "))

    def acknowledged(self):
        """The queue position that the last engine has acknowledged."""
        with open(self.memory_file("memlogd-queue"), "rb") as queue: return struct.unpack("<Q", queue.read(32)[24:])[0]

    def do(self, **command):
        with open(self.commands + ".new", "w") as file: file.write(json.dumps(command) + "\n")
        os.rename(self.commands + ".new", self.commands)
        until("the engine has read the command", lambda: not os.path.exists(self.commands))

    def hold(self): open(self.pause, "w").close()
    def release(self): os.unlink(self.pause)
    def fds(self): return len(os.listdir(f"/proc/{self.pid}/fd"))

    def check_sanitizer(self):
        reports = [n for n in os.listdir(self.dir) if n.startswith("sanitizer")]
        if reports: raise AssertionError(open(f"{self.dir}/{reports[0]}").read())

    def stop(self, number=signal.SIGTERM, status=0, seconds=1.5):
        begun = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        took = time.monotonic() - begun
        self.check_sanitizer()
        assert self.process.returncode == status, (self.process.returncode, err)
        assert err == "", err
        assert took < seconds + slack(), f"stopping took {took} s"
        for path in (self.log, self.query, self.link): assert not os.path.lexists(path), path
        shutil.rmtree(self.dir)

    def clean(self):
        """Removes what a test has started, even if it failed: processes and files."""
        if self.process is not None and self.process.poll() is None: self.process.kill(); self.process.wait()
        for process in os.listdir("/proc"):
            try:
                with open(f"/proc/{process}/cmdline", "rb") as file: words = file.read()
                if b"memlogd-engine\0" not in words or self.out.encode() not in words: continue
                parent = int(open(f"/proc/{process}/stat").read().rsplit(")")[1].split()[1])
                if parent > 1 and os.path.basename(os.readlink(f"/proc/{parent}/exe")) == os.path.basename(NATIVE): os.kill(parent, signal.SIGKILL)
                os.kill(int(process), signal.SIGKILL)
            except (OSError, ValueError): pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def failure(self, status=1, **more):
        """Starts and must fail; the message."""
        process = self.spawn(**more)
        out, err = process.communicate(timeout=10)
        self.check_sanitizer()
        assert process.returncode == status, (process.returncode, out, err)
        return err.strip()


def run(names):
    tests = {k[5:]: v for k, v in names.items() if k.startswith("test_")}
    if sys.argv[1:] == ["--list"]:
        print("\n".join(tests))
        return
    for name in sys.argv[1:] or tests:
        begun = time.monotonic()
        try: tests[name]()
        finally:
            while started: started.pop().clean()
        print(f"ok {name} {time.monotonic() - begun:.2f} s", flush=True)
