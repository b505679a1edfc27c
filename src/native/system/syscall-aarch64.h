/* aarch64: one system call, the numbers, and the few flags whose values differ between CPUs. */
#pragma once

#define CPU_NAME "aarch64"

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return x0;
}

/* As in syscall-x86_64.h. */
static inline long clone_thread(long flags, void *stack, void (*run)(void *), void *argument, void *is_alive) {
  register long x8 __asm__("x8") = 220;
  register long x0 __asm__("x0") = flags;
  register long x1 __asm__("x1") = (long)stack;
  register long x2 __asm__("x2") = 0;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = (long)is_alive;
  register long x10 __asm__("x10") = (long)run;
  register long x11 __asm__("x11") = (long)argument;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"
      "mov x0, x11\n\t"
      "blr x10\n\t"
      "brk 0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x10), "r"(x11)
      : "memory", "cc");
  return x0;
}

/* As in syscall-x86_64.h. The loader of a dynamic executable has used the register: it must get it back. */
static inline long swap_stack_guard(long address) {
  long before;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(before));
  __asm__ volatile("msr tpidr_el0, %0" ::"r"(address) : "memory");
  return before;
}

#define NR_eventfd2 19
#define NR_epoll_create1 20
#define NR_epoll_ctl 21
#define NR_epoll_pwait 22
#define NR_dup3 24
#define NR_fcntl 25
#define NR_ioctl 29
#define NR_flock 32
#define NR_mkdirat 34
#define NR_unlinkat 35
#define NR_symlinkat 36
#define NR_renameat 38
#define NR_ftruncate 46
#define NR_fallocate 47
#define NR_chdir 49
#define NR_fchmodat 53
#define NR_fchownat 54
#define NR_inotify_add_watch 27
#define NR_inotify_init1 26
#define NR_openat 56
#define NR_close 57
#define NR_pipe2 59
#define NR_lseek 62
#define NR_read 63
#define NR_write 64
#define NR_pread64 67
#define NR_ppoll 73
#define NR_signalfd4 74
#define NR_exit 93
#define NR_exit_group 94
#define NR_futex 98
#define NR_gettid 178
#define NR_clock_gettime 113
#define NR_kill 129
#define NR_rt_sigaction 134
#define NR_rt_sigprocmask 135
#define NR_setpgid 154
#define NR_setsid 157
#define NR_umask 166
#define NR_prctl 167
#define NR_getpid 172
#define NR_socket 198
#define NR_socketpair 199
#define NR_bind 200
#define NR_listen 201
#define NR_connect 203
#define NR_sendto 206
#define NR_recvfrom 207
#define NR_setsockopt 208
#define NR_getsockopt 209
#define NR_sendmsg 211
#define NR_recvmsg 212
#define NR_clone 220
#define NR_execve 221
#define NR_mmap 222
#define NR_accept4 242
#define NR_recvmmsg 243
#define NR_wait4 260
#define NR_prlimit64 261
#define NR_munmap 215
#define NR_geteuid 175
#define NR_memfd_create 279
#define NR_statx 291
#define NR_pidfd_open 434
#define NR_close_range 436
#define NR_pidfd_getfd 438
#define NR_getcwd 17
#define NR_dup 23
#define NR_faccessat 48
#define NR_readv 65
#define NR_writev 66
#define NR_pwrite64 68
#define NR_preadv 69
#define NR_pwritev 70
#define NR_readlinkat 78
#define NR_newfstatat 79
#define NR_fstat 80
#define NR_capget 90
#define NR_capset 91
#define NR_set_tid_address 96
#define NR_set_robust_list 99
#define NR_nanosleep 101
#define NR_clock_getres 114
#define NR_clock_nanosleep 115
#define NR_sched_getscheduler 120
#define NR_sched_getparam 121
#define NR_sched_getaffinity 123
#define NR_sched_yield 124
#define NR_restart_syscall 128
#define NR_tgkill 131
#define NR_sigaltstack 132
#define NR_rt_sigreturn 139
#define NR_getpriority 141
#define NR_setresuid 147
#define NR_setresgid 149
#define NR_times 153
#define NR_setgroups 159
#define NR_uname 160
#define NR_getrusage 165
#define NR_getcpu 168
#define NR_gettimeofday 169
#define NR_getppid 173
#define NR_getuid 174
#define NR_getgid 176
#define NR_getegid 177
#define NR_sysinfo 179
#define NR_accept 202
#define NR_getsockname 204
#define NR_getpeername 205
#define NR_shutdown 210
#define NR_brk 214
#define NR_mremap 216
#define NR_mprotect 226
#define NR_madvise 233
#define NR_seccomp 277
#define NR_getrandom 278
#define NR_execveat 281
#define NR_membarrier 283
#define NR_pkey_mprotect 288
#define NR_pkey_alloc 289
#define NR_pkey_free 290
#define NR_rseq 293
#define NR_faccessat2 439

#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000
