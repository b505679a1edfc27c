/*
 * What a test may do to the system calls of the native half. $SHIM is a list of orders, separated by semicolons:
 *
 *   stop CALL N         the process stops (SIGSTOP) right before its Nth CALL
 *   stopped CALL N      and right after it
 *   fail CALL N ERRNO   the Nth CALL is not made (0: none is); it returns this error
 *   eintr               of each call that may block every second one is not made; it returns EINTR
 *   replace PATH BY     BY is opened instead of PATH
 *   without OPTION      sockets don't know this option, as with an older kernel
 *   log CALL FILE       each CALL is a line of the file: its first two arguments
 *
 * Children inherit the counts. Orders are few and short, so that each is read again at every call.
 */
#include "system/sys.h"
#include "system/text.h"

#ifdef __x86_64__
#define NR_tgkill 234
#else
#define NR_tgkill 131
#endif
#define SIGSTOP 19
#define ENOPROTOOPT 92
#define WORD_BYTES_MAX 200
#define ORDERS_MAX 8

extern char **environ;

static const struct {
  const char *name;
  long number;
  bool may_block; /* if its flags and those of its descriptor do not prevent it */
} calls[] = {
    {"read", NR_read, true},
    {"pread64", NR_pread64, true},
    {"write", NR_write, true},
    {"recvmsg", NR_recvmsg, true},
    {"recvmmsg", NR_recvmmsg, true},
    {"recvfrom", NR_recvfrom, true},
    {"sendmsg", NR_sendmsg, true},
    {"sendto", NR_sendto, true},
    {"accept4", NR_accept4, true},
    {"ppoll", NR_ppoll, true},
    {"epoll_pwait", NR_epoll_pwait, true},
    {"wait4", NR_wait4, true},
    {"futex", NR_futex, true},
    {"fallocate", NR_fallocate, true},
    {"flock", NR_flock, true},
    {"bind", NR_bind, false},
    {"kill", NR_kill, false},
};
#define CALLS (sizeof calls / sizeof calls[0])

static u32 counts[CALLS], interrupts[CALLS];

static const char *orders(void) {
  for (char **at = environ; *at != NULL; at++)
    if (string_begins(*at, "SHIM=")) return *at + 5;
  return "";
}

/* Reads a word; returns what follows it. */
static const char *word(const char *at, char *to) {
  size_t bytes = 0;
  while (*at == ' ') at++;
  while (*at != 0 && *at != ' ' && *at != ';' && bytes < WORD_BYTES_MAX - 1) to[bytes++] = *at++;
  to[bytes] = 0;
  return at;
}

static u64 number_of(const char *text) {
  u64 number = 0;
  parse_number(text, 0xffff, &number);
  return number;
}

static void log_call(const char *path, long a, long b) {
  struct text line;
  int fd = (int)kernel_call(NR_openat, AT_FDCWD, P(path), 02101, 0600, 0, 0); /* O_WRONLY | O_CREAT | O_APPEND */
  text_start(&line, "");
  text_number(&line, a);
  text_add(&line, " ");
  text_number(&line, b);
  text_add(&line, "\n");
  kernel_call(NR_write, fd, P(line.at), (long)line.bytes, 0, 0, 0);
  kernel_call(NR_close, fd, 0, 0, 0, 0, 0);
}

static bool may_wait(u32 which, long fd, long second, long third, long fourth) {
  long number = calls[which].number;
  if (!calls[which].may_block) return false;
  if (number == NR_ppoll) return true;
  if (number == NR_futex) return second == FUTEX_WAIT_PRIVATE;
  if (number == NR_wait4) return (third & WNOHANG) == 0;
  if (number == NR_epoll_pwait) return fourth != 0;
  if (number == NR_recvfrom || number == NR_sendto || number == NR_recvmmsg) return (fourth & MSG_DONTWAIT) == 0;
  if (number == NR_recvmsg || number == NR_sendmsg) return (third & MSG_DONTWAIT) == 0;
  return (kernel_call(NR_fcntl, fd, F_GETFL, 0, 0, 0, 0) & O_NONBLOCK) == 0;
}

/* To this thread: a signal to the process may be another thread's to handle, and this one would go on meanwhile. */
static void stop(void) {
  long process = kernel_call(NR_getpid, 0, 0, 0, 0, 0, 0), thread = kernel_call(NR_gettid, 0, 0, 0, 0, 0, 0);
  kernel_call(NR_tgkill, process, thread, SIGSTOP, 0, 0, 0);
}

long shim_syscall(long number, long a, long b, long c, long d, long e, long f) {
  char words[4][WORD_BYTES_MAX];
  u32 which = 0;
  bool stops_after = false;
  const char *at = orders();
  while (which < CALLS && calls[which].number != number) which++;
  u32 count = which < CALLS ? __atomic_add_fetch(&counts[which], 1, __ATOMIC_RELAXED) : 0;
  while (*at != 0) {
    const char *path = number == NR_openat ? (const char *)b : "";
    for (u32 n = 0; n < 4; n++) at = word(at, words[n]);
    if (*at == ';') at++;
    bool is_call = which < CALLS && strings_equal(words[1], calls[which].name),
         is_now = is_call && count == number_of(words[2]);
    if (strings_equal(words[0], "eintr") && which < CALLS && may_wait(which, a, b, c, d))
      if (__atomic_add_fetch(&interrupts[which], 1, __ATOMIC_RELAXED) % 2 != 0) return -EINTR;
    if (strings_equal(words[0], "replace") && strings_equal(words[1], path)) {
      path = words[2];
      return kernel_call(number, a, P(path), c, d, e, f);
    }
    if (strings_equal(words[0], "without") && number == NR_setsockopt && (u64)c == number_of(words[1]))
      return -ENOPROTOOPT;
    if (strings_equal(words[0], "log") && is_call) log_call(words[2], a, b);
    if (strings_equal(words[0], "stop") && is_now) stop();
    bool is_never = is_call && number_of(words[2]) == 0;
    if (strings_equal(words[0], "fail") && (is_now || is_never)) return -(long)number_of(words[3]);
    stops_after = stops_after || (strings_equal(words[0], "stopped") && is_now);
  }
  long result = kernel_call(number, a, b, c, d, e, f);
  if (stops_after) stop();
  return result;
}
