/* logwrite's own output; see output.h. */
#include "logwrite/output.h"

#include "system/descriptor.h"

/* Of a socket of messages, this is one. */
#define SEND_BYTES_MAX 4096

enum output_state { STATE_IDLE, STATE_WRITES, STATE_DONE };

/* Opens it again. A file could be, too, but would lose the position that its writers share. The descriptor, or -errno. */
static int reopen(int fd, u32 type) {
  struct statx found;
  int flags = sys_fcntl(fd, F_GETFL, 0);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  /* What the kernel knows, without a question to the file system. */
  if (type == 0 && sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, &found) == 0) type = found.mode & S_IFMT;
  return type == S_IFIFO || type == S_IFCHR ? descriptor_reopen(fd, O_WRONLY) : -EINVAL;
}

void output_open(struct output *output, int fd) {
  u32 type = descriptor_type(fd);
  *output = (struct output){.way = OUTPUT_SENDS, .fd = fd, .done_fd = -1};
  if (type == S_IFSOCK) return;
  int opened = reopen(fd, type);
  if (opened >= 0) {
    output->fd = opened;
    output->way = OUTPUT_WRITES;
    return;
  }
  output->done_fd = sys_eventfd();
  output->way = output->done_fd >= 0 ? OUTPUT_BY_THREAD : OUTPUT_MAY_WAIT;
}

/* Waits for as long as the output does. */
static long write_waiting(int fd, const u8 *bytes, size_t count) {
  for (;;) {
    struct pollfd writable = {fd, POLLOUT, 0};
    long put = sys_write(fd, bytes, count);
    if (put != -EAGAIN && put != -EINTR) return put;
    sys_poll(&writable, 1, -1);
  }
}

static void set_state(struct output *output, u32 state) { __atomic_store_n(&output->state, state, __ATOMIC_RELEASE); }

static u32 state_of(const struct output *output) { return __atomic_load_n(&output->state, __ATOMIC_ACQUIRE); }

static void thread_main(void *argument) {
  struct output *output = argument;
  for (;;) {
    u64 one = 1;
    u32 state = state_of(output);
    if (state != STATE_WRITES) {
      sys_futex_wait(&output->state, state);
      continue;
    }
    output->result = write_waiting(output->fd, output->bytes, output->count);
    set_state(output, STATE_DONE);
    sys_write(output->done_fd, &one, sizeof one);
  }
}

static long write_by_thread(struct output *output, const u8 *bytes, size_t count) {
  u64 times;
  switch (state_of(output)) {
    case STATE_IDLE:
      /* An output that never gets anything costs no thread. Without threads, writes wait. */
      if (output->thread.run == NULL && !thread_start(&output->thread, thread_main, output)) {
        output->way = OUTPUT_MAY_WAIT;
        return write_waiting(output->fd, bytes, count);
      }
      output->bytes = bytes;
      output->count = count;
      set_state(output, STATE_WRITES);
      sys_futex_wake(&output->state);
      return -EAGAIN;
    case STATE_DONE:
      sys_read(output->done_fd, &times, sizeof times);
      set_state(output, STATE_IDLE);
      return output->result;
    default: return -EAGAIN;
  }
}

struct pollfd output_poll(const struct output *output) {
  if (output->way != OUTPUT_BY_THREAD)
    return (struct pollfd){output->way == OUTPUT_CLOSED ? -1 : output->fd, POLLOUT, 0};
  /* An eventfd is always writable: the thread begins at once. */
  return (struct pollfd){output->done_fd, state_of(output) == STATE_IDLE ? POLLOUT : POLLIN, 0};
}

long output_write(struct output *output, const u8 *bytes, size_t count) {
  switch (output->way) {
    case OUTPUT_CLOSED: return -EBADF;
    case OUTPUT_WRITES: return sys_write(output->fd, bytes, count);
    case OUTPUT_SENDS: return sys_send(output->fd, bytes, count < SEND_BYTES_MAX ? count : SEND_BYTES_MAX);
    case OUTPUT_BY_THREAD: return write_by_thread(output, bytes, count);
    default: return write_waiting(output->fd, bytes, count);
  }
}
