/* The intake's loop; see intake.h. */
#include "intake.h"

/* Nothing came for so long: a good moment to give the queue's memory back. */
#define QUIET_MS 20
/* What is read from sources after the order to stop. */
#define STOP_TURNS_MAX 64

enum { ON_CONTROL, ON_SIGNAL, ON_LOG, ON_SYSLOG, ON_UDP, ON_TCP, ON_KMSG, ON_SOURCES, ON_COUNT };

static void tell_time(struct intake *intake) {
  intake->now_us = clock_us();
  intake->now_ms = intake->now_us / 1000;
}

/* What no other memlogd can hand over. */
static bool open_own(struct intake *intake) {
  intake->epoll_fd = sys_epoll_create();
  intake->null_fd = sys_open("/dev/null", O_RDWR | O_CLOEXEC);
  return intake->epoll_fd >= 0;
}

static bool open_new(struct intake *intake) {
  sources_start(intake);
  intake->ring_fd = sys_memfd_create("memlogd-ring", MFD_CLOEXEC);
  return open_own(intake) && intake->ring_fd >= 0 && queue_open(&intake->queue) == 0;
}

/* As many descriptors as sources may need. Some are kept for ourselves, or an engine could not be started again. */
static void raise_limits(struct intake *intake) {
  struct rlimit64 limit = {0, 0};
  sys_prlimit(RLIMIT_NOFILE, NULL, &limit);
  u64 wanted = SOURCES_MAX + OWN_DESCRIPTORS_MAX;
  struct rlimit64 raised = {limit.hard, limit.hard};
  if (limit.hard < wanted) {
    raised.soft = raised.hard = wanted;
    if (sys_prlimit(RLIMIT_NOFILE, &raised, NULL) < 0) raised.soft = raised.hard = limit.hard;
  }
  sys_prlimit(RLIMIT_NOFILE, &raised, NULL);
  bool is_low = raised.soft < OWN_DESCRIPTORS_MAX + SOURCE_DESCRIPTORS_MIN;
  intake->descriptors_max = (i64)raised.soft - (is_low ? SOURCE_DESCRIPTORS_MIN : OWN_DESCRIPTORS_MAX);
}

/* Whoever holds everybody's descriptors is the last that the kernel should kill for memory. */
static void be_the_last_to_go(void) {
  int fd = sys_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  sys_write(fd, "-999", 4);
  sys_close(fd);
}

bool intake_start(struct intake *intake) {
  raise_limits(intake);
  be_the_last_to_go();
  intake->engine.control = -1;
  intake->engine.wait_ms = ENGINE_RESTART_MS;
  if (intake->taken_from == 0 && !open_new(intake)) return false;
  u64 mask = SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGCHLD);
  /* Others that would end a process by default, sent by mistake, must not end this one. */
  u64 deaf = SIGNAL_BIT(SIGUSR1) | SIGNAL_BIT(SIGUSR2) | SIGNAL_BIT(SIGALRM) | SIGNAL_BIT(SIGVTALRM) | SIGNAL_BIT(SIGPROF) |
             SIGNAL_BIT(SIGIO) | SIGNAL_BIT(SIGPWR) | mask;
  sys_sigprocmask(SIG_BLOCK, &deaf, NULL);
  intake->signal_fd = sys_signalfd(mask);
  sys_set_signal(SIGPIPE, SIG_IGN);
  intake->mask = intake->process->mask;
  tell_time(intake);
  return intake->signal_fd >= 0;
}

static void read_signals(struct intake *intake) {
  struct signalfd_siginfo info;
  while (sys_read(intake->signal_fd, &info, sizeof info) == sizeof info) {
    if (info.signo == SIGCHLD) engine_reap(intake);
    else if (info.signo != SIGHUP || !intake->is_daemon) intake->stop_wanted = true;
  }
}

static i64 left(const struct intake *intake, u64 at_ms) { return at_ms > intake->now_ms ? (i64)(at_ms - intake->now_ms) : 0; }

/* Whether a full queue has held the senders of datagrams up for long enough. */
static bool is_dropping(const struct intake *intake) {
  return intake->full_since_ms != 0 && intake->now_ms >= intake->full_since_ms + DATAGRAM_WAIT_MS;
}

static void note_fullness(struct intake *intake) {
  if (!intake_is_full(intake)) intake->full_since_ms = 0;
  else if (intake->full_since_ms == 0) intake->full_since_ms = intake->now_ms;
}

/* What to wait for in this turn. -1 where something is not wanted now. */
static void choose(const struct intake *intake, struct pollfd *fds) {
  const struct listeners *listeners = &intake->listeners;
  bool is_full = intake->full_since_ms != 0, is_stopping = intake->stop_at_ms != 0;
  bool takes_datagrams = (!is_full || is_dropping(intake)) && !is_stopping;
  int wanted[ON_COUNT] = {
      [ON_CONTROL] = intake->engine.control,
      [ON_SIGNAL] = intake->signal_fd,
      [ON_LOG] = is_stopping ? -1 : listeners->log,
      [ON_SYSLOG] = takes_datagrams ? listeners->syslog : -1,
      [ON_UDP] = takes_datagrams ? listeners->udp : -1,
      [ON_TCP] = is_stopping || intake->accept_after_ms > intake->now_ms ? -1 : listeners->tcp,
      [ON_KMSG] = is_full || is_stopping ? -1 : listeners->kmsg,
      [ON_SOURCES] = is_full || is_stopping || intake->pause_until_us > intake->now_us ? -1 : intake->epoll_fd,
  };
  for (u32 at = 0; at < ON_COUNT; at++) {
    fds[at].fd = wanted[at];
    fds[at].events = POLLIN;
    fds[at].revents = 0;
  }
}

/* How long the wait may be, at most. */
static i64 wait_ms(struct intake *intake, i64 events_ms) {
  bool is_full = intake->full_since_ms != 0;
  if (intake->busy_count > 0 && !is_full && intake->stop_at_ms == 0) return 0;
  i64 wait = sooner(events_ms, engine_due_ms(intake));
  if (intake->stop_at_ms != 0) return sooner(events_ms, left(intake, intake->stop_at_ms));
  if (is_full && !is_dropping(intake)) wait = sooner(wait, left(intake, intake->full_since_ms + DATAGRAM_WAIT_MS));
  if (intake->accept_after_ms > intake->now_ms) wait = sooner(wait, left(intake, intake->accept_after_ms));
  if (queue_wants_rewind(&intake->queue)) wait = sooner(wait, left(intake, intake->written_ms + QUIET_MS));
  return wait;
}

static i64 wait_us(struct intake *intake, i64 events_ms) {
  i64 wait = wait_ms(intake, events_ms), us = wait < 0 ? wait : wait * 1000;
  bool is_pausing = intake->pause_until_us > intake->now_us;
  return is_pausing ? sooner(us, (i64)(intake->pause_until_us - intake->now_us)) : us;
}

static void read_syslog(struct intake *intake, int fd, u32 slot, u32 kind) {
  if (intake->full_since_ms != 0) syslog_drop(intake, fd, kind);
  else syslog_read(intake, fd, slot, kind);
}

/* Order matters: what makes room comes first, then what must never wait, then the rest. */
static void handle(struct intake *intake, const struct pollfd *fds) {
  struct listeners *listeners = &intake->listeners;
  if (fds[ON_CONTROL].revents != 0 && intake->engine.control == fds[ON_CONTROL].fd) control_read(intake);
  if (fds[ON_SIGNAL].revents != 0) read_signals(intake);
  note_fullness(intake);
  /* In turns: where the queue has little room, a flood of datagrams would leave none to the streams. */
  intake->streams_first = !intake->streams_first;
  if (intake->streams_first && fds[ON_SOURCES].revents != 0) sources_read(intake);
  if (fds[ON_SYSLOG].revents != 0) read_syslog(intake, listeners->syslog, intake->syslog_slot, SOURCE_KIND_SYSLOG_UNIX);
  if (fds[ON_UDP].revents != 0) read_syslog(intake, listeners->udp, intake->udp_slot, SOURCE_KIND_SYSLOG_UDP);
  if (fds[ON_LOG].revents != 0) log_socket_read(intake);
  if (fds[ON_TCP].revents != 0) syslog_accept(intake);
  if (fds[ON_KMSG].revents != 0 && listeners->kmsg >= 0) kmsg_read(intake);
  if (!intake->streams_first && fds[ON_SOURCES].revents != 0) sources_read(intake);
  if (intake->stop_at_ms == 0) sources_read_busy(intake);
}

static void rewind_when_quiet(struct intake *intake) {
  if (intake->queue.head != intake->written_head) {
    intake->written_head = intake->queue.head;
    intake->written_ms = intake->now_ms;
  } else if (queue_wants_rewind(&intake->queue) && intake->now_ms >= intake->written_ms + QUIET_MS) {
    queue_rewind(&intake->queue);
    intake->written_head = intake->queue.head;
  }
}

/* Everything that is there to be read is read once more, within bounds; then the engine has the last word. */
static void begin_stop(struct intake *intake) {
  listeners_unlink(&intake->listeners);
  for (u32 turn = 0; turn < STOP_TURNS_MAX && !intake_is_full(intake); turn++) {
    u64 head = intake->queue.head;
    intake->pause_until_us = 0;
    struct pollfd fds[ON_COUNT];
    choose(intake, fds);
    fds[ON_CONTROL].fd = fds[ON_SIGNAL].fd = -1;
    tell_time(intake);
    if (sys_poll(fds, ON_COUNT, 0) < 0) break;
    handle(intake, fds);
    if (intake->queue.head == head) break;
  }
  event_count(intake, EVENT_STOPPING, 1, (u32)sys_getpid(), "", 0);
  intake->stop_at_ms = intake->now_ms + STOP_MS;
  events_flush(intake);
  control_stop(intake);
}

static void end_if_stopped(struct intake *intake) {
  if (intake->stop_at_ms == 0) return;
  if (intake->engine.pid != 0 && intake->now_ms < intake->stop_at_ms) return;
  engine_kill(intake);
  sys_exit(0);
}

bool intake_prepare(struct intake *intake) {
  raise_limits(intake);
  return open_own(intake);
}

__attribute__((noreturn)) void intake_run(struct intake *intake) {
  sys_prctl(PR_SET_NAME, (long)(uintptr_t) "memlogd");
  if (intake->taken_from == 0) event_count(intake, EVENT_STARTED, 1, (u32)sys_getpid(), "", 0);
  else event_count(intake, EVENT_TAKEN_OVER, 1, intake->taken_from, "", 0);
  events_flush(intake);
  syslog_start(intake);
  kmsg_start(intake, intake->kmsg_path);
  for (;;) {
    struct pollfd fds[ON_COUNT];
    tell_time(intake);
    note_fullness(intake);
    engine_start_if_due(intake);
    engine_check_stall(intake);
    i64 events_ms = events_flush(intake);
    rewind_when_quiet(intake);
    control_ring(intake);
    intake_check(intake);
    choose(intake, fds);
    sys_poll_us(fds, ON_COUNT, wait_us(intake, events_ms));
    tell_time(intake);
    handle(intake, fds);
    if (intake->stop_wanted && intake->stop_at_ms == 0) begin_stop(intake);
    end_if_stopped(intake);
  }
}
