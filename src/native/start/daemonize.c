/* Detaching from the caller; see daemonize.h. */
#include "start/daemonize.h"

int open_empty_file(void) {
  int fd = sys_memfd_create("memlogd-empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0) sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return fd;
}

/* A machine may have no /dev/null. */
static int open_null(int mode) {
  int fd = sys_open("/dev/null", mode | O_CLOEXEC);
  return fd >= 0 ? fd : open_empty_file();
}

void hold_standard_descriptors(int output_mode) {
  for (int fd = 0; fd <= 2; fd++)
    if (sys_fcntl(fd, F_GETFD, 0) == -EBADF) sys_fcntl(open_null(fd == 1 ? output_mode : O_RDWR), F_SETFD, 0);
}

static void close_between(u32 first, u32 last) {
  if (first > last || sys_close_range(first, last) == 0) return;
  /* A kernel without close_range. */
  struct rlimit64 limit = {1024, 1024};
  sys_prlimit(RLIMIT_NOFILE, NULL, &limit);
  for (u32 fd = first; fd <= last && fd < limit.soft; fd++) sys_close((int)fd);
}

void close_inherited(int keep, int keep_too) {
  i64 low = keep < keep_too ? keep : keep_too, high = keep < keep_too ? keep_too : keep;
  u32 next = 3;
  if (low >= 3) close_between(next, (u32)low - 1), next = (u32)low + 1;
  if (high >= (i64)next) close_between(next, (u32)high - 1), next = (u32)high + 1;
  close_between(next, 0xffffffff);
}

/* Waits for the daemon's report: one byte 0, or a message. Exits with 0, or with the daemon's status. */
__attribute__((noreturn)) static void wait_for_daemon(int answer, int child) {
  struct text report;
  report.bytes = 0;
  long got;
  while ((got = UNINTERRUPTED(sys_read(answer, report.at + report.bytes, TEXT_BYTES_MAX - report.bytes))) > 0) {
    report.bytes += (u32)got;
    if (report.at[0] == 0) sys_exit(0);
  }
  int status = 0;
  UNINTERRUPTED(sys_wait(child, &status, 0));
  if (report.bytes == 0) {
    text_start(&report, "memlogd: the daemon ended before it was ready, with status ");
    text_number(&report, exit_status(status));
  }
  text_print(&report, 2);
  status = exit_status(status);
  sys_exit(status == 0 ? 1 : status);
}

int daemonize_fork(void) {
  int ends[2];
  struct text error;
  text_start(&error, "memlogd: the daemon could not be started: ");
  int result = sys_pipe2(ends, O_CLOEXEC);
  int child = result < 0 ? result : sys_fork();
  if (child < 0) {
    text_add(&error, error_text(child));
    text_print(&error, 2);
    sys_exit(1);
  }
  if (child > 0) {
    sys_close(ends[1]);
    wait_for_daemon(ends[0], child);
  }
  sys_close(ends[0]);
  sys_setsid();
  return ends[1];
}

void daemonize_done(int answer) {
  sys_chdir("/");
  int fd = open_null(O_RDWR);
  for (int to = 0; to <= 2 && fd >= 0; to++) sys_dup3(fd, to, 0);
  if (fd > 2) sys_close(fd);
  u8 ready = 0;
  sys_write(answer, &ready, 1);
  sys_close(answer);
}

__attribute__((noreturn)) void daemonize_failed(int answer, struct text *error) {
  sys_write(answer, error->at, error->bytes);
  sys_exit((int)error->status);
}
