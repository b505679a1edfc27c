/*
 * logwrite's own output, which may be a stopped terminal, a pipe that others fill too, or a file that hangs. A write
 * never waits here: signals are served all the time.
 *
 *   pipe, terminal, device   opened again with O_NONBLOCK, so that no other user of it notices
 *   socket                   MSG_DONTWAIT
 *   the rest                 a thread writes; opened again, a file would lose the position that its writers share
 */
#pragma once

#include "system/thread.h"

enum output_way { OUTPUT_CLOSED, OUTPUT_WRITES, OUTPUT_SENDS, OUTPUT_BY_THREAD, OUTPUT_MAY_WAIT };

struct output {
  enum output_way way;
  int fd;
  int done_fd; /* an eventfd: the thread has written */
  u32 state;   /* enum output_state, a futex */
  struct thread thread;
  const u8 *bytes; /* what the thread writes */
  size_t count;
  long result;
};

/* `fd` stays the caller's. */
void output_open(struct output *output, int fd);
/* What to wait for before output_write is called, for somebody who has something to write. */
struct pollfd output_poll(const struct output *output);
/*
 * Writes some of the bytes. How many, or -errno. After -EAGAIN it must be called again with the same bytes, which must
 * stay as they are.
 */
long output_write(struct output *output, const u8 *bytes, size_t count);
