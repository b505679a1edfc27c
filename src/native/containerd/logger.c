/*
 * memlogd-containerd's work; see logger.h.
 *
 *   container stdout --pipe--> 3 --+-- passed to memlogd, which reads it
 *                                  \-- kept open here, never read
 *
 * and the same for stderr and 4. Because the pipes stay open, the container's writes do not fail when memlogd ends: they
 * wait for the next memlogd, which gets the same descriptors as soon as its socket is there.
 */
#include "containerd/logger.h"

#include "start/daemonize.h"
#include "system/log-client.h"
#include "system/unix-socket.h"

#define PROGRAM "memlogd-containerd"
/* stdout, stderr, and what is closed to start the container. */
#define FIRST_FD 3
#define READY_FD 5
/* Between two looks whether memlogd has received what was sent: at first, and at most. */
#define LOOK_MS 1
#define LOOK_MS_MAX 50
/* A new socket file may be there a moment before its owner listens: how often and how long that is tried. */
#define RETRY_MS 50
#define RETRY_FOR_MS 10000
/* Devices: /dev/null, where containerd lets the standard error of loggers go (null(4)). */
#define NULL_MAJOR 1
#define NULL_MINOR 3

struct output {
  int fd; /* -1: ended */
  char name[SOURCE_NAME_BYTES_MAX];
  u32 name_bytes;
};

/* Which file a socket is: another memlogd makes another one. */
struct identity {
  u64 ino;
  u32 dev_major, dev_minor;
  struct statx_time made;
};

struct logger {
  struct config config;
  const char *socket, *socket_name; /* the path, and its last component */
  struct text container;            /* NAMESPACE/ID */
  struct output outputs[2];
  struct identity passed_to;
  int watch_fd;       /* reports files that appear in the socket's directory; -1: nothing does */
  u64 retry_until_ms; /* 0: the outputs are passed */
};

/* ---- messages ---- */

static bool is_null_device(int fd) {
  struct statx found;
  if (sys_statx(fd, "", AT_EMPTY_PATH, &found) < 0 || (found.mode & S_IFMT) != S_IFCHR) return false;
  return found.rdev_major == NULL_MAJOR && found.rdev_minor == NULL_MINOR;
}

/* The FIFO in our working directory from which containerd copies the shim's log to its own. -1 if there is none. */
static int open_shim_log(void) {
  struct statx found;
  int fd = sys_open("log", O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && sys_statx(fd, "", AT_EMPTY_PATH, &found) == 0 && (found.mode & S_IFMT) == S_IFIFO) return fd;
  if (fd >= 0) sys_close(fd);
  return -1;
}

/* Under containerd nobody reads our standard error: its log receives our messages. */
static void find_standard_error(void) {
  int log = is_null_device(2) ? open_shim_log() : -1;
  if (log < 0) return;
  sys_dup3(log, 2, 0);
  sys_close(log);
}

__attribute__((noreturn)) static void fail(struct text *text, int status) {
  text_print(text, 2);
  sys_exit(status);
}

__attribute__((noreturn)) static void fail_usage(const char *what) {
  struct text text;
  text_start(&text, PROGRAM ": ");
  text_add(&text, what);
  text_add(&text, ": containerd starts this program (--log-uri binary:///usr/bin/" PROGRAM ")");
  fail(&text, 2);
}

/* ---- passing the outputs to memlogd ---- */

static struct identity socket_identity(const struct logger *logger) {
  struct statx found;
  zero_bytes(&found, sizeof found);
  sys_statx(AT_FDCWD, logger->socket, 0, &found);
  /* Its modification time, since changes of the mode do not change that. */
  return (struct identity){found.ino, found.dev_major, found.dev_minor, found.mtime};
}

static bool is_passed_to(const struct logger *logger, const struct identity *other) {
  const struct identity *known = &logger->passed_to;
  return known->ino == other->ino && known->dev_major == other->dev_major && known->dev_minor == other->dev_minor &&
         known->made.seconds == other->made.seconds && known->made.nanos == other->made.nanos;
}

/* Passes what has not ended. Returns the connection, or -errno. */
static int pass_outputs(struct logger *logger) {
  struct identity identity = socket_identity(logger);
  int error = 0, log = log_client_connect(logger->socket, CONTAINERD_WAIT_MS);
  if (log < 0) return log;
  for (u32 n = 0; n < 2 && error == 0; n++) {
    struct output *output = &logger->outputs[n];
    if (output->fd >= 0) error = send_descriptors(log, output->name, output->name_bytes, &output->fd, 1, 0);
  }
  if (error == 0) {
    logger->passed_to = identity;
    return log;
  }
  sys_close(log);
  return error;
}

/* Whether memlogd has received everything that was sent. Where the kernel can't say that, it has. */
static bool wait_until_received(int log, u64 limit_ms) {
  for (i64 pause = LOOK_MS;; pause = pause * 2 < LOOK_MS_MAX ? pause * 2 : LOOK_MS_MAX) {
    int bytes = 0;
    if (sys_ioctl(log, SIOCOUTQ, &bytes) < 0 || bytes == 0) return true;
    if (clock_ms() >= limit_ms) return false;
    sys_poll(NULL, 0, pause);
  }
}

__attribute__((noreturn)) static void fail_slow(const struct logger *logger) {
  struct text text;
  text_start(&text, PROGRAM ": ");
  text_add(&text, logger->socket);
  text_add(&text, ": memlogd has received nothing of ");
  text_add(&text, logger->container.at);
  text_add(&text, " for ");
  text_number(&text, CONTAINERD_WAIT_MS);
  text_add(&text, " ms");
  fail(&text, 1);
}

static void pass_first(struct logger *logger) {
  u64 limit_ms = clock_ms() + CONTAINERD_WAIT_MS;
  struct text text;
  int log = pass_outputs(logger);
  if (log == -EAGAIN) fail_slow(logger);
  if (log < 0) {
    log_client_failure(&text, PROGRAM, logger->socket, log);
    text_add(&text, "; ");
    text_add(&text, logger->container.at);
    text_add(&text, " is not logged");
    fail(&text, 1);
  }
  if (!wait_until_received(log, limit_ms)) fail_slow(logger);
  sys_close(log);
}

/* ---- the next memlogd ---- */

static void watch_socket(struct logger *logger) {
  struct text directory;
  logger->socket_name = last_component(logger->socket);
  text_start(&directory, logger->socket_name == logger->socket ? "." : "");
  text_add_bytes(&directory, logger->socket, (size_t)(logger->socket_name - logger->socket));
  logger->watch_fd = sys_inotify_init(IN_NONBLOCK | IN_CLOEXEC);
  if (logger->watch_fd < 0) return;
  if (sys_inotify_add_watch(logger->watch_fd, directory.at, IN_CREATE | IN_MOVED_TO) >= 0) return;
  sys_close(logger->watch_fd);
  logger->watch_fd = -1;
}

/* Reads the events. True if one of them may be about the socket. */
static bool has_appeared(const struct logger *logger) {
  u8 events[4096] __attribute__((aligned(8)));
  bool found = false;
  for (;;) {
    long got = sys_read(logger->watch_fd, events, sizeof events);
    if (got <= 0) return found;
    for (long at = 0; at < got;) {
      struct inotify_event event;
      copy_bytes(&event, events + at, sizeof event);
      const char *name = (const char *)events + at + sizeof event;
      at += (long)(sizeof event + event.name_bytes);
      if ((event.mask & IN_Q_OVERFLOW) != 0) found = true;
      else if (event.name_bytes > 0 && strings_equal(name, logger->socket_name)) found = true;
    }
  }
}

static void pass_again(struct logger *logger) {
  struct identity identity = socket_identity(logger);
  int log = is_passed_to(logger, &identity) ? 0 : pass_outputs(logger);
  if (log > 0) sys_close(log);
  if (log >= 0 || clock_ms() >= logger->retry_until_ms) logger->retry_until_ms = 0;
}

/* ---- staying ---- */

enum { ON_SIGNAL, ON_WATCH, ON_OUTPUT, ON_COUNT = ON_OUTPUT + 2 };

/* Until both outputs have ended, or the task is deleted: what is in the pipes then is read by memlogd. */
static void stay(struct logger *logger, int signal_fd) {
  struct output *outputs = logger->outputs;
  while (outputs[0].fd >= 0 || outputs[1].fd >= 0) {
    struct pollfd fds[ON_COUNT] = {{signal_fd, POLLIN, 0}, {logger->watch_fd, POLLIN, 0}};
    /* No event is asked for: POLLHUP, that all writers have closed, is always reported. */
    for (u32 n = 0; n < 2; n++) fds[ON_OUTPUT + n] = (struct pollfd){outputs[n].fd, 0, 0};
    sys_poll(fds, ON_COUNT, logger->retry_until_ms != 0 ? RETRY_MS : -1);
    if (fds[ON_SIGNAL].revents != 0) return;
    for (u32 n = 0; n < 2; n++) {
      if (fds[ON_OUTPUT + n].revents == 0) continue;
      sys_close(outputs[n].fd);
      outputs[n].fd = -1;
    }
    if (fds[ON_WATCH].revents != 0 && has_appeared(logger)) logger->retry_until_ms = clock_ms() + RETRY_FOR_MS;
    if (logger->retry_until_ms != 0) pass_again(logger);
  }
}

/* ---- start ---- */

static void read_options(struct logger *logger, const struct process *process, char *const *args) {
  int status = 1;
  logger->socket = LOG_SOCKET_PATH;
  if (args[0] == NULL) return;
  if (!run_config(process, ROLE_CONTAINERD_CONFIG, args, &logger->config, &status)) sys_exit(status);
  const char *socket = config_value(&logger->config, "socket");
  if (socket != NULL) logger->socket = socket;
}

static void name_outputs(struct logger *logger, const struct process *process) {
  const char *space = environment_value(process->environment, "CONTAINER_NAMESPACE");
  const char *id = environment_value(process->environment, "CONTAINER_ID");
  if (space == NULL || id == NULL) fail_usage("CONTAINER_NAMESPACE and CONTAINER_ID are not set");
  text_start(&logger->container, space);
  text_add(&logger->container, "/");
  text_add(&logger->container, id);
  for (int fd = FIRST_FD; fd <= READY_FD; fd++)
    if (sys_fcntl(fd, F_GETFD, 0) < 0) fail_usage("descriptors 3, 4 and 5 are not open");
  for (u32 n = 0; n < 2; n++) {
    struct output *output = &logger->outputs[n];
    output->fd = FIRST_FD + (int)n;
    output->name_bytes = source_name(output->name, logger->container.at, n == 0 ? ".stdout" : ".stderr");
  }
}

void containerd_logger(const struct process *process, char *const *args) {
  struct logger *logger = sys_memory(sizeof *logger);
  if (logger == NULL) sys_exit(1);
  hold_standard_descriptors(O_RDWR);
  find_standard_error();
  read_options(logger, process, args);
  name_outputs(logger, process);
  watch_socket(logger);
  pass_first(logger);
  u64 signals = SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGHUP);
  sys_sigprocmask(SIG_BLOCK, &signals, NULL);
  int signal_fd = sys_signalfd(signals);
  sys_close(READY_FD);
  stay(logger, signal_fd);
  sys_exit(0);
}
