/* The intake's loop; see intake.h. */
#include "intake/intake.h"

#include "engine/confine.h"
#include "start/daemonize.h"
#include "intake/invariants.h"
#include "inputs/kmsg.h"
#include "system/unix-socket.h"

/* Descriptors that the intake itself needs beside the sources and the kept readers. */
#define OWN_DESCRIPTORS_MAX 64
/* After this long without new frames, the queue's memory is freed. */
#define QUIET_MS 20
/* How long new sources wait for slots that the engine is about to free. After that they are refused. */
#define SLOT_WAIT_MS 1000
/* Turns in which datagrams that can't be stored any more are counted at the end. */
#define LAST_DROPS_MAX 16

enum { ON_CONTROL, ON_SIGNAL, ON_REPORT, ON_LOG, ON_SYSLOG, ON_UDP, ON_TCP, ON_KMSG, ON_SOURCES, ON_COUNT };

static void update_clock(struct intake *intake) {
  intake->now_us = clock_us();
  intake->now_ms = intake->now_us / 1000;
}

/* ---- start ---- */

/* Neither a link that somebody has put there, nor anything that can block. The descriptor, or -errno. */
static int open_state_file(const char *path) {
  struct statx found;
  int fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  if (fd < 0) return fd;
  if (sys_statx(fd, "", AT_EMPTY_PATH, &found) == 0 && (found.mode & S_IFMT) == S_IFREG) return fd;
  sys_close(fd);
  return -EINVAL;
}

/* What no other memlogd can hand over. */
static bool open_own(struct intake *intake) {
  intake->holdings.sources.epoll_fd = sys_epoll_create();
  struct engine_launch *launch = &intake->engine.launch;
  launch->empty_fd = open_empty_file();
  launch->docker_state_fd = -1;
  if (intake->docker_state_path != NULL) {
    launch->docker_state_fd = open_state_file(intake->docker_state_path);
    /* The engine then reports that it can't write. */
    if (launch->docker_state_fd < 0) launch->docker_state_fd = launch->empty_fd;
  }
  return intake->holdings.sources.epoll_fd >= 0 && launch->empty_fd >= 0;
}

static bool open_new(struct intake *intake) {
  struct holdings *holdings = &intake->holdings;
  if (queue_open(&holdings->queue) < 0) return false;
  sources_start(&holdings->sources);
  holdings->ring_fd = sys_memfd_create("memlogd-ring", MFD_CLOEXEC);
  return holdings->ring_fd >= 0;
}

/* Returns how many descriptors there may be: as many as sources may need, if possible. */
static i64 raise_descriptor_limit(void) {
  struct rlimit64 limit = {0, 0};
  sys_prlimit(RLIMIT_NOFILE, NULL, &limit);
  u64 wanted = SOURCES_MAX + OWN_DESCRIPTORS_MAX + KEPT_READERS_MAX;
  struct rlimit64 raised = {limit.hard, limit.hard};
  if (limit.hard < wanted) {
    raised.soft = raised.hard = wanted;
    if (sys_prlimit(RLIMIT_NOFILE, &raised, NULL) < 0) raised.soft = raised.hard = limit.hard;
  }
  sys_prlimit(RLIMIT_NOFILE, &raised, NULL);
  return (i64)raised.soft;
}

/* Some are reserved, or no engine could be started again; and, unless there are few, some for kept readers. */
static void reserve_descriptors(struct holdings *holdings) {
  i64 limit = raise_descriptor_limit();
  bool is_low = limit < OWN_DESCRIPTORS_MAX + SOURCE_DESCRIPTORS_MIN;
  i64 rest = limit - (is_low ? SOURCE_DESCRIPTORS_MIN : OWN_DESCRIPTORS_MAX);
  /* The numbers below are also those of the intake itself. */
  bool has_places = rest >= KEPT_READERS_MAX + 2 * OWN_DESCRIPTORS_MAX;
  holdings->sources.descriptors_max = has_places ? rest - KEPT_READERS_MAX : rest;
  holdings->readers.descriptors_max = rest;
}

/* Of all processes, the one that holds everybody's descriptors should be killed last when memory runs out. */
static void protect_from_oom_killer(void) {
  int fd = sys_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  sys_write(fd, "-999", 4);
  sys_close(fd);
}

/*
 * Signals that stop memlogd become readable events, unless the caller ignores them (nohup, a shell's background). All
 * others are blocked, but those that report a fault: no signal sent by mistake ends or stops this process.
 */
static int take_signals(u64 *caller_mask) {
  static const u8 stopping[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
  u64 handled = SIGNAL_BIT(SIGCHLD);
  for (u32 n = 0; n < sizeof stopping; n++)
    if (stopping[n] == SIGTERM || !sys_is_ignored(stopping[n])) handled |= SIGNAL_BIT(stopping[n]);
  u64 faults = SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGBUS) |
               SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGSYS);
  u64 blocked = ~faults;
  sys_sigprocmask(SIG_BLOCK, &blocked, caller_mask);
  sys_set_signal(SIGPIPE, SIG_IGN);
  return sys_signalfd(handled);
}

bool intake_prepare(struct intake *intake) {
  struct sources *sources = &intake->holdings.sources;
  sources->queue = &intake->holdings.queue;
  sources->events = &intake->holdings.events;
  sources->guard = &intake->guard;
  reserve_descriptors(&intake->holdings);
  kept_readers_reset(&intake->holdings.readers);
  return guard_prepare(&intake->guard) && open_own(intake);
}

bool intake_start(struct intake *intake) {
  protect_from_oom_killer();
  engine_reset(&intake->engine);
  if (intake->holdings.taken_from == 0 && !open_new(intake)) return false;
  /* Whether somebody may take over depends on who sent the datagram. */
  const struct listeners *listeners = &intake->holdings.listeners;
  sys_set_socket_number(listeners->log, SO_PASSCRED, 1);
  /* Connections inherit it. */
  unix_refuse_descriptors(listeners->syslog);
  unix_refuse_descriptors(listeners->query);
  unix_refuse_descriptors(listeners->docker);
  intake->signal_fd = take_signals(&intake->engine.launch.signal_mask);
  update_clock(intake);
  return intake->signal_fd >= 0;
}

/* ---- waiting ---- */

static i64 remaining_ms(const struct intake *intake, u64 at_ms) {
  return at_ms > intake->now_ms ? (i64)(at_ms - intake->now_ms) : 0;
}

static bool is_stopping(const struct intake *intake) { return intake->stop.at_ms != 0; }
/* Asked to stop, and what waits in the sources is still read. */
static bool is_draining(const struct intake *intake) {
  return intake->stop.drain_until_ms != 0 && !is_stopping(intake);
}
static bool is_full(const struct intake *intake) { return intake->watch.full_since_ms != 0; }

/* Whether the queue has been full for so long that datagrams are dropped. */
static bool is_dropping(const struct intake *intake) {
  return is_full(intake) && intake->now_ms >= intake->watch.full_since_ms + DATAGRAM_WAIT_MS;
}

/* Whether new sources wait, unread, until slots are free. */
static bool awaits_slots(const struct intake *intake) {
  u64 since_ms = intake->watch.slots_since_ms;
  return since_ms != 0 && intake->now_ms < since_ms + SLOT_WAIT_MS;
}

static void note_slots(struct intake *intake) {
  if (!sources_await_slots(&intake->holdings.sources)) intake->watch.slots_since_ms = 0;
  else if (intake->watch.slots_since_ms == 0) intake->watch.slots_since_ms = intake->now_ms;
}

static void note_fullness(struct intake *intake) {
  if (!queue_is_full(&intake->holdings.queue)) intake->watch.full_since_ms = 0;
  else if (!is_full(intake)) intake->watch.full_since_ms = intake->now_ms;
}

/* What to wait for in this turn; -1 where something is not wanted now. */
static void choose(const struct intake *intake, struct pollfd *fds) {
  const struct holdings *holdings = &intake->holdings;
  const struct listeners *listeners = &holdings->listeners;
  bool stopping = is_stopping(intake), reads = !is_full(intake) && !stopping;
  bool reads_datagrams = reads || (is_dropping(intake) && !stopping);
  int wanted[ON_COUNT] = {
      [ON_CONTROL] = intake->engine.control,
      [ON_SIGNAL] = intake->signal_fd,
      [ON_REPORT] = intake->guard.report_fd,
      [ON_LOG] = stopping || intake->guard.closer.is_stuck || awaits_slots(intake) ? -1 : listeners->log,
      [ON_SYSLOG] = reads_datagrams && !syslog_waits(&holdings->syslog, &intake->guard) ? listeners->syslog : -1,
      [ON_UDP] = reads_datagrams ? listeners->udp : -1,
      [ON_TCP] = stopping || holdings->syslog.accept_after_ms > intake->now_ms ? -1 : listeners->tcp,
      [ON_KMSG] = reads ? listeners->kmsg : -1,
      [ON_SOURCES] =
          reads && holdings->sources.pacing.pause_until_us <= intake->now_us ? holdings->sources.epoll_fd : -1,
  };
  for (u32 at = 0; at < ON_COUNT; at++) fds[at] = (struct pollfd){wanted[at], POLLIN, 0};
}

/* How long the wait may be, -1 for ever. */
static i64 wait_ms(const struct intake *intake, i64 events_ms) {
  const struct holdings *holdings = &intake->holdings;
  if (is_stopping(intake)) return sooner(events_ms, remaining_ms(intake, intake->stop.at_ms));
  /* Whether anything is left to read is known at once, if there is room for it. */
  if (is_draining(intake)) return is_full(intake) ? remaining_ms(intake, intake->stop.drain_until_ms) : 0;
  i64 wait = sooner(events_ms, engine_due_ms(&intake->engine, intake->now_ms));
  if (holdings->sources.busy_count > 0 && !is_full(intake))
    wait = sooner(wait, remaining_ms(intake, holdings->sources.pacing.busy_after_ms));
  if (awaits_slots(intake)) wait = sooner(wait, remaining_ms(intake, intake->watch.slots_since_ms + SLOT_WAIT_MS));
  if (is_full(intake) && !is_dropping(intake))
    wait = sooner(wait, remaining_ms(intake, intake->watch.full_since_ms + DATAGRAM_WAIT_MS));
  if (holdings->syslog.accept_after_ms > intake->now_ms)
    wait = sooner(wait, remaining_ms(intake, holdings->syslog.accept_after_ms));
  if (queue_wants_rewind(&holdings->queue))
    wait = sooner(wait, remaining_ms(intake, intake->watch.written_ms + QUIET_MS));
  return wait;
}

static i64 wait_us(const struct intake *intake, i64 events_ms) {
  i64 wait = wait_ms(intake, events_ms), us = wait < 0 ? wait : wait * 1000;
  u64 pause_until_us = intake->holdings.sources.pacing.pause_until_us;
  return pause_until_us > intake->now_us ? sooner(us, (i64)(pause_until_us - intake->now_us)) : us;
}

/* ---- handling ---- */

static void reap_engine(struct intake *intake) {
  struct engine *engine = &intake->engine;
  int status = 0;
  if (!engine_reap(engine, &status)) return;
  /* What it acknowledged before it died counts. */
  control_read(engine, &intake->holdings, intake->now_ms);
  engine_ended(engine, intake->now_ms);
  if (!is_stopping(intake))
    event_count(&intake->holdings.events, EVENT_ENGINE_EXITED, engine->exits, (u32)status, "", 0);
}

static void read_signals(struct intake *intake) {
  struct signalfd_siginfo info;
  while (sys_read(intake->signal_fd, &info, sizeof info) == sizeof info) {
    if (info.signo == SIGCHLD) reap_engine(intake);
    else if (info.signo != SIGHUP || !intake->is_daemon) intake->stop.is_wanted = true;
  }
}

/* Abandoned workers share the table of descriptors, so that their end is not the end of the descriptors. */
__attribute__((noreturn)) static void end_process(struct intake *intake) {
  if (guard_has_abandoned(&intake->guard)) closer_leave(&intake->guard.closer);
  sys_exit(0);
}

/* Another memlogd asks for everything. Exits if it has it; otherwise goes on. */
static void serve_takeover(struct intake *intake, const struct takeover_request *request) {
  int peer = request->peer;
  /* Our socket files are removed before the stop begins: a successor would have none. */
  bool is_ending = intake->stop.is_wanted || is_stopping(intake);
  bool is_allowed = !is_ending && intake->hands_over && takeover_is_allowed(request, &intake->holdings.listeners);
  if (request->proof >= 0) guard_close(&intake->guard, request->proof);
  if (is_allowed) {
    /* Readers meet no more than the death of an engine, without a word of a stop: they are kept, or come back. */
    control_hand_over(&intake->engine, &intake->holdings, intake->now_ms);
    events_flush(&intake->holdings.events, &intake->holdings.queue, intake->now_ms, true);
    bool has_ended = engine_end_now(&intake->engine, intake->now_ms);
    /* An order to stop that has come meanwhile is for this process. */
    read_signals(intake);
    if (has_ended && !intake->stop.is_wanted && takeover_send(&intake->holdings, peer)) end_process(intake);
  }
  guard_close(&intake->guard, peer);
  u32 why = !intake->hands_over ? TAKEOVER_FORBIDDEN : is_allowed ? TAKEOVER_BROKEN_OFF : TAKEOVER_REFUSED;
  event_count(&intake->holdings.events, EVENT_TAKEOVER_FAILED, 1, why, "", 0);
}

static void read_log_socket(struct intake *intake) {
  /* Where they have waited for long enough, they are refused. */
  bool may_wait = intake->watch.slots_since_ms == 0;
  struct takeover_request request =
      log_socket_read(&intake->log_socket, intake->holdings.listeners.log, &intake->holdings.sources, may_wait);
  if (request.peer >= 0) serve_takeover(intake, &request);
}

static void read_datagrams(struct intake *intake, u32 kind) {
  struct holdings *holdings = &intake->holdings;
  /* The queue may have become full in this very turn; the senders then still have their time. */
  if (is_full(intake) && !is_dropping(intake)) return;
  if (is_full(intake)) syslog_drop(&holdings->syslog, &holdings->listeners, &holdings->sources, kind);
  else syslog_read(&holdings->syslog, &holdings->listeners, &holdings->sources, kind);
}

static void note_reports(struct guard *guard) {
  u64 count;
  sys_read(guard->report_fd, &count, sizeof count);
  guard->has_reports = true;
}

static void handle(struct intake *intake, const struct pollfd *fds) {
  struct holdings *holdings = &intake->holdings;
  struct sources *sources = &holdings->sources;
  /* Nothing else was polled in this turn. Busy sources wait for the next one, or they would use up all new room. */
  bool was_full = is_full(intake);
  /* What makes room comes first, then what must never wait, then the rest. */
  if (fds[ON_CONTROL].revents != 0 && intake->engine.control == fds[ON_CONTROL].fd)
    control_read(&intake->engine, holdings, intake->now_ms);
  if (fds[ON_SIGNAL].revents != 0) read_signals(intake);
  if (fds[ON_REPORT].revents != 0) note_reports(&intake->guard);
  sources_handle_reports(sources, intake->now_ms);
  note_fullness(intake);
  /* Streams and datagrams take turns: otherwise a flood of datagrams could use up all the room of a small queue. */
  intake->streams_first = !intake->streams_first;
  if (intake->streams_first && fds[ON_SOURCES].revents != 0) sources_read(sources, intake->now_us);
  if (fds[ON_SYSLOG].revents != 0) read_datagrams(intake, SOURCE_KIND_SYSLOG_UNIX);
  if (fds[ON_UDP].revents != 0) read_datagrams(intake, SOURCE_KIND_SYSLOG_UDP);
  if (fds[ON_LOG].revents != 0) read_log_socket(intake);
  if (fds[ON_TCP].revents != 0) syslog_accept(&holdings->syslog, holdings->listeners.tcp, sources, intake->now_ms);
  if (fds[ON_KMSG].revents != 0 && holdings->listeners.kmsg >= 0)
    kmsg_read(&holdings->listeners.kmsg, holdings->kmsg_slot, sources);
  if (!was_full && !is_stopping(intake)) sources_read_busy(sources, intake->now_ms);
  if (!intake->streams_first && fds[ON_SOURCES].revents != 0) sources_read(sources, intake->now_us);
}

static void rewind_when_quiet(struct intake *intake) {
  struct queue *queue = &intake->holdings.queue;
  if (queue->head != intake->watch.written_head) {
    intake->watch.written_head = queue->head;
    intake->watch.written_ms = intake->now_ms;
  }
  bool is_quiet = intake->now_ms >= intake->watch.written_ms + QUIET_MS;
  if (is_quiet && queue_wants_rewind(queue)) queue_rewind(queue);
}

/* ---- stop ---- */

/* What waits in the sources is still to be stored. No path leads here any more. */
static void begin_drain(struct intake *intake) {
  listeners_unlink(&intake->holdings.listeners);
  intake->stop.drain_until_ms = intake->now_ms + DRAIN_MS;
}

/* Whether nothing is left to read, or the time for it is over. `head`: of the queue, before this turn. */
static bool is_drained(const struct intake *intake, bool could_read, u64 head) {
  bool found_nothing = could_read && intake->holdings.queue.head == head;
  return found_nothing || intake->now_ms >= intake->stop.drain_until_ms;
}

/* The engine stores what is in the queue, and ends. What is left elsewhere is counted. */
static void begin_stop(struct intake *intake) {
  struct holdings *holdings = &intake->holdings;
  struct unread *unread = &intake->stop.unread;
  struct events *events = &holdings->events;
  if (sources_count_unread(&holdings->sources, unread))
    event_count(events, EVENT_UNREAD, unread->bytes < U32_MAX ? (u32)unread->bytes : U32_MAX, unread->sources,
                unread->names.at, unread->names.bytes);
  for (u32 turn = 0; turn < LAST_DROPS_MAX; turn++) {
    syslog_drop(&holdings->syslog, &holdings->listeners, &holdings->sources, SOURCE_KIND_SYSLOG_UNIX);
    syslog_drop(&holdings->syslog, &holdings->listeners, &holdings->sources, SOURCE_KIND_SYSLOG_UDP);
  }
  event_count(events, EVENT_STOPPING, 1, (u32)sys_getpid(), "", 0);
  intake->stop.at_ms = intake->now_ms + STOP_MS;
  events_flush(events, &holdings->queue, intake->now_ms, true);
  control_stop(&intake->engine, &holdings->queue);
}

static void exit_if_stopped(struct intake *intake) {
  if (!is_stopping(intake)) return;
  if (intake->engine.pid != 0 && intake->now_ms < intake->stop.at_ms) return;
  engine_kill(&intake->engine);
  end_process(intake);
}

/* ---- the loop ---- */

/* Returns in how many milliseconds it is due again, or -1. */
static i64 look_at_closer(struct intake *intake) {
  struct closer *closer = &intake->guard.closer;
  bool was_stuck = closer->is_stuck;
  i64 due_ms = closer_look(closer, intake->now_ms);
  if (closer->is_stuck && !was_stuck)
    event_count(&intake->holdings.events, EVENT_CLOSING_BLOCKED, 1, CLOSER_THREADS_MAX, "", 0);
  return due_ms;
}

static void turn(struct intake *intake) {
  struct holdings *holdings = &intake->holdings;
  struct pollfd fds[ON_COUNT];
  update_clock(intake);
  note_fullness(intake);
  note_slots(intake);
  u64 head = holdings->queue.head;
  bool could_read = !is_full(intake);
  if (is_draining(intake)) holdings->sources.pacing = (struct pacing){0, 0, 0};
  if (!is_stopping(intake)) engine_start_if_due(&intake->engine, holdings, intake->now_ms);
  engine_check_stall(&intake->engine, &holdings->events, intake->now_ms);
  i64 look_ms = look_at_closer(intake);
  i64 events_ms = events_flush(&holdings->events, &holdings->queue, intake->now_ms, is_stopping(intake));
  rewind_when_quiet(intake);
  control_notify(&intake->engine, &holdings->queue, intake->now_ms);
  check_invariants(holdings, &intake->engine);
  choose(intake, fds);
  sys_poll_us(fds, ON_COUNT, wait_us(intake, sooner(events_ms, look_ms)));
  update_clock(intake);
  handle(intake, fds);
  if (is_draining(intake) && is_drained(intake, could_read, head)) begin_stop(intake);
  if (intake->stop.is_wanted && intake->stop.drain_until_ms == 0) begin_drain(intake);
  exit_if_stopped(intake);
}

/* A worker was abandoned in this operation: its successor notes what that means. */
static void note_abandoned(struct intake *intake, const struct operation *operation, struct worker *worker) {
  struct holdings *holdings = &intake->holdings;
  if (operation->event != 0 && !operation->counts_result)
    event_count(&holdings->events, operation->event, 1, operation->event_argument, operation->text,
                operation->text_bytes);
  if (operation->token != 0) source_report_unopened(&holdings->sources, operation->token, ETIMEDOUT);
  source_leave_alone(&holdings->sources, operation);
  guard_acknowledge(worker);
  log_socket_adopt(&intake->log_socket, &holdings->sources);
}

static void run_loop(void *context, const struct operation *abandoned, struct worker *worker) {
  struct intake *intake = context;
  if (abandoned != NULL) note_abandoned(intake, abandoned, worker);
  for (;;) turn(intake);
}

__attribute__((noreturn)) void intake_run(struct intake *intake) {
  struct holdings *holdings = &intake->holdings;
  sys_prctl(PR_SET_NAME, (long)(uintptr_t) "memlogd");
  u32 taken_from = holdings->taken_from;
  if (taken_from == 0) event_count(&holdings->events, EVENT_STARTED, 1, (u32)sys_getpid(), "", 0);
  else event_count(&holdings->events, EVENT_TAKEN_OVER, 1, taken_from, "", 0);
  if (!filters_are_known()) event_count(&holdings->events, EVENT_FILTER_UNAVAILABLE, 1, 0, "", 0);
  events_flush(&holdings->events, &holdings->queue, intake->now_ms, false);
  syslog_start(&holdings->syslog, &holdings->listeners, &holdings->sources);
  kmsg_start(&holdings->listeners.kmsg, intake->kmsg_path, &holdings->kmsg_slot, &holdings->sources);
  guard_run(&intake->guard, run_loop, intake);
}
