/* x86_64: one system call, the numbers, and the few flags whose values differ between CPUs. */
#pragma once

#define CPU_NAME "x86_64"

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/*
 * Starts a thread that calls `run(argument)`, which must not return. `stack` is the top of its stack, a multiple of 16.
 * The kernel clears `*is_alive` when the thread has ended. Returns the thread's id, or -errno.
 */
static inline long clone_thread(long flags, void *stack, void (*run)(void *), void *argument, void *is_alive) {
  long result;
  register long r10 __asm__("r10") = (long)is_alive;
  register long r8 __asm__("r8") = 0;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %[argument], %%rdi\n\t"
      "callq *%[run]\n\t"
      "ud2\n"
      "1:"
      : "=a"(result)
      : "a"(56L), "D"(flags), "S"(stack), "d"(0L), "r"(r10), "r"(r8), [run] "r"(run), [argument] "r"(argument)
      : "rcx", "r11", "memory");
  return result;
}

/* Sets where the compiler finds the stack protector's guard. Returns what was there: the kernel starts with 0. */
#define ARCH_SET_GS 0x1001
static inline long swap_stack_guard(long address) {
  syscall6(158, ARCH_SET_GS, address, 0, 0, 0, 0); /* arch_prctl */
  return 0;
}

#define NR_read 0
#define NR_write 1
#define NR_close 3
#define NR_lseek 8
#define NR_mmap 9
#define NR_rt_sigaction 13
#define NR_rt_sigprocmask 14
#define NR_ioctl 16
#define NR_pread64 17
#define NR_getpid 39
#define NR_socket 41
#define NR_connect 42
#define NR_sendto 44
#define NR_recvfrom 45
#define NR_sendmsg 46
#define NR_recvmsg 47
#define NR_bind 49
#define NR_listen 50
#define NR_socketpair 53
#define NR_setsockopt 54
#define NR_getsockopt 55
#define NR_clone 56
#define NR_execve 59
#define NR_wait4 61
#define NR_kill 62
#define NR_fcntl 72
#define NR_flock 73
#define NR_ftruncate 77
#define NR_chdir 80
#define NR_umask 95
#define NR_setpgid 109
#define NR_setsid 112
#define NR_prctl 157
#define NR_clock_gettime 228
#define NR_exit 60
#define NR_exit_group 231
#define NR_futex 202
#define NR_gettid 186
#define NR_eventfd2 290
#define NR_epoll_ctl 233
#define NR_inotify_add_watch 254
#define NR_inotify_init1 294
#define NR_openat 257
#define NR_mkdirat 258
#define NR_fchownat 260
#define NR_unlinkat 263
#define NR_renameat 264
#define NR_symlinkat 266
#define NR_fchmodat 268
#define NR_ppoll 271
#define NR_epoll_pwait 281
#define NR_fallocate 285
#define NR_accept4 288
#define NR_signalfd4 289
#define NR_epoll_create1 291
#define NR_dup3 292
#define NR_pipe2 293
#define NR_recvmmsg 299
#define NR_prlimit64 302
#define NR_munmap 11
#define NR_geteuid 107
#define NR_memfd_create 319
#define NR_statx 332
#define NR_pidfd_open 434
#define NR_close_range 436
#define NR_pidfd_getfd 438
#define NR_open 2
#define NR_stat 4
#define NR_fstat 5
#define NR_lstat 6
#define NR_poll 7
#define NR_mprotect 10
#define NR_brk 12
#define NR_rt_sigreturn 15
#define NR_pwrite64 18
#define NR_readv 19
#define NR_writev 20
#define NR_access 21
#define NR_sched_yield 24
#define NR_mremap 25
#define NR_madvise 28
#define NR_dup 32
#define NR_dup2 33
#define NR_nanosleep 35
#define NR_accept 43
#define NR_shutdown 48
#define NR_getsockname 51
#define NR_getpeername 52
#define NR_uname 63
#define NR_getcwd 79
#define NR_readlink 89
#define NR_gettimeofday 96
#define NR_getrusage 98
#define NR_sysinfo 99
#define NR_times 100
#define NR_getuid 102
#define NR_getgid 104
#define NR_getegid 108
#define NR_getppid 110
#define NR_setgroups 116
#define NR_setresuid 117
#define NR_setresgid 119
#define NR_capget 125
#define NR_capset 126
#define NR_sigaltstack 131
#define NR_getpriority 140
#define NR_sched_getparam 143
#define NR_sched_getscheduler 145
#define NR_arch_prctl 158
#define NR_time 201
#define NR_sched_getaffinity 204
#define NR_set_tid_address 218
#define NR_restart_syscall 219
#define NR_clock_getres 229
#define NR_clock_nanosleep 230
#define NR_epoll_wait 232
#define NR_tgkill 234
#define NR_newfstatat 262
#define NR_readlinkat 267
#define NR_faccessat 269
#define NR_set_robust_list 273
#define NR_preadv 295
#define NR_pwritev 296
#define NR_getcpu 309
#define NR_seccomp 317
#define NR_getrandom 318
#define NR_execveat 322
#define NR_membarrier 324
#define NR_pkey_mprotect 329
#define NR_pkey_alloc 330
#define NR_pkey_free 331
#define NR_rseq 334
#define NR_faccessat2 439

#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000
