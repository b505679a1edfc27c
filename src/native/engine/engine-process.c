/* The engine as a process; see engine-process.h. */
#include "engine/engine-process.h"

/* Those that the engine is started with have the numbers below this. */
#define ENGINE_DESCRIPTORS (ENGINE_DOCKER_STATE_FD + 1)
/* Descriptors are first moved up here, so that putting one in its place can't overwrite another. */
#define PARKING_FD 16
#define READERS_END_FD (ENGINE_READERS_FD + KEPT_READERS_MAX)
/* When memory runs out, the engine goes before what runs at 0: another one continues. Raising it needs no right. */
#define ENGINE_OOM_SCORE "500"
/* How long an engine that closed its control stream may take to end, so that its own exit status is seen. */
#define END_MS 500
/* Variables of our own environment that the engine inherits. */
#define ENGINE_ENVIRONMENT_MAX 1024
/* Beyond so many sources that have ended and are not stored, the output of engines is not a source. */
#define UNSTORED_ENDS_MAX 64
/* Without close_range(2), descriptors up to here are closed. */
#define DESCRIPTORS_MAX (SOURCES_MAX + 128)

/* ---- start ---- */

static void write_file(const char *path, const char *text) {
  int fd = sys_open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  sys_write(fd, text, string_bytes(text));
  sys_close(fd);
}

static int park(int fd, int above) { return fd < 0 ? -1 : sys_fcntl(fd, F_DUPFD_CLOEXEC, above); }

static void place_descriptor(int from, int to) {
  if (from < 0) sys_close(to);
  else sys_dup3(from, to, 0);
}

/*
 * The engine runs for ever in as little memory as possible: its C library is to return unused memory, and to keep one
 * heap for all threads. Only the library reads these variables, when it starts.
 */
static int become_engine(const struct process *process, char *const *args) {
  char *environment[ENGINE_ENVIRONMENT_MAX + 4];
  struct process engine = *process;
  u32 count = 0;
  environment[count++] = (char *)"MALLOC_ARENA_MAX=1";
  environment[count++] = (char *)"MALLOC_MMAP_THRESHOLD_=32768";
  environment[count++] = (char *)"MALLOC_TRIM_THRESHOLD_=65536";
  for (char **at = process->environment; *at != NULL && count < ENGINE_ENVIRONMENT_MAX + 3; at++)
    environment[count++] = *at;
  environment[count] = NULL;
  engine.environment = environment;
  return become_role(&engine, ROLE_ENGINE, args);
}

/* The engine's descriptors by their final number; -1: closed. */
static void place_descriptors(const struct engine_launch *launch, const struct holdings *holdings, int control,
                              int output) {
  int readers[KEPT_READERS_MAX];
  int fds[ENGINE_DESCRIPTORS] = {
      [0] = launch->empty_fd,
      [1] = output,
      [2] = output,
      [ENGINE_CONTROL_FD] = control,
      [ENGINE_QUEUE_FD] = holdings->queue.readable_fd,
      [ENGINE_RING_FD] = holdings->ring_fd,
      [ENGINE_QUERY_FD] = holdings->listeners.query,
      [ENGINE_DOCKER_FD] = holdings->listeners.docker,
      [ENGINE_DOCKER_STATE_FD] = launch->docker_state_fd,
  };
  for (u32 at = 0; at < KEPT_READERS_MAX; at++) readers[at] = park(holdings->readers.fds[at], READERS_END_FD);
  for (int fd = 0; fd < ENGINE_DESCRIPTORS; fd++) fds[fd] = park(fds[fd], PARKING_FD);
  for (int fd = 0; fd < ENGINE_DESCRIPTORS; fd++) place_descriptor(fds[fd], fd);
  for (int at = 0; at < KEPT_READERS_MAX; at++) place_descriptor(readers[at], ENGINE_READERS_FD + at);
  if (sys_close_range(READERS_END_FD, 0xffffffff) < 0)
    for (int fd = READERS_END_FD; fd < DESCRIPTORS_MAX; fd++) sys_close(fd);
}

__attribute__((noreturn)) static void engine_child(const struct engine_launch *launch, const struct holdings *holdings,
                                                   int control, int output) {
  place_descriptors(launch, holdings, control, output);
  /* Signals of the terminal, or to the process group, are for the intake: it lets the engine store everything first. */
  sys_setpgid(0, 0);
  write_file("/proc/self/oom_score_adj", ENGINE_OOM_SCORE);
  sys_set_signal(SIGPIPE, launch->process->sigpipe);
  sys_set_signal(SIGCHLD, SIG_DFL);
  sys_sigprocmask(SIG_SETMASK, &launch->signal_mask, NULL);
  char *const args[] = {(char *)launch->options, (char *)launch->user, NULL};
  /* Cleared when the engine changes its user, and set again then. */
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct text text;
  text_start(&text, "the engine could not be started: ");
  text_add(&text, error_text(become_engine(launch->process, args)));
  text_print(&text, 2);
  sys_exit(127);
}

struct start {
  const struct engine_launch *launch;
  const struct holdings *holdings;
  int control, output, pid;
};

static void fork_engine(void *argument) {
  struct start *start = argument;
  start->pid = sys_fork();
  if (start->pid == 0) engine_child(start->launch, start->holdings, start->control, start->output);
}

static void schedule(struct engine *engine, u64 now_ms) {
  engine->start_at_ms = now_ms + engine->wait_ms;
  engine->wait_ms = engine->wait_ms * 2 < ENGINE_RESTART_MS_MAX ? engine->wait_ms * 2 : ENGINE_RESTART_MS_MAX;
}

static void engine_start(struct engine *engine, struct holdings *holdings, u64 now_ms) {
  int control[2] = {-1, -1}, output[2] = {-1, -1};
  if (sys_socketpair(SOCK_STREAM | SOCK_CLOEXEC, control) < 0) return schedule(engine, now_ms);
  /* Slots stay in use until an engine has stored their end: those that can't even start must not use up all. */
  bool has_room = holdings->sources.ended.count < UNSTORED_ENDS_MAX;
  if (!has_room || sys_pipe2(output, O_CLOEXEC) < 0) output[0] = output[1] = -1;
  struct start start = {&engine->launch, holdings, control[1], output[1], 0};
  if (start.output < 0) start.output = engine->launch.empty_fd;
  guard_call(holdings->sources.guard, fork_engine, &start);
  int pid = start.pid;
  sys_close(control[1]);
  if (output[1] >= 0) sys_close(output[1]);
  if (pid < 0) {
    sys_close(control[0]);
    if (output[0] >= 0) sys_close(output[0]);
    return schedule(engine, now_ms);
  }
  engine->pid = pid;
  engine->control = control[0];
  engine->is_synced = engine->is_notified = engine->is_stopping = engine->hands_over = false;
  engine->bytes = 0;
  engine->progress_ms = now_ms;
  if (output[0] >= 0) source_adopt(&holdings->sources, output[0], SOURCE_KIND_ENGINE_OUTPUT, 0, "memlogd.engine", 14);
}

void engine_reset(struct engine *engine) {
  engine->control = -1;
  engine->wait_ms = ENGINE_RESTART_MS;
}

void engine_start_if_due(struct engine *engine, struct holdings *holdings, u64 now_ms) {
  if (engine->pid == 0 && now_ms >= engine->start_at_ms) engine_start(engine, holdings, now_ms);
}

/* ---- end ---- */

void engine_disconnect(struct engine *engine) {
  if (engine->control >= 0) sys_close(engine->control);
  engine->control = -1;
  engine->is_synced = engine->is_notified = false;
  engine->progress_ms = clock_ms();
}

void engine_kill(struct engine *engine) {
  engine_disconnect(engine);
  if (engine->pid > 0) sys_kill(engine->pid, SIGKILL);
}

bool engine_end_now(struct engine *engine, u64 now_ms) {
  u64 limit = clock_ms() + END_MS;
  engine_kill(engine);
  while (engine->pid > 0 && sys_wait(engine->pid, NULL, WNOHANG) == 0) {
    if (clock_ms() >= limit) return false;
    sys_poll(NULL, 0, 1);
  }
  engine->pid = 0;
  engine->start_at_ms = now_ms;
  return true;
}

bool engine_reap(struct engine *engine, int *status) {
  bool has_ended = false;
  int pid, found = 0;
  while ((pid = sys_wait(-1, &found, WNOHANG)) > 0) {
    if (pid != engine->pid) continue;
    /* The kernel may give the number to another process now: it must not be killed, nor asked about. */
    engine->pid = 0;
    has_ended = true;
    *status = found;
  }
  return has_ended;
}

void engine_ended(struct engine *engine, u64 now_ms) {
  engine_disconnect(engine);
  engine->exits++;
  schedule(engine, now_ms);
}

/* ---- watch ---- */

/* How long a connected engine may take for what it is doing; 0: it does nothing. */
static u64 stall_limit_ms(const struct engine *engine) {
  if (!engine->is_synced) return ENGINE_START_MS;
  return engine->is_notified ? ENGINE_STALL_MS : 0;
}

void engine_check_stall(struct engine *engine, struct events *events, u64 now_ms) {
  if (engine->pid == 0) return;
  if (engine->control < 0) {
    if (now_ms >= engine->progress_ms + END_MS) engine_kill(engine);
    return;
  }
  u64 limit = stall_limit_ms(engine);
  if (limit == 0 || now_ms < engine->progress_ms + limit) return;
  event_count(events, EVENT_ENGINE_STALLED, 1, (u32)limit, "", 0);
  engine_kill(engine);
}

i64 engine_due_ms(const struct engine *engine, u64 now_ms) {
  u64 due_ms = engine->start_at_ms;
  if (engine->pid != 0) {
    u64 limit = engine->control < 0 ? END_MS : stall_limit_ms(engine);
    if (limit == 0) return -1;
    due_ms = engine->progress_ms + limit;
  }
  return due_ms > now_ms ? (i64)(due_ms - now_ms) : 0;
}
