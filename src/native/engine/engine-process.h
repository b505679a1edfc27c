/* The engine as a process: started, watched, killed, started again. */
#pragma once

#include "start/config.h"
#include "engine/holdings.h"

/* What every engine is started with. */
struct engine_launch {
  const struct process *process;
  const char *options; /* its first argument: JSON */
  const char *user;    /* "UID:GID", or NULL: ours */
  int empty_fd;        /* its standard input */
  int docker_state_fd; /* the plugin's state, -1: none */
  u64 signal_mask;     /* its blocked signals: those that our caller had blocked */
};

struct engine {
  struct engine_launch launch;
  int pid;          /* 0: none runs */
  int control;      /* our end of the control stream, -1: none */
  bool is_synced;   /* it has said where it begins */
  bool is_notified; /* a DOORBELL is out, its ACK is not back */
  bool is_stopping; /* it was asked to stop */
  bool hands_over;  /* it was asked to have its readers kept, and has not answered */
  u32 exits;        /* engines that have ended so far */
  u32 wait_ms;      /* before the next start */
  u64 start_at_ms;  /* when to start it, if none runs */
  u64 progress_ms;  /* when it was started or notified, or last acknowledged something */
  u32 bytes;        /* in the buffer */
  u8 buffer[2 * (CONTROL_MESSAGE_BYTES + 4 + CONTROL_OPEN_BYTES_MAX)];
};

/* No engine runs; the first one is due at once. */
void engine_reset(struct engine *engine);
/* Starts an engine if one is due. Its standard output and error become a source. */
void engine_start_if_due(struct engine *engine, struct holdings *holdings, u64 now_ms);
/* Closes the control stream: the engine ends by itself, or is killed by engine_check_stall. */
void engine_disconnect(struct engine *engine);
void engine_kill(struct engine *engine);
/* Kills it and waits for its end; the next one is due at once. False if it has not ended within END_MS. */
bool engine_end_now(struct engine *engine, u64 now_ms);
/* Kills an engine that does not answer. */
void engine_check_stall(struct engine *engine, struct events *events, u64 now_ms);
/* In how many milliseconds engine_start_if_due or engine_check_stall has something to do, or -1. */
i64 engine_due_ms(const struct engine *engine, u64 now_ms);
/* Reaps children. True if the engine was one of them: then `*status` is its wait status, and its pid is forgotten. */
bool engine_reap(struct engine *engine, int *status);
/* After its end, when the control stream has been read: closes it and plans the next start. */
void engine_ended(struct engine *engine, u64 now_ms);
