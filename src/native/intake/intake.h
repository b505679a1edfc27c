/*
 * The intake: whatever only the kernel can wait for comes in here, gets its time stamp and goes into the queue. One
 * process, one state structure, no allocation after the start.
 */
#pragma once

#include "engine/control.h"
#include "intake/log-socket.h"
#include "intake/takeover.h"

/* What the loop has seen of the queue. */
struct queue_watch {
  u64 full_since_ms;  /* 0: there is room */
  u64 slots_since_ms; /* since when new sources wait for slots, 0: they don't */
  u64 written_head;   /* the head when last looked at */
  u64 written_ms;     /* when it last moved */
};

struct stop {
  bool is_wanted;
  u64 drain_until_ms;   /* 0: not yet draining; otherwise what waits in the sources is read until then */
  u64 at_ms;            /* 0: not stopping; otherwise the engine is killed then */
  struct unread unread; /* what was left */
};

struct intake {
  struct holdings holdings;
  struct engine engine;
  struct log_socket log_socket;
  struct guard guard;
  struct queue_watch watch;
  struct stop stop;
  const char *kmsg_path;         /* NULL: none */
  const char *docker_state_path; /* NULL: none */
  bool is_daemon;
  bool hands_over;    /* false: never, to nobody */
  bool streams_first; /* which of streams and datagrams has the first turn */
  int signal_fd;
  u64 now_us, now_ms; /* of this turn */
};

/* Raises limits and opens what no takeover can bring. False if the kernel refuses. */
bool intake_prepare(struct intake *intake);
/* Makes what the loop needs. Whatever can fail fails here, before memlogd reports that it is ready. */
bool intake_start(struct intake *intake);
/* Serves what was bound; never returns. */
__attribute__((noreturn)) void intake_run(struct intake *intake);
