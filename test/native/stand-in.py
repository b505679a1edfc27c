"""
Stands in for the JavaScript roles in tests of the native half: started as MEMLOGD_NODE with this file as
MEMLOGD_BUNDLE. As a config role it answers with $STAND_IN_CONFIG (JSON object; {"exit": N} to fail). As the engine it
reads the queue by docs/PROTOCOL.md and writes every frame to a file, one JSON object a line.

The engine's option is JSON: {"out": file, "mode": what to do wrong, "batch": frames for each ACK}. It keeps its position
in the ring descriptor, as the real one does: u64 position, written after the frames are in the file and before the ACK.
"""
import itertools, json, os, select, socket, struct, sys, time

role = sys.orig_argv[0]


def config():
    answer = json.loads(os.environ.get("STAND_IN_CONFIG", "{}"))
    code = answer.pop("exit", 0)
    if "kill" in answer: os.kill(os.getpid(), answer["kill"])
    if code:
        sys.stderr.write("config role refuses\n")
        sys.exit(code)
    if answer.pop("skip-from-args", None):
        # logwrite: options are `-n NAME` and `-socket PATH`
        args, skip = sys.argv[1:], 0
        while skip < len(args) and args[skip].startswith("-"):
            if args[skip] == "-n": answer["name"] = args[skip + 1]
            elif args[skip] == "-socket": answer["socket"] = args[skip + 1]
            elif args[skip] == "-wait": answer["wait-ms"] = args[skip + 1]
            elif args[skip] == "-best-effort": answer["best-effort"] = "1"; skip -= 1
            skip += 2
        answer["skip"] = str(skip)
    os.write(3, b"".join(f"{k}={v}".encode() + b"\0" for k, v in answer.items()) + b"\0")


QUERY_FD = 6
QUEUE_OFFSET = 4096 + 4096 * 576
KINDS = ["PAD", "OPEN", "DATA", "END", "DATAGRAM", "RECORD", "EVENT"]


class Engine:
    def __init__(self, options):
        self.options = options
        self.mode = options.get("mode", "")
        if os.path.exists(options.get("modes", "/nonexistent")): self.mode = open(options["modes"]).read()
        self.out = os.open(options["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self.out, b"\n")  # ends what a killed one left half-written
        self.control = socket.socket(fileno=3)
        header = os.pread(4, 32, 0)
        magic, version, self.area, self.slots, self.slot_bytes, _, self.acknowledged = struct.unpack("<IIIIIIQ", header)
        assert magic == 0x31514C4D and version == 1 and self.slot_bytes == 576
        ring = os.pread(5, 8, 0)
        self.position = struct.unpack("<Q", ring)[0] if len(ring) == 8 else 0
        self.buffer = b""
        self.holds = False
        self.holds_at_stop = True

    def is_asked_to_stop(self):
        kinds = [kind for kind, _, _ in struct.iter_unpack("<IIQ", self.buffer[:len(self.buffer) // 16 * 16])]
        return 2 in kinds

    def say(self, **record):
        os.write(self.out, json.dumps(record).encode() + b"\n")

    def send(self, kind, arg, value, body=b""):
        self.control.sendall(struct.pack("<IIQ", kind, arg, value) + body)

    def slot(self, slot):
        at = 4096 + slot * self.slot_bytes
        id, kind, length, token = struct.unpack("<IHHI", os.pread(4, 12, at))
        return id, kind, os.pread(4, length, at + 16), token

    def frames(self, end):
        while self.position < end:
            rest = self.area - self.position % self.area
            if rest < 32:
                self.position += rest
                continue
            at = QUEUE_OFFSET + self.position % self.area
            size, kind, slot, id, detail, rs, rn, ms, mn = struct.unpack("<IHHIIIIII", os.pread(4, 32, at))
            step = (32 + size + 7) & ~7
            assert step <= rest, (step, rest)
            if kind != 0:
                record = dict(frame=KINDS[kind], slot=slot, id=id, detail=detail, at=self.position, real=rs + rn / 1e9, mono=ms + mn / 1e9)
                payload = os.pread(4, size, at + 32)
                if kind == 1 and id == 0:
                    record.update(frame="UNOPENED", error=struct.unpack("<I", payload)[0])
                elif kind == 1:
                    sid, skind, name, token = self.slot(slot)
                    record.update(name=name.decode("latin1"), kind=skind, token=token, same=sid == id)
                if kind == 6:
                    record["count"], record["argument"] = struct.unpack("<II", payload[:8])
                    record["text"] = payload[8:].decode("latin1")
                elif size:
                    record["data"] = payload.decode("latin1")
                yield record
            self.position += step

    def handle(self, end):
        frames, most = self.frames(end), self.options.get("batch", 500)
        while True:
            # In parts, so that a busy machine does not take this process for one that hangs.
            lines = [json.dumps(record) for record in itertools.islice(frames, most)]
            if lines: os.write(self.out, ("\n".join(lines) + "\n").encode())
            os.pwrite(5, struct.pack("<Q", self.position), 0)
            self.send(3, 0, self.position)
            if len(lines) < most: break

    def commands(self):
        """Requests of the test: JSON lines in a file, done once each."""
        path = self.options.get("commands")
        if not path or not os.path.exists(path): return
        with open(path) as file: todo = [json.loads(line) for line in file]
        os.unlink(path)
        for what in todo:
            if what["do"] == "open":
                body = struct.pack("<I", what["token"]) + what["path"].encode() + b"\0" + what["name"].encode()
                self.send(4, what["kind"], len(body), body)
            elif what["do"] == "close": self.send(5, what["id"], 0)
            elif what["do"] == "raw": self.control.sendall(bytes.fromhex(what["hex"]))
            elif what["do"] == "sync": self.send(8, 0, 0)
            elif what["do"] == "hold": self.holds, self.holds_at_stop = True, what.get("at-stop", True)
            elif what["do"] == "open-all-and-store":
                body = struct.pack("<I", 1) + what["path"].encode() + b"\0f"
                self.control.sendall((struct.pack("<IIQ", 4, what["kind"], len(body)) + body) * what["count"])
                self.holds, held, self.buffer = False, self.buffer, b""
                self.handle(struct.unpack("<Q", held[-8:])[0])
            elif what["do"] == "say": os.write(2, what["text"].encode())

    def run(self):
        fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
        links = {}
        for fd in fds:
            try: links[fd] = os.readlink(f"/proc/self/fd/{fd}")
            except OSError: pass
        links.pop(self.out, None)
        self.say(started=os.getpid(), begin=self.position, acknowledged=self.acknowledged, links=links,
                 oom=open("/proc/self/oom_score_adj").read().strip(), argv=sys.argv[1:],
                 status=[line for line in open("/proc/self/status") if line.startswith("Sig")])
        if self.mode == "exit": sys.exit(3)
        if self.mode == "mute": time.sleep(1000)
        if self.mode == "garbage": self.control.sendall(os.urandom(64)); time.sleep(1000)
        self.send(3, 0, self.position)
        query = socket.socket(fileno=QUERY_FD)
        query.listen()  # as Node does, which makes this process the listener for the kernel
        query.detach()
        self.send(6, 0, 0)
        while True:
            self.commands()
            ready, _, _ = select.select([self.control], [], [], 0.02)
            if not ready: continue
            got = self.control.recv(4096)
            if not got: sys.exit(0)
            self.buffer += got
            if self.holds and (self.holds_at_stop or not self.is_asked_to_stop()):
                # It stores nothing, but shows that it is there.
                time.sleep(0.05)
                self.send(3, 0, self.position)
                continue
            while len(self.buffer) >= 16:
                kind, arg, value = struct.unpack("<IIQ", self.buffer[:16])
                self.buffer = self.buffer[16:]
                while os.path.exists(self.options.get("pause", "/nonexistent")): time.sleep(0.01)
                if kind == 8:
                    self.say(sync=value)
                    continue
                if kind == 11:
                    self.send(11, 0, 0)
                    continue
                self.handle(value)
                if kind == 2:
                    self.say(stopped=True)
                    sys.exit(0)


if role in ("memlogd-config", "logwrite-config", "memlogd-containerd-config"): config()
elif role == "memlogd-engine": Engine(json.loads(sys.argv[1])).run()
else: print("role", role, sys.argv[1:])
