"""
Makes system calls inside another process, as somebody would who has taken it over: inside.py PID. The same calls are
made by an unconfined process of the same user, which shows that it is not the kernel that refuses them. Prints JSON:
for each call its result inside and outside, -errno as the kernel returns it. `inside.py PID other-abi` makes one call
of another ABI. x86_64 only.
"""
import ctypes, json, os, signal, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
PEEK, POKE, STEP, GETREGS, SETREGS, ATTACH, DETACH = 1, 4, 9, 12, 13, 16, 17
REGISTERS = 27  # struct user_regs_struct: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip ...
R10, R9, R8, RAX, RDX, RSI, RDI, ORIG_RAX, RIP, RSP = 7, 8, 9, 10, 12, 13, 14, 15, 16, 19
SYSCALL = 0x050F
UNSIGNED = 1 << 64
NOBODY = 65534

# What memory the calls refer to: a path that everybody may write to, and zeros.
PATH, ZEROS = b"/dev/null\0", bytes(256)
P, Z = "path", "zeros"
O_WRONLY, O_RDWR, O_CREAT, O_TRUNC = 1, 2, 0o100, 0o1000
CLONE_VM, CLONE_SIGHAND, CLONE_THREAD, CLONE_NEWUSER = 0x100, 0x800, 0x10000, 0x10000000
parent = os.getppid()

REFUSED = {
    "execve": (59, P, 0, 0), "execveat": (322, -100, P, 0, 0, 0),
    "fork": (57,), "vfork": (58,), "clone of a process": (56, signal.SIGCHLD, 0, 0, 0, 0), "clone3": (435, Z, 64),
    "clone of a thread in a new user namespace": (56, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0),
    "ptrace": (101, 16, parent, 0, 0), "process_vm_readv": (310, parent, Z, 1, Z, 1, 0), "process_vm_writev": (311, parent, Z, 1, Z, 1, 0),
    "socket": (41, 1, 1, 0), "socketpair": (53, 1, 1, 0, Z), "connect": (42, -1, Z, 16), "bind": (49, -1, Z, 16),
    "sendto": (44, -1, Z, 1, 0, Z, 16), "sendmsg": (46, -1, Z, 0), "recvmsg": (47, -1, Z, 0), "setsockopt": (54, -1, 1, 26, Z, 16),
    "mount": (165, P, P, P, 0, 0), "umount2": (166, P, 0), "pivot_root": (155, P, P), "chroot": (161, P), "open_tree": (428, -100, P, 0),
    "move_mount": (429, -1, P, -1, P, 0), "fsopen": (430, P, 0), "mount_setattr": (442, -1, P, 0, Z, 0),
    "bpf": (321, 0, Z, 0), "perf_event_open": (298, Z, 0, -1, -1, 0), "userfaultfd": (323, 1), "io_uring_setup": (425, 1, Z),
    "io_uring_enter": (426, -1, 0, 0, 0, 0, 0), "io_uring_register": (427, -1, 0, 0, 0), "seccomp": (317, 1, 0, 0),
    "keyctl": (250, 0, -3, 0, 0, 0), "add_key": (248, P, P, 0, 0, -3), "request_key": (249, P, P, 0, -3),
    "unshare": (272, 0), "setns": (308, -1, 0), "setuid": (105, NOBODY), "setresuid": (117, NOBODY, NOBODY, NOBODY), "setgroups": (116, 0, 0),
    "capset": (126, Z, Z), "personality": (135, 0xFFFFFFFF), "prctl: dumpable": (157, 4, 1), "prctl: death signal": (157, 1, 0),
    "open for writing": (2, P, O_WRONLY), "openat for writing": (257, -100, P, O_WRONLY), "openat for both": (257, -100, P, O_RDWR),
    "openat that creates": (257, -100, P, O_CREAT, 0o600), "openat that truncates": (257, -100, P, O_TRUNC), "openat2": (437, -100, P, Z, 24),
    "creat": (85, P, 0o600), "open_by_handle_at": (304, -1, Z, 0), "name_to_handle_at": (303, -1, P, Z, Z, 0), "memfd_create": (319, P, 0),
    "truncate": (76, P, 0), "unlink": (87, P), "rename": (82, P, P), "link": (86, P, P), "symlink": (88, P, P), "mkdir": (83, P, 0), "mknod": (133, P, 0, 0),
    "chmod": (90, P, 0o666), "fchmodat": (268, -100, P, 0o666), "chown": (92, P, -1, -1), "setxattr": (188, P, P, Z, 0, 0), "utimensat": (280, -100, P, 0, 0),
    "kill": (62, parent, 0), "tkill": (200, parent, 0), "tgkill of another": (234, parent, parent, 0), "rt_sigqueueinfo": (129, parent, 0, Z),
    "pidfd_open": (434, parent, 0), "pidfd_getfd": (438, -1, 0, 0), "pidfd_send_signal": (424, -1, 0, 0, 0), "prlimit64 of another": (302, parent, 7, 0, Z),
    "fcntl: owner": (72, 1, 8, parent), "ioctl: typing into a terminal": (16, 0, 0x5412, Z), "process_madvise": (440, -1, 0, 0, 0, 0),
    "init_module": (175, Z, 0, P), "finit_module": (313, -1, P, 0), "delete_module": (176, P, 0), "kexec_load": (246, 0, 0, 0, 0), "reboot": (169, 0, 0, 0, 0),
    "sethostname": (170, Z, 1), "settimeofday": (164, Z, 0), "swapon": (167, P, 0), "syslog": (103, 3, Z, 1), "ioperm": (173, 0, 1, 0), "iopl": (172, 0),
    "modify_ldt": (154, 0, Z, 16), "splice": (275, -1, 0, -1, 0, 0, 0), "vmsplice": (278, -1, Z, 0, 0), "setpriority": (141, 0, 0, 0), "nice of another": (203, parent, 0, 0),
}
# They would end or double the process that makes them outside.
INSIDE_ONLY = {"fork", "vfork", "clone3", "clone of a process", "clone of a thread in a new user namespace"}
# What the engine needs: the filter is no wall around nothing.
ALLOWED = {"getpid": (39,), "openat for reading": (257, -100, P, 0o2000000), "prctl: name": (157, 16, Z), "ioctl: bytes to read": (16, 3, 0x541B, Z)}


def check(result):
    if result == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Inside:
    def __init__(self, pid):
        self.pid = pid
        check(libc.ptrace(ATTACH, pid, None, None))
        os.waitpid(pid, 0)
        self.before = (ctypes.c_ulonglong * REGISTERS)()
        check(libc.ptrace(GETREGS, pid, None, ctypes.byref(self.before)))
        at = self.before[RIP] - 2
        assert libc.ptrace(PEEK, pid, at, None) & 0xFFFF == SYSCALL, "the process is not in a system call"
        self.memory = (self.before[RSP] - 65536) & ~0xFFF
        self.path, self.zeros = self.memory, self.memory + 1024
        self.poke(self.path, PATH)

    def poke(self, at, data):
        data += bytes(-len(data) % 8)
        for n in range(0, len(data), 8): check(libc.ptrace(POKE, self.pid, at + n, struct.unpack("<Q", data[n:n + 8])[0]))

    def start(self, number, *args):
        self.poke(self.zeros, ZEROS)
        registers = (ctypes.c_ulonglong * REGISTERS)(*self.before)
        registers[RIP], registers[RAX], registers[ORIG_RAX] = self.before[RIP] - 2, number, UNSIGNED - 1
        for register, value in zip((RDI, RSI, RDX, R10, R8, R9), args):
            registers[register] = {P: self.path, Z: self.zeros}.get(value, value) % UNSIGNED
        check(libc.ptrace(SETREGS, self.pid, None, ctypes.byref(registers)))
        check(libc.ptrace(STEP, self.pid, None, None))
        return os.waitpid(self.pid, 0)[1]

    def call(self, number, *args):
        status = self.start(number, *args)
        assert os.WIFSTOPPED(status), f"the process ended with status {status}"
        registers = (ctypes.c_ulonglong * REGISTERS)()
        check(libc.ptrace(GETREGS, self.pid, None, ctypes.byref(registers)))
        return ctypes.c_longlong(registers[RAX]).value

    def leave(self):
        check(libc.ptrace(SETREGS, self.pid, None, ctypes.byref(self.before)))
        check(libc.ptrace(DETACH, self.pid, None, None))


def outside(number, *args):
    """The same call in a process of its own, without rights, which it may end."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([]); os.setresgid(NOBODY, NOBODY, NOBODY); os.setresuid(NOBODY, NOBODY, NOBODY)
        path, zeros = ctypes.create_string_buffer(PATH), ctypes.create_string_buffer(ZEROS)
        values = [ctypes.c_long({P: ctypes.addressof(path), Z: ctypes.addressof(zeros)}.get(a, a)) for a in args]
        result = libc.syscall(ctypes.c_long(number), *values)
        os.write(w, struct.pack("<q", -ctypes.get_errno() if result == -1 else result))
        os._exit(0)
    os.close(w)
    os.waitpid(pid, 0)
    return struct.unpack("<q", os.read(r, 8) or bytes(8))[0]


engine = Inside(int(sys.argv[1]))
if sys.argv[2:] == ["other-abi"]:
    print(json.dumps(os.waitstatus_to_exitcode(engine.start(0x40000000 | 39))))
    sys.exit(0)
refused = {name: [engine.call(*call), 0 if name in INSIDE_ONLY else outside(*call)] for name, call in REFUSED.items()}
allowed = {name: engine.call(*call) for name, call in ALLOWED.items()}
engine.leave()
print(json.dumps(dict(refused=refused, allowed=allowed)))
