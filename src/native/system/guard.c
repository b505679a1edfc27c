/* Threads that survive operations that block; see guard.h. */
#include "system/guard.h"

#include "system/text.h"

/* The watching thread looks this often, as long as there are operations. */
#define SAMPLE_MS 50
/* A worker is abandoned if it is in the same operation at this many looks in a row, */
#define SAME_OPERATION_MAX 4
/* or if it is blocked, in whatever operation, at this many of the last SAMPLES looks. */
#define BLOCKED_MAX 8
#define SAMPLES 16

/* ---- threads ---- */

__attribute__((noreturn)) static void end_thread(struct worker *worker) {
  __atomic_store_n(&worker->state, WORKER_FREE, __ATOMIC_RELEASE);
  for (;;) sys_exit_thread();
}

static void wait_while(u32 *at, u32 value) {
  while (__atomic_load_n(at, __ATOMIC_ACQUIRE) == value) sys_futex_wait(at, value);
}

static void set_state(struct worker *worker, u32 state) {
  __atomic_store_n(&worker->state, state, __ATOMIC_RELEASE);
  sys_futex_wake(&worker->state);
}

/* Runs the loop, after what another worker has left. */
__attribute__((noreturn)) static void run_worker(struct worker *worker, const struct operation *abandoned) {
  struct guard *guard = worker->guard;
  worker->tid = sys_gettid();
  guard->run(guard->context, abandoned, abandoned == NULL ? NULL : abandoned->worker);
  end_thread(worker);
}

static void thread_main(void *argument) {
  struct worker *worker = argument;
  run_worker(worker, worker->operation);
}

static struct worker *free_worker(struct guard *guard) {
  for (u32 n = 0; n < WORKERS_MAX; n++) {
    struct worker *worker = &guard->workers[n];
    bool is_free = __atomic_load_n(&worker->state, __ATOMIC_ACQUIRE) == WORKER_FREE;
    if (is_free && thread_has_ended(&worker->thread)) return worker;
  }
  return NULL;
}

/* Makes `worker` the intake. `abandoned` is what its predecessor is in. False if there can be no thread. */
static bool start_worker(struct guard *guard, struct worker *worker, const struct operation *abandoned) {
  worker->guard = guard;
  worker->state = WORKER_RUNS;
  worker->operation = abandoned;
  guard->worker = worker;
  return thread_start(&worker->thread, thread_main, worker);
}

/* ---- operations ---- */

void guard_begin(struct guard *guard, struct operation *operation) {
  operation->worker = guard->worker;
  if (!guard->is_watched) return;
  operation->worker->operation = operation;
  operation->turn = guard->turn + 1;
  __atomic_store_n(&guard->turn, operation->turn, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&guard->is_asleep, __ATOMIC_SEQ_CST) == 0) return;
  __atomic_store_n(&guard->is_asleep, 0, __ATOMIC_SEQ_CST);
  sys_futex_wake(&guard->is_asleep);
}

long guard_end(struct guard *guard, struct operation *operation, long result) {
  struct worker *worker = operation->worker;
  u64 turn = operation->turn;
  /* Without a watching thread `turn` is 0: nobody else is the intake. */
  if (turn == 0) return result;
  bool is_intake =
      __atomic_compare_exchange_n(&guard->turn, &turn, turn + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  if (is_intake) return result;
  wait_while(&worker->state, WORKER_RUNS);
  if (operation->finish != NULL) operation->finish(worker, result);
  end_thread(worker);
}

u8 *guard_buffers(struct guard *guard, u32 *count) {
  struct worker *worker = guard->worker;
  if (worker->buffers == NULL) worker->buffers = sys_memory((size_t)WORKER_BUFFERS * WORKER_BUFFER_BYTES);
  *count = worker->buffers == NULL ? 1 : WORKER_BUFFERS;
  return worker->buffers == NULL ? worker->buffer : worker->buffers;
}

void guard_call(struct guard *guard, void (*call)(void *), void *argument) {
  if (!guard->is_watched) return call(argument);
  guard->call = call;
  guard->call_argument = argument;
  __atomic_store_n(&guard->has_call, 1, __ATOMIC_SEQ_CST);
  sys_futex_wake(&guard->has_call);
  __atomic_store_n(&guard->is_asleep, 0, __ATOMIC_SEQ_CST);
  sys_futex_wake(&guard->is_asleep);
  wait_while(&guard->has_call, 1);
}

void guard_close(struct guard *guard, int fd) { closer_add(&guard->closer, fd); }

void guard_acknowledge(struct worker *worker) {
  worker->since_ms = clock_ms();
  set_state(worker, WORKER_ALONE);
}

void guard_answer(struct worker *worker, enum worker_state answer) { set_state(worker, answer); }

enum worker_state guard_report(struct worker *worker, long result) {
  u64 one = 1;
  worker->result = result;
  __atomic_store_n(&worker->state, WORKER_REPORTS, __ATOMIC_RELEASE);
  sys_write(worker->guard->report_fd, &one, sizeof one);
  wait_while(&worker->state, WORKER_REPORTS);
  return __atomic_load_n(&worker->state, __ATOMIC_ACQUIRE);
}

bool guard_has_abandoned(const struct guard *guard) {
  if (__atomic_load_n(&guard->closer.running, __ATOMIC_ACQUIRE) > 0) return true;
  for (u32 n = 0; n < WORKERS_MAX; n++)
    if (__atomic_load_n(&guard->workers[n].state, __ATOMIC_ACQUIRE) > WORKER_RUNS) return true;
  return false;
}

/* ---- the watching thread ---- */

/* Whether the thread waits inside the kernel, from /proc/self/task/TID/stat (proc(5)): the letter after the name. */
static bool is_blocked(u32 tid) {
  struct text path;
  char line[64];
  text_start(&path, "/proc/self/task/");
  text_number(&path, tid);
  text_add(&path, "/stat");
  int fd = sys_open(path.at, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  long got = sys_read(fd, line, sizeof line);
  sys_close(fd);
  for (long at = 0; at + 2 < got; at++)
    if (line[at] == ')') return line[at + 2] == 'D' || line[at + 2] == 'S';
  return false;
}

/* Another worker takes over the loop, while the present one is in the operation of this turn. */
static void replace_worker(struct guard *guard, u64 turn) {
  struct worker *next = free_worker(guard);
  if (next == NULL) return;
  const struct operation *operation = guard->worker->operation;
  if (!__atomic_compare_exchange_n(&guard->turn, &turn, turn + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
  if (start_worker(guard, next, operation)) return;
  /* No thread is left: this one becomes the intake, and nobody watches it. */
  guard->is_watched = false;
  run_worker(next, operation);
}

static void sleep_until_operation(struct guard *guard, u64 turn) {
  __atomic_store_n(&guard->is_asleep, 1, __ATOMIC_SEQ_CST);
  bool is_idle = __atomic_load_n(&guard->turn, __ATOMIC_SEQ_CST) == turn;
  if (is_idle && __atomic_load_n(&guard->has_call, __ATOMIC_SEQ_CST) == 0) wait_while(&guard->is_asleep, 1);
  __atomic_store_n(&guard->is_asleep, 0, __ATOMIC_SEQ_CST);
}

struct samples {
  u64 turn;           /* at the last look */
  u32 same_operation; /* looks in a row at which the worker was in the same operation */
  u32 blocked;        /* a bit for each of the last looks: the worker was blocked in an operation */
};

static u32 count_bits(u32 bits) {
  u32 count = 0;
  for (; bits != 0; bits &= bits - 1) count++;
  return count;
}

/* Looks once, and replaces a worker that is blocked for too long. */
static void look(struct guard *guard, struct samples *samples) {
  u64 turn = __atomic_load_n(&guard->turn, __ATOMIC_ACQUIRE);
  bool is_inside = turn % 2 == 1, is_same = is_inside && turn == samples->turn;
  samples->turn = turn;
  samples->same_operation = is_same ? samples->same_operation + 1 : 0;
  samples->blocked = samples->blocked << 1 & ((1u << SAMPLES) - 1);
  if (is_inside && is_blocked(guard->worker->tid)) samples->blocked |= 1;
  bool is_often_blocked = (samples->blocked & 1) != 0 && count_bits(samples->blocked) >= BLOCKED_MAX;
  if (samples->same_operation < SAME_OPERATION_MAX && !is_often_blocked) return;
  replace_worker(guard, turn);
  *samples = (struct samples){0, 0, 0};
}

/* False if there was nothing to call. */
static bool serve_call(struct guard *guard) {
  if (__atomic_load_n(&guard->has_call, __ATOMIC_ACQUIRE) == 0) return false;
  guard->call(guard->call_argument);
  __atomic_store_n(&guard->has_call, 0, __ATOMIC_RELEASE);
  sys_futex_wake(&guard->has_call);
  return true;
}

bool guard_prepare(struct guard *guard) {
  guard->report_fd = sys_eventfd();
  guard->worker = &guard->workers[0];
  return guard->report_fd >= 0;
}

__attribute__((noreturn)) void guard_run(struct guard *guard,
                                         void (*run)(void *, const struct operation *, struct worker *),
                                         void *context) {
  struct samples samples = {0, 0, 0};
  guard->run = run;
  guard->context = context;
  guard->is_watched = true;
  if (!start_worker(guard, guard->worker, NULL)) {
    guard->is_watched = false;
    run_worker(guard->worker, NULL);
  }
  for (;;) {
    sys_futex_wait_ms(&guard->has_call, 0, SAMPLE_MS);
    if (serve_call(guard)) continue;
    u64 before = samples.turn;
    look(guard, &samples);
    bool is_idle = samples.turn == before && samples.turn % 2 == 0 && samples.blocked == 0;
    if (is_idle) sleep_until_operation(guard, samples.turn);
  }
}
