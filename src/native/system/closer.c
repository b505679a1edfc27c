/* Closes descriptors of other processes; see closer.h. */
#include "system/closer.h"

/* A thread that closes nothing for this long hangs. */
#define PATIENCE_MS 50
/* How often a closer whose threads all hang is looked at. */
#define STUCK_LOOK_MS 1000

static i32 waiting(const struct closer *closer) { return __atomic_load_n(&closer->waiting, __ATOMIC_SEQ_CST); }

/* The thread that takes a descriptor clears its bit: once it is closed, the number may be somebody else's. */
static int take(struct closer *closer) {
  for (u32 word = 0; word < CLOSER_DESCRIPTORS_MAX / 64; word++) {
    u64 bits = __atomic_load_n(&closer->descriptors[word], __ATOMIC_ACQUIRE);
    if (bits == 0) continue;
    u32 bit = (u32)__builtin_ctzll(bits);
    u64 before = __atomic_fetch_and(&closer->descriptors[word], ~(1ull << bit), __ATOMIC_ACQ_REL);
    if ((before >> bit & 1) == 0) return take(closer);
    __atomic_sub_fetch(&closer->waiting, 1, __ATOMIC_SEQ_CST);
    return (int)(word * 64 + bit);
  }
  return -1;
}

static void close_waiting(struct closer *closer) {
  int fd;
  while (waiting(closer) > 0 && (fd = take(closer)) >= 0) {
    sys_close(fd);
    __atomic_add_fetch(&closer->closed, 1, __ATOMIC_RELAXED);
  }
}

/* Whether the caller is to run the first thread. */
static bool is_first(struct closer *closer) {
  u32 none = 0;
  return __atomic_compare_exchange_n(&closer->running, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void thread_main(void *argument) {
  struct closing_thread *thread = argument;
  struct closer *closer = thread->closer;
  do {
    close_waiting(closer);
    __atomic_sub_fetch(&closer->running, 1, __ATOMIC_SEQ_CST);
    /* A descriptor that was added before that found this thread running, and started no other one. */
  } while (waiting(closer) > 0 && is_first(closer));
  __atomic_store_n(&thread->is_running, 0, __ATOMIC_RELEASE);
  sys_exit_thread();
}

/* It has been counted as running. False if no thread is left; then it is no longer counted. */
static bool start_thread(struct closer *closer) {
  for (u32 n = 0; n < CLOSER_THREADS_MAX; n++) {
    struct closing_thread *thread = &closer->threads[n];
    bool is_free = __atomic_load_n(&thread->is_running, __ATOMIC_ACQUIRE) == 0 && thread_has_ended(&thread->thread);
    if (!is_free) continue;
    thread->closer = closer;
    thread->is_running = 1;
    if (thread_start(&thread->thread, thread_main, thread)) return true;
    thread->is_running = 0;
    break;
  }
  __atomic_sub_fetch(&closer->running, 1, __ATOMIC_SEQ_CST);
  return false;
}

void closer_add(struct closer *closer, int fd) {
  if (fd >= CLOSER_DESCRIPTORS_MAX) {
    sys_close(fd);
    return;
  }
  __atomic_add_fetch(&closer->waiting, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_or(&closer->descriptors[fd / 64], 1ull << (fd % 64), __ATOMIC_SEQ_CST);
  if (!is_first(closer)) return;
  /* Where there can be no threads, this one waits. */
  if (!start_thread(closer)) close_waiting(closer);
}

i64 closer_look(struct closer *closer, u64 now_ms) {
  u64 closed = __atomic_load_n(&closer->closed, __ATOMIC_RELAXED);
  bool has_moved = closer->looked_ms == 0 || closed != closer->seen_closed;
  if (waiting(closer) <= 0) {
    closer->looked_ms = 0;
    closer->is_stuck = false;
    return -1;
  }
  u64 look_ms = closer->is_stuck ? STUCK_LOOK_MS : PATIENCE_MS;
  if (!has_moved && now_ms < closer->looked_ms + look_ms) return (i64)(closer->looked_ms + look_ms - now_ms);
  closer->looked_ms = now_ms;
  closer->seen_closed = closed;
  closer->is_stuck = false;
  if (has_moved) return PATIENCE_MS;
  __atomic_add_fetch(&closer->running, 1, __ATOMIC_SEQ_CST);
  closer->is_stuck = !start_thread(closer);
  return closer->is_stuck ? STUCK_LOOK_MS : PATIENCE_MS;
}

void closer_leave(const struct closer *closer) {
  u32 first = 3;
  for (u32 fd = first; fd < CLOSER_DESCRIPTORS_MAX; fd++) {
    u64 bits = __atomic_load_n(&closer->descriptors[fd / 64], __ATOMIC_ACQUIRE);
    if ((bits >> (fd % 64) & 1) == 0) continue;
    if (fd > first) sys_close_range(first, fd - 1);
    first = fd + 1;
  }
  sys_close_range(first, 0xffffffff);
}
