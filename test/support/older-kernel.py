"""older-kernel.py NUMBER,... CMD...: becomes CMD, for which the kernel does not know these system calls: a filter
answers ENOSYS. Numbers from 424 on are the same on every CPU."""
import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06


def instruction(code, value, if_equal=0, otherwise=0):
    return struct.pack("HBBI", code, if_equal, otherwise, value)


# The number of the call is the first word of what a filter sees.
program = [instruction(LOAD_WORD, 0)]
for number in sys.argv[1].split(","):
    program += [instruction(JUMP_EQUAL, int(number), 0, 1), instruction(RETURN, ENOSYS)]
program.append(instruction(RETURN, ALLOW))
code = ctypes.create_string_buffer(b"".join(program))
header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[2], sys.argv[2:])
