/* The engine as a process: started, watched, started again. */
#include "intake.h"

/* Descriptors are first moved up here, so that putting one in its place can't overwrite another. */
#define PARKING_FD 16
/* An engine that closed its control stream is ending; how long it may take, so that its own status is known. */
#define END_MS 500
/* Variables of our own environment that the engine gets. */
#define ENGINE_ENVIRONMENT_MAX 1024

static void write_file(const char *path, const char *text) {
  int fd = sys_open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  sys_write(fd, text, string_bytes(text));
  sys_close(fd);
}

static void place_descriptor(int from, int to) {
  if (from < 0) {
    sys_close(to);
    return;
  }
  sys_dup3(from, to, 0);
}

/*
 * The engine lives for ever in as little memory as it can: its C library is to give memory back that is no longer used, and
 * to keep one heap for all threads. Variables are for the library alone to read, at its very start.
 */
static void become_engine(const struct process *process, char *const *args, struct text *error) {
  char *environment[ENGINE_ENVIRONMENT_MAX + 4];
  struct process engine = *process;
  u32 count = 0;
  environment[count++] = (char *)"MALLOC_ARENA_MAX=1";
  environment[count++] = (char *)"MALLOC_MMAP_THRESHOLD_=32768";
  environment[count++] = (char *)"MALLOC_TRIM_THRESHOLD_=65536";
  for (char **at = process->environment; *at != NULL && count < ENGINE_ENVIRONMENT_MAX + 3; at++) environment[count++] = *at;
  environment[count] = NULL;
  engine.environment = environment;
  text_add(error, error_text(become_role(&engine, ROLE_ENGINE, args)));
}

static int park(int fd) { return fd < 0 ? -1 : sys_fcntl(fd, F_DUPFD_CLOEXEC, PARKING_FD); }

__attribute__((noreturn)) static void engine_child(struct intake *intake, int control, int output) {
  int input = park(intake->null_fd), queue = park(intake->queue.readable_fd), ring = park(intake->ring_fd);
  int query = park(intake->listeners.query), docker = park(intake->listeners.docker);
  control = park(control);
  output = park(output);
  place_descriptor(input, 0);
  place_descriptor(output, 1);
  place_descriptor(output, 2);
  place_descriptor(control, ENGINE_CONTROL_FD);
  place_descriptor(queue, ENGINE_QUEUE_FD);
  place_descriptor(ring, ENGINE_RING_FD);
  place_descriptor(query, ENGINE_QUERY_FD);
  place_descriptor(docker, ENGINE_DOCKER_FD);
  if (sys_close_range(ENGINE_DOCKER_FD + 1, 0xffffffff) < 0)
    for (int fd = ENGINE_DOCKER_FD + 1; fd < SOURCES_MAX + 2 * OWN_DESCRIPTORS_MAX; fd++) sys_close(fd);
  write_file("/proc/self/oom_score_adj", "0");
  sys_set_signal(SIGPIPE, intake->process->sigpipe);
  sys_set_signal(SIGCHLD, SIG_DFL);
  sys_sigprocmask(SIG_SETMASK, &intake->mask, NULL);
  char *const args[] = {(char *)intake->engine_options, NULL};
  struct text text;
  text_start(&text, "the engine could not be started: ");
  become_engine(intake->process, args, &text);
  text_say(&text, 2);
  sys_exit(127);
}

static void schedule(struct intake *intake) {
  struct engine *engine = &intake->engine;
  engine->start_at_ms = intake->now_ms + engine->wait_ms;
  engine->wait_ms = engine->wait_ms * 2 < ENGINE_RESTART_MS_MAX ? engine->wait_ms * 2 : ENGINE_RESTART_MS_MAX;
}

static void engine_start(struct intake *intake) {
  struct engine *engine = &intake->engine;
  int control[2] = {-1, -1}, output[2] = {-1, -1};
  if (sys_socketpair(SOCK_STREAM | SOCK_CLOEXEC, control) < 0) return schedule(intake);
  if (sys_pipe2(output, O_CLOEXEC) < 0) output[0] = output[1] = -1;
  int pid = sys_fork();
  if (pid == 0) engine_child(intake, control[1], output[1] >= 0 ? output[1] : intake->null_fd);
  sys_close(control[1]);
  if (output[1] >= 0) sys_close(output[1]);
  if (pid < 0) {
    sys_close(control[0]);
    if (output[0] >= 0) sys_close(output[0]);
    return schedule(intake);
  }
  engine->pid = pid;
  engine->control = control[0];
  engine->is_synced = engine->is_rung = engine->is_stopping = false;
  engine->bytes = 0;
  engine->progress_ms = intake->now_ms;
  if (output[0] >= 0) source_adopt(intake, output[0], SOURCE_KIND_ENGINE_OUTPUT, 0, "memlogd.engine", 14);
}

void engine_start_if_due(struct intake *intake) {
  struct engine *engine = &intake->engine;
  if (engine->pid == 0 && intake->stop_at_ms == 0 && intake->now_ms >= engine->start_at_ms) engine_start(intake);
}

static void disconnect(struct intake *intake) {
  struct engine *engine = &intake->engine;
  if (engine->control >= 0) sys_close(engine->control);
  engine->control = -1;
  engine->is_synced = engine->is_rung = false;
  engine->progress_ms = intake->now_ms;
}

void engine_ends(struct intake *intake) { disconnect(intake); }

void engine_kill(struct intake *intake) {
  disconnect(intake);
  if (intake->engine.pid > 0) sys_kill(intake->engine.pid, SIGKILL);
}

bool engine_end_now(struct intake *intake) {
  struct engine *engine = &intake->engine;
  u64 limit = clock_ms() + END_MS;
  /* What it still acknowledged counts. */
  if (engine->control >= 0) control_read(intake);
  engine_kill(intake);
  while (engine->pid > 0 && sys_wait(engine->pid, NULL, WNOHANG) == 0) {
    if (clock_ms() >= limit) return false;
    sys_poll(NULL, 0, 1);
  }
  engine->pid = 0;
  engine->start_at_ms = intake->now_ms;
  return true;
}

void engine_check_stall(struct intake *intake) {
  struct engine *engine = &intake->engine;
  if (engine->pid == 0) return;
  if (engine->control < 0) {
    if (intake->now_ms >= engine->progress_ms + END_MS) engine_kill(intake);
    return;
  }
  u64 limit = engine->is_synced ? ENGINE_STALL_MS : ENGINE_START_MS;
  bool is_waiting = engine->is_rung || !engine->is_synced;
  if (!is_waiting || intake->now_ms < engine->progress_ms + limit) return;
  event_count(intake, EVENT_ENGINE_STALLED, 1, (u32)limit, "", 0);
  engine_kill(intake);
}

i64 engine_due_ms(const struct intake *intake) {
  const struct engine *engine = &intake->engine;
  u64 due;
  if (engine->pid == 0) due = engine->start_at_ms;
  else if (engine->control < 0) due = engine->progress_ms + END_MS;
  else if (engine->is_rung || !engine->is_synced)
    due = engine->progress_ms + (engine->is_synced ? ENGINE_STALL_MS : ENGINE_START_MS);
  else return -1;
  return due > intake->now_ms ? (i64)(due - intake->now_ms) : 0;
}

void engine_reap(struct intake *intake) {
  struct engine *engine = &intake->engine;
  int status = 0, pid;
  while ((pid = sys_wait(-1, &status, WNOHANG)) > 0) {
    if (pid != engine->pid) continue;
    /* What it still acknowledged counts: read it, then close. */
    if (engine->control >= 0) control_read(intake);
    disconnect(intake);
    engine->pid = 0;
    engine->exits++;
    if (intake->stop_at_ms == 0) event_count(intake, EVENT_ENGINE_EXITED, engine->exits, (u32)status, "", 0);
    schedule(intake);
  }
}
