/* A client of memlogd's log socket; see log-client.h. */
#include "system/log-client.h"

#include "constants.h"
#include "system/unix-socket.h"

u32 source_name(char *to, const char *name, const char *suffix) {
  size_t suffix_bytes = string_bytes(suffix), bytes = string_bytes(name);
  if (bytes > SOURCE_NAME_BYTES_MAX - suffix_bytes) bytes = SOURCE_NAME_BYTES_MAX - suffix_bytes;
  copy_bytes(to, name, bytes);
  copy_bytes(to + bytes, suffix, suffix_bytes);
  return (u32)(bytes + suffix_bytes);
}

int log_client_connect(const char *path, i64 wait_ms) {
  int fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
  if (fd < 0) return fd;
  unix_set_timeouts(fd, wait_ms);
  int error = unix_connect(fd, path);
  if (error == 0) return fd;
  sys_close(fd);
  return error;
}

void log_client_failure(struct text *text, const char *program, const char *path, int error) {
  text_start(text, program);
  text_add(text, ": ");
  text_add(text, path);
  text_add(text, ": ");
  if (error == -ENOENT) text_add(text, "no such socket: memlogd does not run");
  else if (error == -ECONNREFUSED) text_add(text, "nobody listens: memlogd does not run");
  else text_add(text, error_text(error));
}
