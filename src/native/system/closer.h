/*
 * Closes descriptors of other processes. The last close of a socket may linger, that of a file of FUSE may never end,
 * and a pipe's waits for a writer in a page fault. So threads close them that nobody waits for; without work they end.
 */
#pragma once

#include "system/thread.h"

/* Threads at the same time. When all of them hang, no more descriptors should be received. */
#define CLOSER_THREADS_MAX 8
/* Descriptors from here on are closed at once. The intake has fewer. */
#define CLOSER_DESCRIPTORS_MAX 8192

struct closer;

struct closing_thread {
  struct closer *closer;
  struct thread thread;
  u32 is_running;
};

struct closer {
  i32 waiting;   /* descriptors that no thread has begun to close */
  u32 running;   /* threads */
  u64 closed;    /* since the start */
  u64 looked_ms; /* when `closed` was last seen to change, 0: nothing waits */
  u64 seen_closed;
  bool is_stuck;                                /* all threads hang */
  u64 descriptors[CLOSER_DESCRIPTORS_MAX / 64]; /* a bit for each that waits */
  struct closing_thread threads[CLOSER_THREADS_MAX];
};

/* Closes `fd` soon. */
void closer_add(struct closer *closer, int fd);
/* Starts another thread if the others hang. Returns in how many milliseconds it is to be called again, or -1. */
i64 closer_look(struct closer *closer, u64 now_ms);
/* Closes all descriptors of the process but the first three and those that wait: then threads that hang keep none. */
void closer_leave(const struct closer *closer);
