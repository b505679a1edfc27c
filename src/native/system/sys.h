/* System calls with types. Each returns its result or -errno. */
#pragma once

#include "system/kernel-abi.h"

/* Repeats a blocking call that a signal has interrupted. */
#define UNINTERRUPTED(call)        \
  ({                               \
    long call_result;              \
    do call_result = (call);       \
    while (call_result == -EINTR); \
    call_result;                   \
  })

#define P(pointer) ((long)(uintptr_t)(pointer))
#define CALL1(name, a) syscall6(NR_##name, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(name, a, b) syscall6(NR_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(name, a, b, c) syscall6(NR_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(name, a, b, c, d) syscall6(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(name, a, b, c, d, e) syscall6(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL6(name, a, b, c, d, e, f) \
  syscall6(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* ---- files ---- */
static inline long sys_read(int fd, void *to, size_t bytes) { return CALL3(read, fd, P(to), bytes); }
static inline long sys_write(int fd, const void *from, size_t bytes) { return CALL3(write, fd, P(from), bytes); }
static inline long sys_pread(int fd, void *to, size_t bytes, u64 at) { return CALL4(pread64, fd, P(to), bytes, at); }
static inline long sys_lseek(int fd, i64 at, int from) { return CALL3(lseek, fd, at, from); }
static inline int sys_close(int fd) { return (int)CALL1(close, fd); }
static inline int sys_close_range(u32 first, u32 last) { return (int)CALL3(close_range, first, last, 0); }
static inline int sys_openat(int directory, const char *path, int flags, int mode) {
  return (int)CALL4(openat, directory, P(path), flags, mode);
}
static inline int sys_open(const char *path, int flags) { return sys_openat(AT_FDCWD, path, flags, 0); }
static inline bool sys_is_executable(const char *path) { return CALL3(faccessat, AT_FDCWD, P(path), X_OK) == 0; }
static inline int sys_mkdir(const char *path, int mode) { return (int)CALL3(mkdirat, AT_FDCWD, P(path), mode); }
static inline int sys_unlinkat(int directory, const char *name) { return (int)CALL3(unlinkat, directory, P(name), 0); }
static inline int sys_symlinkat(const char *target, int directory, const char *name) {
  return (int)CALL3(symlinkat, P(target), directory, P(name));
}
static inline int sys_renameat(int directory, const char *from, const char *to) {
  return (int)CALL4(renameat, directory, P(from), directory, P(to));
}
static inline int sys_fchmodat(int directory, const char *name, u32 mode) {
  return (int)CALL3(fchmodat, directory, P(name), mode);
}
static inline int sys_fchownat(int directory, const char *name, u32 uid, u32 gid, int flags) {
  return (int)CALL5(fchownat, directory, P(name), uid, gid, flags);
}
static inline int sys_statx(int directory, const char *name, int flags, struct statx *to) {
  return (int)CALL5(statx, directory, P(name), flags, STATX_BASIC_STATS, P(to));
}
static inline int sys_fcntl(int fd, int command, long value) { return (int)CALL3(fcntl, fd, command, value); }
/* Whether the file can't shrink. Files that have no seals return an error. */
static inline bool sys_is_sealed(int fd) {
  int seals = sys_fcntl(fd, F_GET_SEALS, 0);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}
static inline int sys_ioctl(int fd, u32 request, void *value) { return (int)CALL3(ioctl, fd, request, P(value)); }
static inline int sys_flock(int fd, int how) { return (int)CALL2(flock, fd, how); }
static inline int sys_ftruncate(int fd, u64 bytes) { return (int)CALL2(ftruncate, fd, bytes); }
static inline int sys_fallocate(int fd, int mode, u64 at, u64 bytes) {
  return (int)CALL4(fallocate, fd, mode, at, bytes);
}
static inline int sys_dup3(int from, int to, int flags) { return (int)CALL3(dup3, from, to, flags); }
static inline int sys_pipe2(int ends[2], int flags) { return (int)CALL2(pipe2, P(ends), flags); }
static inline int sys_memfd_create(const char *name, u32 flags) { return (int)CALL2(memfd_create, P(name), flags); }
static inline int sys_chdir(const char *path) { return (int)CALL1(chdir, P(path)); }
static inline int sys_umask(int mask) { return (int)CALL1(umask, mask); }

/* Memory, or NULL. */
static inline void *sys_mmap(size_t bytes, int flags, int fd) {
  long result = CALL6(mmap, 0, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  return result < 0 && result > -4096 ? NULL : (void *)result;
}
static inline int sys_munmap(void *at, size_t bytes) { return (int)CALL2(munmap, P(at), bytes); }
/* Zeroed memory; only the pages that are touched are used. */
static inline void *sys_memory(size_t bytes) {
  return sys_mmap(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

/* ---- waiting and time ---- */
static inline int sys_poll_us(struct pollfd *fds, u32 count, i64 us) {
  struct timespec limit = {us / 1000000, us % 1000000 * 1000};
  return (int)CALL5(ppoll, P(fds), count, us < 0 ? 0 : P(&limit), 0, 8);
}
static inline int sys_poll(struct pollfd *fds, u32 count, i64 ms) {
  return sys_poll_us(fds, count, ms < 0 ? ms : ms * 1000);
}
static inline int sys_inotify_init(int flags) { return (int)CALL1(inotify_init1, flags); }
static inline int sys_inotify_add_watch(int fd, const char *path, u32 mask) {
  return (int)CALL3(inotify_add_watch, fd, P(path), mask);
}
static inline int sys_epoll_create(void) { return (int)CALL1(epoll_create1, EPOLL_CLOEXEC); }
static inline int sys_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
  return (int)CALL4(epoll_ctl, epoll, what, fd, P(event));
}
static inline int sys_epoll_ready(int epoll, struct epoll_event *events, int count) {
  return (int)CALL6(epoll_pwait, epoll, P(events), count, 0, 0, 8);
}
static inline int sys_clock_gettime(int clock, struct timespec *to) { return (int)CALL2(clock_gettime, clock, P(to)); }
static inline u64 clock_us(void) {
  struct timespec now;
  sys_clock_gettime(CLOCK_MONOTONIC, &now);
  return (u64)now.seconds * 1000000 + (u64)now.nanos / 1000;
}
static inline u64 clock_ms(void) { return clock_us() / 1000; }

/* The shorter of two waits; a negative one never ends. */
static inline i64 sooner(i64 a, i64 b) { return a < 0 || (b >= 0 && b < a) ? b : a; }

/* ---- threads ---- */
/* Waits while `*at` has this value, and sometimes less long. */
static inline long sys_futex_wait(u32 *at, u32 value) { return CALL4(futex, P(at), FUTEX_WAIT_PRIVATE, value, 0); }
/* The same, for `ms` at most. */
static inline long sys_futex_wait_ms(u32 *at, u32 value, i64 ms) {
  struct timespec limit = {ms / 1000, ms % 1000 * 1000000};
  return CALL4(futex, P(at), FUTEX_WAIT_PRIVATE, value, P(&limit));
}
static inline long sys_futex_wake(u32 *at) { return CALL3(futex, P(at), FUTEX_WAKE_PRIVATE, 0x7fffffff); }
static inline u32 sys_gettid(void) { return (u32)CALL1(gettid, 0); }
static inline int sys_eventfd(void) { return (int)CALL2(eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK); }
/* Ends this thread alone. */
__attribute__((noreturn)) static inline void sys_exit_thread(void) {
  for (;;) CALL1(exit, 0);
}

/* ---- sockets ---- */
static inline int sys_socket(int family, int type) { return (int)CALL3(socket, family, type, 0); }
static inline int sys_socketpair(int type, int ends[2]) { return (int)CALL4(socketpair, AF_UNIX, type, 0, P(ends)); }
static inline int sys_bind(int fd, const void *address, u32 bytes) { return (int)CALL3(bind, fd, P(address), bytes); }
static inline int sys_connect(int fd, const void *address, u32 bytes) {
  return (int)CALL3(connect, fd, P(address), bytes);
}
static inline int sys_listen(int fd, int backlog) { return (int)CALL2(listen, fd, backlog); }
static inline int sys_accept4(int fd, void *address, int *bytes, int flags) {
  return (int)CALL4(accept4, fd, P(address), P(bytes), flags);
}
static inline long sys_send(int fd, const void *from, size_t bytes) {
  return CALL6(sendto, fd, P(from), bytes, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}
static inline long sys_recv(int fd, void *to, size_t bytes, int flags) {
  return CALL6(recvfrom, fd, P(to), bytes, flags | MSG_DONTWAIT, 0, 0);
}
static inline long sys_sendmsg(int fd, struct msghdr *message, int flags) {
  return CALL3(sendmsg, fd, P(message), flags);
}
static inline long sys_recvmsg(int fd, struct msghdr *message, int flags) {
  return CALL3(recvmsg, fd, P(message), flags);
}
/* Receives up to `count` messages; how many, or -errno if there was none. */
static inline long sys_recvmmsg(int fd, struct mmsghdr *messages, u32 count, int flags) {
  return CALL5(recvmmsg, fd, P(messages), count, flags, 0);
}
static inline int sys_getsockname(int fd, void *address, u32 *bytes) {
  return (int)CALL3(getsockname, fd, P(address), P(bytes));
}
static inline int sys_getpeername(int fd, void *address, u32 *bytes) {
  return (int)CALL3(getpeername, fd, P(address), P(bytes));
}
static inline int sys_setsockopt(int fd, int level, int option, const void *value, u32 bytes) {
  return (int)CALL5(setsockopt, fd, level, option, P(value), bytes);
}
static inline int sys_set_socket_number(int fd, int option, int value) {
  return sys_setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}
static inline int sys_getsockopt(int fd, int option, void *value, u32 *bytes) {
  return (int)CALL5(getsockopt, fd, SOL_SOCKET, option, P(value), P(bytes));
}
/* The option's value, or -errno. */
static inline int sys_socket_number(int fd, int option) {
  int value = 0;
  u32 bytes = sizeof value;
  int error = sys_getsockopt(fd, option, &value, &bytes);
  return error < 0 ? error : value;
}

/* ---- processes and signals ---- */
static inline u32 sys_geteuid(void) { return (u32)CALL1(geteuid, 0); }
static inline int sys_getpid(void) { return (int)CALL1(getpid, 0); }
static inline int sys_fork(void) { return (int)CALL5(clone, SIGCHLD, 0, 0, 0, 0); }
static inline int sys_execve(const char *path, char *const *args, char *const *environment) {
  return (int)CALL3(execve, P(path), P(args), P(environment));
}
static inline int sys_wait(int pid, int *status, int flags) { return (int)CALL4(wait4, pid, P(status), flags, 0); }
static inline int sys_kill(int pid, int number) { return (int)CALL2(kill, pid, number); }
static inline int sys_pidfd_open(int pid) { return (int)CALL2(pidfd_open, pid, 0); }
static inline int sys_pidfd_getfd(int pidfd, int fd) { return (int)CALL3(pidfd_getfd, pidfd, fd, 0); }
static inline int sys_setpgid(int pid, int group) { return (int)CALL2(setpgid, pid, group); }
static inline int sys_setsid(void) { return (int)CALL1(setsid, 0); }
static inline int sys_prctl(int what, long value) { return (int)CALL5(prctl, what, value, 0, 0, 0); }
static inline int sys_prlimit(int what, const struct rlimit64 *set, struct rlimit64 *get) {
  return (int)CALL4(prlimit64, 0, what, P(set), P(get));
}
static inline int sys_sigprocmask(int how, const u64 *set, u64 *old) {
  return (int)CALL4(rt_sigprocmask, how, P(set), P(old), 8);
}
static inline int sys_signalfd(u64 mask) { return (int)CALL4(signalfd4, -1, P(&mask), 8, O_CLOEXEC | O_NONBLOCK); }
/* Sets SIG_DFL or SIG_IGN. Returns the previous handler. */
static inline u64 sys_set_signal(int number, u64 handler) {
  struct kernel_sigaction set = {handler, 0, 0, 0}, old = {0, 0, 0, 0};
  CALL4(rt_sigaction, number, P(&set), P(&old), 8);
  return old.handler;
}
static inline bool sys_is_ignored(int number) {
  struct kernel_sigaction found = {0, 0, 0, 0};
  return CALL4(rt_sigaction, number, 0, P(&found), 8) == 0 && found.handler == SIG_IGN;
}
__attribute__((noreturn)) static inline void sys_exit(int status) {
  for (;;) CALL1(exit_group, status);
}
