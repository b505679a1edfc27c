/*
 * Operations on descriptors of other processes can block, and no flag prevents it: a read of a pipe waits while the
 * kernel serves the page fault of a writer, closing a socket may linger, a file of FUSE may never answer.
 *
 * So the loop of the intake runs in a thread, the worker, and the first thread watches it. A worker that is blocked for
 * too long is abandoned: another thread continues the loop, and only the abandoned one still waits. If its operation
 * ends after all, it reports the result.
 *
 * An operation that does not block costs two atomic writes. On an idle machine the watching thread sleeps.
 */
#pragma once

#include "constants.h"
#include "system/closer.h"

/* Threads at the same time. The last one can't be replaced: the intake then waits for its operation. */
#define WORKERS_MAX 32
#define WORKER_BUFFER_BYTES QUEUE_PAYLOAD_BYTES_MAX
#define WORKER_BUFFERS 16

enum worker_state {
  WORKER_FREE,
  WORKER_RUNS,    /* it is the intake, or it was, and its successor has not noticed yet */
  WORKER_ALONE,   /* abandoned: in its operation */
  WORKER_REPORTS, /* abandoned: it has a result, and waits for an answer */
  WORKER_LEAVES,  /* the answer: no more is wanted */
  WORKER_CLOSES,  /* the answer: no more is wanted, and the descriptor is its to close */
};

struct worker;

/* An operation that may block. It lives on the stack of the thread that is in it. */
struct operation {
  int fd;
  u32 slot, id;              /* of the source that is read, id 0: none */
  u8 way;                    /* how it is read */
  bool is_packet;            /* a message at a time */
  u64 offset;                /* and from where */
  u32 event, event_argument; /* the event to count if it is abandoned, 0: none */
  const char *text;          /* and its text */
  u32 text_bytes;
  u32 token;          /* of the OPEN that is to be answered if it is abandoned, 0: none */
  bool counts_result; /* the event is counted when an abandoned operation ends, as often as its result says */
  /* What an abandoned worker does at the end of the operation; NULL: nothing. */
  void (*finish)(struct worker *worker, long result);
  struct worker *worker;
  u64 turn;
};

struct worker {
  struct guard *guard;
  struct thread thread;
  u32 state; /* enum worker_state, a futex */
  u32 tid;
  const struct operation *operation; /* while it is abandoned */
  u64 since_ms;                      /* when it was abandoned */
  long result;
  u8 buffer[WORKER_BUFFER_BYTES] __attribute__((aligned(64)));
  u8 *buffers; /* WORKER_BUFFERS more of these, made when they are first needed */
};

struct guard {
  u64 turn;     /* odd while the worker is in an operation */
  u32 has_call; /* the watching thread is to call `call`: a futex */
  void (*call)(void *argument);
  void *call_argument;
  u32 is_asleep;         /* the watching thread sleeps until the next operation: a futex */
  bool is_watched;       /* false: only one thread runs */
  bool has_reports;      /* some workers may wait for an answer */
  int report_fd;         /* an eventfd: a worker reports */
  struct worker *worker; /* the one that is the intake */
  struct closer closer;
  void (*run)(void *context, const struct operation *abandoned, struct worker *by);
  void *context;
  struct worker workers[WORKERS_MAX];
};

/* False if the kernel refuses. */
bool guard_prepare(struct guard *guard);
/*
 * Runs `run(context, NULL, NULL)` in a thread and watches it. When a worker is abandoned, `run` is called in another
 * thread with the operation and the worker that is in it, and must call guard_acknowledge. Never returns.
 */
__attribute__((noreturn)) void guard_run(struct guard *guard,
                                         void (*run)(void *, const struct operation *, struct worker *), void *context);
/*
 * Calls `call(argument)` in the thread that lives as long as the process, and waits for its end. Children start there:
 * the kernel sends the signal of PR_SET_PDEATHSIG when the thread ends that started them.
 */
void guard_call(struct guard *guard, void (*call)(void *), void *argument);
/* Around an operation that may block. guard_end returns `result`, or never: then another thread is the intake. */
void guard_begin(struct guard *guard, struct operation *operation);
long guard_end(struct guard *guard, struct operation *operation, long result);
/* Closes a descriptor of somebody else, without waiting for it. */
void guard_close(struct guard *guard, int fd);
/* Where the intake may read to. */
static inline u8 *guard_buffer(struct guard *guard) { return guard->worker->buffer; }
/* The same for several reads at once: `*count` buffers of WORKER_BUFFER_BYTES, one after the other. */
u8 *guard_buffers(struct guard *guard, u32 *count);
/* The successor has noted that `worker` is abandoned: it may go on. */
void guard_acknowledge(struct worker *worker);
/* Answers a worker that reports. */
void guard_answer(struct worker *worker, enum worker_state answer);
/* Called by an abandoned worker: reports its result and waits for the answer. */
enum worker_state guard_report(struct worker *worker, long result);
/* Whether threads are in operations that they may never leave. */
bool guard_has_abandoned(const struct guard *guard);
