"""logwrite: the command behaves as without it, both outputs get everything, what could not be logged is counted."""
from support import *


def spawn(m, *args, config=None, **more):
    env = environment(m.dir, config or {"skip-from-args": True})
    if "env" in more: env.update(more.pop("env"))
    settings = dict(env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    settings.update(more)
    return subprocess.Popen(["logwrite", *args], executable=NATIVE, **settings)


def logwrite(m, *args, input=None, **more):
    p = spawn(m, "-socket", m.log, *args, **(dict(stdin=subprocess.PIPE) if input is not None else {}), **more)
    out, err = p.communicate(input, timeout=20)
    m.check_sanitizer()
    return p.returncode, out, err


def test_both_outputs_get_everything():
    m = Memlogd()
    assert logwrite(m, "echo", "testing123") == (0, b"testing123\n", b"")
    assert m.source("echo.stdout")[0] == b"testing123\n" and m.source("echo.stderr")[0] == b""
    assert logwrite(m, "-n", "name", "/bin/sh", "-c", "echo out; echo err >&2; exit 42") == (42, b"out\n", b"err\n")
    assert m.source("name.stdout")[0] == b"out\n"
    assert re.fullmatch(rb"err\n<3>logwrite: sh exited with status 42 after [0-9.]+ s\n", m.source("name.stderr")[0])
    m.stop()


def test_a_megabyte_of_random_bytes():
    m = Memlogd()
    raw = os.urandom(3_000_000)
    assert logwrite(m, "-n", "cat", "cat", input=raw) == (0, raw, b"")
    assert m.source("cat.stdout")[0] == raw
    m.stop()


def test_arguments_are_untouched():
    m = Memlogd()
    args = ["-n", "--", "-x", "", " a  b ", "*", "é"]
    code, out, err = logwrite(m, "-n", "args", sys.executable, "-c", "import sys; print(sys.argv[1:])", *args)
    assert out.decode().strip() == repr(args), out
    m.stop()


def test_output_is_not_held_back():
    # What the command has written is in both outputs while it still runs.
    m = Memlogd()
    p = spawn(m, "-socket", m.log, "-n", "slow", "sh", "-c", "echo first; read x; echo second", stdin=subprocess.PIPE)
    assert p.stdout.readline() == b"first\n"
    id = m.opened("slow.stdout")[0]["id"]
    until("the log has it", lambda: m.data(id) == b"first\n")
    assert p.communicate(b"\n")[0] == b"second\n" and m.source("slow.stdout")[0] == b"first\nsecond\n"
    m.stop()


def test_exit_statuses():
    m = Memlogd()
    script = m.dir + "/script"
    with open(script, "w") as f: f.write("echo no hash-bang $1\n")
    assert logwrite(m, script)[0:3] == (126, b"", f"logwrite: {script}: permission denied\n".encode())
    os.chmod(script, 0o755)
    assert logwrite(m, script, "arg") == (0, b"no hash-bang arg\n", b"")
    assert logwrite(m, "no-such-command-anywhere") == (127, b"", b"logwrite: no-such-command-anywhere: not found\n")
    assert logwrite(m, m.dir + "/no/such") == (127, b"", f"logwrite: {m.dir}/no/such: not found\n".encode())
    assert logwrite(m, "/")[0] == 126 and logwrite(m, "")[0] == 127
    for status in (0, 1, 255): assert logwrite(m, "sh", "-c", f"exit {status}")[0] == status
    for number in (9, 15, 6): assert logwrite(m, "sh", "-c", f"kill -{number} $$")[0] == 128 + number
    os.mkdir(m.dir + "/a"); os.mkdir(m.dir + "/b")
    for directory, mode in (("a", 0o644), ("b", 0o755)):
        with open(f"{m.dir}/{directory}/tool", "w") as f: f.write("#!/bin/sh\necho found in $0\n")
        os.chmod(f"{m.dir}/{directory}/tool", mode)
    assert logwrite(m, "tool", env=dict(PATH=f"{m.dir}/none:{m.dir}/a:{m.dir}/b:/bin"))[1] == f"found in {m.dir}/b/tool\n".encode()
    m.stop()


def test_a_failed_command_is_in_the_log():
    m = Memlogd()
    jobs = []
    def failed(script):
        jobs.append(f"job{len(jobs)}")
        result = logwrite(m, "-n", jobs[-1], "sh", "-c", script)
        return result, m.source(jobs[-1] + ".stderr")[0].decode()
    result, log = failed("echo said >&2; printf half >&2; exit 3")
    assert result == (3, b"", b"said\nhalf"), result
    assert re.fullmatch(r"said\nhalf\n<3>logwrite: sh exited with status 3 after \d+\.\d s\n", log), log
    for number, name in ((11, "SIGSEGV"), (9, "SIGKILL"), (31, "SIGSYS"), (40, "signal 40")):
        result, log = failed(f"ulimit -c 0; kill -{number} $$")
        assert result == (128 + number, b"", b""), result
        assert re.fullmatch(rf"<3>logwrite: sh was ended by {name} after \d+\.\d s\n", log), log
    assert failed("sleep 0.3; exit 1")[1].split(" after ")[1][:3] >= "0.3"
    assert failed("echo fine >&2")[1] == "fine\n"
    assert logwrite(m, "-n", "none", "no-such-command")[0] == 127
    assert m.source("none.stderr")[0] == b"<3>logwrite: no-such-command: not found\n"
    m.stop()


def test_signals_reach_the_command():
    m = Memlogd()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        name = signal.Signals(number).name[3:]
        p = spawn(m, "-socket", m.log, "sh", "-c", f"trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done")
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(number)
        assert p.communicate(timeout=10) == (f"got {name}\n".encode(), b"") and p.returncode == 5
    p = spawn(m, "-socket", m.log, "sh", "-c", "echo up; exec sleep 100")
    assert p.stdout.readline() == b"up\n"
    p.terminate(); assert p.wait(20) == 143
    m.stop()


def test_the_commands_own_signals_are_the_callers():
    # Mask and dispositions are those of the caller: default and unblocked, or ignored where the caller ignores them.
    m = Memlogd()
    show = "grep -E 'Sig(Blk|Ign)' /proc/self/status"
    clean = dict(restore_signals=True)
    out = logwrite(m, "sh", "-c", show, **clean)[1].decode()
    # Compared with the command alone: the process that runs the tests may ignore signals too.
    assert out == subprocess.run(["sh", "-c", show], stdout=subprocess.PIPE, **clean).stdout.decode(), out
    ignore = lambda: [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP)]
    code, out, err = logwrite(m, "grep", "SigIgn", "/proc/self/status", preexec_fn=ignore)
    plain = subprocess.run(["grep", "SigIgn", "/proc/self/status"], stdout=subprocess.PIPE, preexec_fn=ignore).stdout
    assert code == 0 and out == plain and int(out.split()[1], 16) & (1 << 16 | 1 << 12 | 1) == 1 << 16 | 1 << 12 | 1, out
    m.stop()


def test_a_terminals_interrupt_comes_once():
    # Ctrl-C goes to the whole foreground group, so logwrite must not send it to the command again.
    m = Memlogd()
    pid, main = pty.fork()
    if pid == 0:
        os.environ.update(environment(m.dir, {"skip-from-args": True}))
        code = "import signal, time, sys\nn = 0\ndef got(*a):\n  global n; n += 1\nsignal.signal(2, got)\nprint('ready', flush=True)\nend = time.time() + 1\nwhile time.time() < end: time.sleep(0.05)\nprint('count', n, flush=True)"
        os.execv(NATIVE, ["logwrite", "-socket", m.log, "-n", "tty", sys.executable, "-c", code])
    seen = b""
    while b"ready" not in seen: seen += os.read(main, 1000)
    os.write(main, b"\x03")
    try:
        while not seen.endswith(b"\r\n") or b"count" not in seen: seen += os.read(main, 1000)
    except OSError: pass
    os.waitpid(pid, 0)
    assert b"count 1" in seen, seen
    m.stop()


def test_no_daemon():
    m = Memlogd(start=False)
    assert logwrite(m, "echo", "x") == (1, b"", f"logwrite: {m.log}: no such socket: memlogd does not run\n".encode())
    code, out, err = logwrite(m, "-best-effort", "sh", "-c", "echo x; exit 3")
    assert (code, out) == (3, b"x\n") and err == f"logwrite: {m.log}: no such socket: memlogd does not run; the command runs unlogged\n".encode()
    assert logwrite(m, "-best-effort", "nope-nope")[0] == 127
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s: s.bind(m.log)
    assert b"nobody listens" in logwrite(m, "echo", "x")[2]
    assert spawn(m, "-x", config={"exit": 2}).wait() == 2


def test_memlogd_dies():
    # The command is neither blocked nor killed. What was not logged is counted: every line, every byte.
    m = Memlogd()
    p = spawn(m, "-socket", m.log, "-n", "long", "sh", "-c", "echo before; read x; for i in 1 2 3 4 5; do echo after $i; done; printf tail; exit 6", stdin=subprocess.PIPE)
    assert p.stdout.readline() == b"before\n"
    id = m.opened("long.stdout")[0]["id"]
    until("it is logged", lambda: m.data(id) == b"before\n")
    m.process.kill(); m.process.wait()
    out, err = p.communicate(b"\n", timeout=10)
    assert p.returncode == 6 and out == b"after 1\nafter 2\nafter 3\nafter 4\nafter 5\ntail"
    assert err == b"logwrite: 6 lines (44 bytes) of long.stdout could not be logged\n", err


def numbered(count): return b"".join(b"%07d\n" % n for n in range(count))


def test_memlogd_stalls():
    # memlogd is stopped: after -wait the command runs at full speed, whole lines are not logged, and the sum is exact.
    m = Memlogd()
    suspend(m.pid)
    text = numbered(400_000)
    begun = time.monotonic()
    code, out, err = logwrite(m, "-wait", "200", "-n", "cat", "cat", input=text)
    assert time.monotonic() - begun < 8 + slack() and code == 0 and out == text
    lines, size = (int(w) for w in err.decode().replace("(", "").split() if w.isdigit())
    os.kill(m.pid, signal.SIGCONT)
    data = m.source("cat.stdout")[0]
    assert err.startswith(b"logwrite: ") and lines > 100_000
    assert len(data) + size == len(text), (len(data), size, len(text))
    assert data.count(b"\n") + lines == 400_000, (data.count(b"\n"), lines)
    m.stop()


def test_memlogd_stalls_for_a_while():
    # memlogd is stopped and continued: only the line at the stop is cut, and lost + logged = written, in lines and bytes.
    # A line in the log says at the right place how many bytes are missing.
    m = Memlogd()
    p = spawn(m, "-socket", m.log, "-wait", "200", "-n", "cat", "cat", stdin=subprocess.PIPE)
    id = m.opened("cat.stdout")[0]["id"]
    drain = []
    reader = threading.Thread(target=lambda: drain.append(p.stdout.read())); reader.start()
    p.stdin.write(numbered(1000)); p.stdin.flush()
    suspend(m.pid)
    p.stdin.write(numbered(300_000)); p.stdin.flush()
    os.kill(m.pid, signal.SIGCONT)
    probes = 0
    def is_logged_again():
        nonlocal probes
        probes += 1
        p.stdin.write(b"  probe\n"); p.stdin.flush()
        return b"  probe\n" in m.data(id)
    until("lines are logged again", is_logged_again)
    p.stdin.write(numbered(1000)); p.stdin.flush(); p.stdin.close()
    err = p.stderr.read(); reader.join(); assert p.wait() == 0
    assert drain[0] == numbered(1000) + numbered(300_000) + b"  probe\n" * probes + numbered(1000)
    words = err.decode().replace("(", "").split()
    lines, size = int(words[1]), int(words[3])
    data = m.source("cat.stdout")[0]
    reports = re.findall(rb"<4>logwrite: (\d+) bytes were not logged: memlogd took nothing for 200 ms\n", data)
    assert sum(map(int, reports)) == size, (reports, size)
    data = re.sub(rb"<4>logwrite: [^\n]*\n", b"", data)
    logged = data.split(b"\n")[:-1]
    cut = [l for l in logged if len(l) != 7]
    assert len(cut) <= 1, cut[:5]
    written = 302_000 + probes
    assert len(logged) - len(cut) + lines == written and lines > 1000, (len(logged), lines)
    # A cut line gets a newline of its own.
    assert len(data) - len(cut) + size == 8 * written, (len(data), size)
    assert data.endswith(numbered(1000))
    m.stop()


def test_a_stopped_memlogd_that_continues_in_time_gets_everything():
    m = Memlogd()
    suspend(m.pid)
    text = numbered(100_000)
    p = spawn(m, "-socket", m.log, "-n", "cat", "cat", stdin=subprocess.PIPE)
    answer = []
    reader = threading.Thread(target=lambda: answer.append(p.communicate(text))); reader.start()
    until("logwrite waits for memlogd", lambda: "poll" in open(f"/proc/{p.pid}/wchan").read() and
          fcntl.ioctl(p.stdin, termios.FIONREAD, bytearray(4)) == 0)
    time.sleep(1)  # longer than any wait but that of -wait
    os.kill(m.pid, signal.SIGCONT)
    reader.join()
    assert (p.returncode, answer[0]) == (0, (text, b"")), answer[0][1]
    assert m.source("cat.stdout")[0] == text
    m.stop()


def test_a_signal_ends_a_wait_without_limit():
    # The first signal is the command's; logwrite has waited for its end, and the next one ends logwrite.
    m = Memlogd()
    suspend(m.pid)
    p = spawn(m, "-socket", m.log, "-wait", str(0xffffffff), "sh", "-c", "yes; exit 3", stdout=subprocess.DEVNULL)
    until("the command waits", lambda: any("pipe_write" in open(path).read() for path in wchans(p.pid)))
    p.terminate()
    until("the command has ended", lambda: open(f"/proc/{p.pid}/task/{p.pid}/children").read() == "")
    assert p.poll() is None
    p.terminate()
    assert p.wait(20) == 128 + signal.SIGTERM
    assert b"could not be logged" in p.stderr.read()
    os.kill(m.pid, signal.SIGCONT)
    m.stop()


def test_what_was_dropped_last_is_reported_too():
    # The command's last output is dropped; memlogd continues before logwrite ends.
    m = Memlogd()
    suspend(m.pid)
    p = spawn(m, "-socket", m.log, "-wait", "0", "-n", "y", "sh", "-c", "yes | head -c 2000000; read end", stdin=subprocess.PIPE)
    assert len(p.stdout.read(2_000_000)) == 2_000_000
    os.kill(m.pid, signal.SIGCONT)
    id = m.opened("y.stdout")[0]["id"]
    until("memlogd has what was kept", lambda: len(m.data(id)) >= 256 * 1024)
    lines, size = (int(w) for w in p.communicate(b"\n")[1].decode().replace("(", "").split() if w.isdigit())
    data = m.source("y.stdout")[0]
    assert data.endswith(b"<4>logwrite: %d bytes were not logged: memlogd was too slow\n" % size), data[-100:]
    assert data.count(b"y\n") + lines == 1_000_000
    m.stop()


def test_background_children():
    # Their output is copied after the command's end until they close it, but only for teeDrainMs.
    m = Memlogd()
    code, out, err = logwrite(m, "-n", "bg", "sh", "-c", "(sleep 0.2; echo late) & echo early")
    assert (code, out) == (0, b"early\nlate\n") and m.source("bg.stdout")[0] == b"early\nlate\n"
    begun = time.monotonic()
    p = spawn(m, "-socket", m.log, "sh", "-c", "echo $$; (trap '' PIPE; sleep 5 2>&1) & exit 4")
    assert p.stdout.readline() and p.wait(20) == 4
    assert 0.3 < time.monotonic() - begun < 2.5 + slack()
    m.stop()


def wchans(pid):
    """The files that say where logwrite's children, and theirs, wait in the kernel."""
    with open(f"/proc/{pid}/task/{pid}/children") as file: children = file.read().split()
    return [path for child in children for path in [f"/proc/{child}/wchan", *wchans(child)]]


def until_its_command_has_ended(p):
    """Waits until the command has written something and logwrite has waited for its end."""
    select.select([p.stdout], [], [])
    until("the command has ended", lambda: open(f"/proc/{p.pid}/task/{p.pid}/children").read() == "")


def test_a_slow_stdout_gets_everything_after_the_end_of_the_command():
    # More than the pipes hold together is impossible, so the command has ended while its last output is still on its way.
    m = Memlogd()
    text = b"".join(b"%d\n" % n for n in range(1, 23001))
    p = spawn(m, "-socket", m.log, "-n", "seq", "seq", "1", "23000")
    until_its_command_has_ended(p)
    time.sleep(1)  # twice teeDrainMs: the limit for background children is not one for the command's own output
    assert p.poll() is None
    out, err = p.communicate(timeout=60)
    assert (p.returncode, out, err) == (0, text, b"")
    assert m.source("seq.stdout")[0] == text
    m.stop()


def test_interrupted_calls_change_nothing():
    m = Memlogd(shim="eintr")
    text = numbered(50_000)
    assert logwrite(m, "-n", "cat", "cat", input=text, env=dict(SHIM="eintr")) == (0, text, b"")
    assert m.source("cat.stdout")[0] == text
    assert logwrite(m, "sh", "-c", "exit 7", env=dict(SHIM="eintr")) == (7, b"", b"")
    assert logwrite(m, "nope-nope", env=dict(SHIM="eintr"))[0] == 127
    m.stop()


def test_a_signal_ends_the_wait_for_a_stopped_reader():
    m = Memlogd()
    p = spawn(m, "-socket", m.log, "seq", "1", "23000")
    until_its_command_has_ended(p)
    p.terminate()
    assert p.wait(20) == 128 + signal.SIGTERM
    m.stop()


def test_a_background_child_that_never_stops_writing():
    m = Memlogd()
    p = spawn(m, "-socket", m.log, "-n", "bg", "sh", "-c", "echo first; yes & exit 4")
    out, err = p.communicate(timeout=60)
    assert p.returncode == 4 and out.startswith(b"first\n")
    m.stop()


def test_the_reader_of_stdout_goes_away():
    # `logwrite yes | head -1`: the command gets SIGPIPE as it would without logwrite.
    m = Memlogd()
    r, w = os.pipe()
    p = spawn(m, "-socket", m.log, "yes", stdout=w)
    os.close(w); os.read(r, 10); os.close(r)
    assert p.wait(20) == 128 + signal.SIGPIPE
    m.stop()


def test_a_slow_reader_does_not_delay_signals_or_the_log():
    m = Memlogd()
    r, w = os.pipe()
    p = spawn(m, "-socket", m.log, "-n", "y", "sh", "-c", "echo to-stderr >&2; exec yes", stdout=w)
    os.close(w)
    id = m.opened("y.stderr")[0]["id"]
    until("stderr is logged though stdout is stuck", lambda: m.data(id) == b"to-stderr\n")
    waiting = bytearray(4)
    until("the pipe is full", lambda: (fcntl.ioctl(r, termios.FIONREAD, waiting), int.from_bytes(waiting, "little"))[1] > 60_000)
    p.terminate()
    until("yes is dead", lambda: open(f"/proc/{p.pid}/task/{p.pid}/children").read() == "")
    os.close(r)
    assert p.wait(20) == 143
    m.stop()


def test_standard_descriptors_closed():
    m = Memlogd()
    p = spawn(m, "-socket", m.log, "-n", "closed", "echo", "x", preexec_fn=lambda: (os.close(0), os.close(1)))
    assert p.wait(20) == 0 and m.source("closed.stdout")[0] == b"x\n"
    m.stop()


def test_the_command_inherits_no_descriptor_of_logwrite():
    m = Memlogd()
    out = logwrite(m, "ls", "/proc/self/fd")[1].split()
    assert out == [b"0", b"1", b"2", b"3"], out
    m.stop()


def test_no_javascript_without_options():
    m = Memlogd(start=False)
    p = spawn(m, "true", env=dict(MEMLOGD_NODE="/nonexistent"))
    p.communicate()
    assert p.returncode in (0, 1)  # 1: no memlogd on this machine's own path
    p = spawn(m, env=dict(MEMLOGD_NODE="/nonexistent"))
    assert b"could not be started" in p.communicate()[1] and p.returncode == 1


def test_long_names_are_cut():
    m = Memlogd()
    logwrite(m, "-n", "n" * 1000, "echo", "x")
    assert m.source("n" * 505 + ".stdout")[0] == b"x\n"
    m.stop()


if __name__ == "__main__": run(globals())
