/*
 * logwrite's work:
 *
 *   command stdout --pipe--> [ held ] --> our stdout
 *                               \--> [ kept for memlogd ] --socket--> memlogd
 *
 * and the same for stderr. A slow stdout blocks the command, as it would without logwrite. A slow memlogd blocks it
 * too, but while it receives nothing, only for some time (-wait). After that, whole lines are not logged; a line in the
 * log says how many bytes are missing there.
 */
#include "logwrite/tee.h"

#include "start/daemonize.h"
#include "logwrite/output.h"
#include "logwrite/run-command.h"
#include "system/log-client.h"
#include "system/unix-socket.h"

#define TEE_HELD_BYTES (64 * 1024)
#define HAND_OVER_MS 2000
#define NEVER_MS (~0ull)
/* Longest line that says how many bytes are missing. */
#define REPORT_BYTES_MAX 128
/* Bytes are added, retracted and sent in one buffer, with what a report adds: the newline before it and itself. */
#define KEPT_BYTES_MAX (TEE_BUFFER_BYTES + TEE_HELD_BYTES + 1 + REPORT_BYTES_MAX)
/* The line about a command that failed is an error; memlogd stores this prefix as the line's priority. */
#define OWN_LINE_PREFIX "<3>"

struct stream {
  int from;         /* the command's output, -1: at its end */
  int log;          /* our end of the socket that memlogd reads, -1: gone */
  int output_error; /* of our own stdout or stderr, 0: none; EPIPE is none */
  struct output to; /* our own stdout or stderr */
  u32 held_at, held_bytes;
  u32 kept_at, kept_bytes; /* for memlogd: not sent yet */
  bool is_dropping;        /* the line that is being read is not logged */
  bool ends_inside;        /* the command's last byte so far did not end a line */
  bool is_cut;             /* the last line that was sent lacks its newline */
  bool sent_whole_line;    /* the last byte that was sent ended a line, or none was sent */
  u64 stalled_ms;          /* since when memlogd accepts nothing; 0: it does */
  u32 owed_bytes;          /* in the pipe when the command ended: they are copied, however long that takes */
  u64 lost_lines, lost_bytes;
  u64 unreported_bytes; /* lost since the last report, which is a line in the log */
  u32 reports_kept;     /* reports among the kept bytes, how long they are, and where the last of them ends */
  u32 report_bytes, report_end;
  char name[SOURCE_NAME_BYTES_MAX];
  u32 name_bytes;
  u8 held[TEE_HELD_BYTES];
  u8 kept[KEPT_BYTES_MAX];
};

struct tee {
  struct config config;
  struct run run;
  struct stream streams[2];
  u64 wait_ms; /* -wait, or TEE_WAIT_FOREVER */
  int signal_fd;
  bool has_ended;
  int wait_status;
  u32 ended_by; /* the signal that ended us while we copied what was left, 0: none */
  u64 begun_ms, ended_ms;
  u64 now_ms;
};

/* ---- what is not logged ---- */

static u64 count_newlines(const u8 *bytes, u32 count) {
  u64 lines = 0;
  for (u32 at = 0; at < count; at++) lines += bytes[at] == '\n';
  return lines;
}

static void count_lost(struct stream *stream, const u8 *bytes, u32 count) {
  stream->lost_lines += count_newlines(bytes, count);
  stream->lost_bytes += count;
  stream->unreported_bytes += count;
}

/* Removes the beginning of an unfinished line, if it was not sent yet: lines are logged whole or not at all. */
static void retract_unfinished_line(struct stream *stream) {
  u32 end = stream->kept_at + stream->kept_bytes, at = end;
  while (at > stream->kept_at && stream->kept[at - 1] != '\n') at--;
  bool was_begun = at == stream->kept_at && !stream->sent_whole_line;
  if (was_begun) stream->is_cut = true;
  else {
    count_lost(stream, stream->kept + at, end - at);
    stream->kept_bytes -= end - at;
  }
}

static void drop(struct stream *stream, const u8 *bytes, u32 count) {
  if (!stream->is_dropping) retract_unfinished_line(stream);
  stream->is_dropping = true;
  count_lost(stream, bytes, count);
}

/* memlogd is gone: what it had not received is lost. */
static void give_up(struct stream *stream) {
  if (stream->log >= 0) sys_close(stream->log);
  stream->log = -1;
  u32 count = stream->kept_bytes;
  const u8 *bytes = stream->kept + stream->kept_at;
  count_lost(stream, bytes, count);
  stream->lost_lines -= stream->reports_kept;
  stream->lost_bytes -= stream->report_bytes < stream->report_end ? stream->report_bytes : stream->report_end;
  stream->kept_bytes = stream->report_end = stream->reports_kept = stream->report_bytes = 0;
  if (count > 0 && bytes[count - 1] != '\n') stream->is_dropping = true;
}

static void append(struct stream *stream, const u8 *bytes, u32 count) {
  if (stream->kept_at + stream->kept_bytes + count > KEPT_BYTES_MAX) {
    for (u32 at = 0; at < stream->kept_bytes; at++) stream->kept[at] = stream->kept[stream->kept_at + at];
    stream->kept_at = 0;
  }
  copy_bytes(stream->kept + stream->kept_at + stream->kept_bytes, bytes, count);
  stream->kept_bytes += count;
}

static bool has_room(const struct stream *stream) { return stream->kept_bytes < TEE_BUFFER_BYTES; }

/* How many of the bytes belong to the line that is being dropped; all of them if it does not end here. */
static u32 rest_of_line(const u8 *bytes, u32 count) {
  u32 rest = 0;
  while (rest < count && bytes[rest] != '\n') rest++;
  return rest < count ? rest + 1 : count;
}

static void add_duration(struct text *text, u64 ms) {
  bool is_whole = ms % 1000 == 0;
  text_number(text, (i64)(is_whole ? ms / 1000 : ms));
  text_add(text, is_whole ? " s" : " ms");
}

/* Ends a line that was cut, and adds one that says what is missing here. The buffer has room for both. */
static void report_lost(const struct tee *tee, struct stream *stream) {
  struct text text;
  if (stream->is_cut) append(stream, (const u8 *)"\n", 1);
  stream->is_cut = false;
  if (stream->unreported_bytes == 0) return;
  text_start(&text, "<4>logwrite: ");
  text_number(&text, (i64)stream->unreported_bytes);
  text_add(&text, stream->unreported_bytes == 1 ? " byte was" : " bytes were");
  text_add(&text, " not logged: memlogd ");
  text_add(&text, tee->wait_ms > 0 ? "took nothing for " : "was too slow");
  if (tee->wait_ms > 0) add_duration(&text, tee->wait_ms);
  text_add(&text, "\n");
  append(stream, (const u8 *)text.at, text.bytes);
  stream->unreported_bytes = 0;
  stream->reports_kept++;
  stream->report_bytes += text.bytes;
  stream->report_end = stream->kept_bytes;
}

/* Keeps bytes for memlogd, or counts them as lost. */
static void keep(const struct tee *tee, struct stream *stream, const u8 *bytes, u32 count) {
  u32 rest = stream->ends_inside && stream->is_dropping ? rest_of_line(bytes, count) : 0;
  bool ends_inside = bytes[count - 1] != '\n';
  bool is_refused = stream->log < 0 || !has_room(stream) || (stream->is_dropping && stream->stalled_ms != 0);
  if (is_refused || rest == count) {
    drop(stream, bytes, count);
  } else {
    if (rest > 0) drop(stream, bytes, rest);
    report_lost(tee, stream);
    stream->is_dropping = false;
    append(stream, bytes + rest, count - rest);
  }
  stream->ends_inside = ends_inside;
}

static void send_kept(struct stream *stream, u64 now_ms) {
  while (stream->log >= 0 && stream->kept_bytes > 0) {
    long sent = sys_send(stream->log, stream->kept + stream->kept_at, stream->kept_bytes);
    if (sent == -EAGAIN || sent == -EINTR || sent == -ENOBUFS) {
      if (stream->stalled_ms == 0) stream->stalled_ms = now_ms;
      return;
    }
    if (sent < 0) return give_up(stream);
    stream->stalled_ms = 0;
    stream->sent_whole_line = stream->kept[stream->kept_at + sent - 1] == '\n';
    stream->kept_at += (u32)sent;
    stream->kept_bytes -= (u32)sent;
    stream->report_end -= (u32)sent < stream->report_end ? (u32)sent : stream->report_end;
    if (stream->report_end == 0) stream->reports_kept = stream->report_bytes = 0;
  }
  if (stream->kept_bytes == 0) {
    stream->kept_at = 0;
    stream->stalled_ms = 0;
  }
}

/* ---- copying ---- */

/* When memlogd will have received nothing for as long as -wait allows. */
static u64 wait_end_ms(const struct tee *tee, const struct stream *stream) {
  if (stream->stalled_ms == 0 || tee->wait_ms == TEE_WAIT_FOREVER) return NEVER_MS;
  bool is_short = tee->has_ended && tee->wait_ms < TEE_END_WAIT_MS;
  return stream->stalled_ms + (is_short ? TEE_END_WAIT_MS : tee->wait_ms);
}

static bool is_wait_over(const struct tee *tee, const struct stream *stream) {
  return tee->now_ms >= wait_end_ms(tee, stream);
}

/* Whether the command may still be blocked because memlogd is slow. */
static bool waits_for_log(const struct tee *tee, const struct stream *stream) {
  if (stream->log < 0 || stream->is_dropping || has_room(stream)) return false;
  return !is_wait_over(tee, stream);
}

/* Whether there are bytes that memlogd may still receive. */
static bool is_sending(const struct tee *tee, const struct stream *stream) {
  return stream->log >= 0 && stream->kept_bytes > 0 && !is_wait_over(tee, stream);
}

/* After the command's end, its background children have some time; what the command has written has no limit. */
static bool is_draining(const struct tee *tee, const struct stream *stream) {
  return !tee->has_ended || stream->owed_bytes > 0 || tee->now_ms < tee->ended_ms + TEE_DRAIN_MS;
}

static bool wants_input(const struct tee *tee, const struct stream *stream) {
  if (stream->from < 0 || stream->held_bytes > 0 || waits_for_log(tee, stream)) return false;
  return is_draining(tee, stream);
}

static void close_from(struct stream *stream) {
  if (stream->from >= 0) sys_close(stream->from);
  stream->from = -1;
  stream->owed_bytes = 0;
}

static void read_output(const struct tee *tee, struct stream *stream) {
  long got = sys_read(stream->from, stream->held, TEE_HELD_BYTES);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got <= 0) return close_from(stream);
  stream->owed_bytes -= (u32)got < stream->owed_bytes ? (u32)got : stream->owed_bytes;
  keep(tee, stream, stream->held, (u32)got);
  stream->held_at = 0;
  stream->held_bytes = stream->to.way != OUTPUT_CLOSED ? (u32)got : 0;
}

static void write_output(struct stream *stream) {
  long put = output_write(&stream->to, stream->held + stream->held_at, stream->held_bytes);
  if (put == -EAGAIN || put == -EINTR) return;
  if (put < 0) {
    /* Nobody reads: the command gets SIGPIPE, as it would without logwrite. After other errors it is still logged. */
    stream->to.way = OUTPUT_CLOSED;
    stream->held_bytes = 0;
    if (put == -EPIPE) close_from(stream);
    else stream->output_error = (int)put;
    return;
  }
  stream->held_at += (u32)put;
  stream->held_bytes -= (u32)put;
}

/* ---- signals ---- */

static void note_end(struct tee *tee, int status) {
  tee->has_ended = true;
  tee->wait_status = status;
  tee->ended_ms = tee->now_ms;
  for (u32 n = 0; n < 2; n++) {
    struct stream *stream = &tee->streams[n];
    int bytes = 0;
    if (stream->from >= 0 && sys_ioctl(stream->from, FIONREAD, &bytes) == 0) stream->owed_bytes = (u32)bytes;
  }
}

static void read_signals(struct tee *tee) {
  struct signalfd_siginfo info;
  while (sys_read(tee->signal_fd, &info, sizeof info) == sizeof info) {
    if (info.signo == SIGCHLD) {
      int status = 0;
      if (tee->has_ended || sys_wait(tee->run.pid, &status, WNOHANG) != tee->run.pid) continue;
      note_end(tee, status);
    } else if (tee->has_ended) {
      /* The command has ended, and the reader of our output may never continue. */
      if (info.signo != SIGUSR1 && info.signo != SIGUSR2) tee->ended_by = info.signo;
    } else if (info.code != SI_KERNEL) {
      /* The terminal has sent its own signals to the command too. */
      sys_kill(tee->run.pid, (int)info.signo);
    }
  }
}

/* ---- the loop ---- */

enum { ON_SIGNAL, ON_FROM, ON_TO = ON_FROM + 2, ON_LOG = ON_TO + 2, ON_COUNT = ON_LOG + 2 };

static void choose(const struct tee *tee, struct pollfd *fds) {
  fds[ON_SIGNAL] = (struct pollfd){tee->signal_fd, POLLIN, 0};
  for (u32 n = 0; n < 2; n++) {
    const struct stream *stream = &tee->streams[n];
    fds[ON_FROM + n] = (struct pollfd){wants_input(tee, stream) ? stream->from : -1, POLLIN, 0};
    fds[ON_TO + n] = stream->held_bytes > 0 ? output_poll(&stream->to) : (struct pollfd){-1, 0, 0};
    fds[ON_LOG + n] = (struct pollfd){stream->kept_bytes > 0 ? stream->log : -1, POLLOUT, 0};
  }
}

static bool is_done(const struct tee *tee) {
  if (!tee->has_ended) return false;
  if (tee->ended_by != 0) return true;
  for (u32 n = 0; n < 2; n++) {
    const struct stream *stream = &tee->streams[n];
    if (stream->held_bytes > 0 || (stream->from >= 0 && is_draining(tee, stream))) return false;
    if (is_sending(tee, stream)) return false;
  }
  return true;
}

static i64 wait_ms(const struct tee *tee) {
  i64 wait = -1;
  u64 drained_ms = tee->ended_ms + TEE_DRAIN_MS;
  if (tee->has_ended && drained_ms > tee->now_ms) wait = (i64)(drained_ms - tee->now_ms);
  for (u32 n = 0; n < 2; n++) {
    const struct stream *stream = &tee->streams[n];
    u64 end_ms = wait_end_ms(tee, stream);
    if (end_ms != NEVER_MS && is_sending(tee, stream)) wait = sooner(wait, (i64)(end_ms - tee->now_ms));
  }
  return wait;
}

static void copy_until_done(struct tee *tee) {
  for (;;) {
    struct pollfd fds[ON_COUNT];
    tee->now_ms = clock_ms();
    if (is_done(tee)) return;
    choose(tee, fds);
    sys_poll(fds, ON_COUNT, wait_ms(tee));
    tee->now_ms = clock_ms();
    for (u32 n = 0; n < 2; n++) {
      struct stream *stream = &tee->streams[n];
      if (fds[ON_FROM + n].revents != 0) {
        read_output(tee, stream);
        send_kept(stream, tee->now_ms);
      }
      if (fds[ON_LOG + n].revents != 0) send_kept(stream, tee->now_ms);
      if (fds[ON_TO + n].revents != 0) write_output(stream);
    }
    if (fds[ON_SIGNAL].revents != 0) read_signals(tee);
  }
}

/* Sends a line of logwrite's own after all others. */
static void send_own_line(const struct stream *stream, const struct text *line) {
  struct text text;
  text_start(&text, stream->sent_whole_line ? "" : "\n");
  text_add(&text, line->at);
  text_add(&text, "\n");
  struct pollfd wait = {stream->log, POLLOUT, 0};
  sys_poll(&wait, 1, TEE_END_WAIT_MS);
  sys_send(stream->log, text.at, text.bytes);
}

/*
 * Counts what memlogd has not received, and reports it in the log, if memlogd receives that, and on stderr. `own_line`,
 * if not NULL, is logged after everything else.
 */
static void finish(const struct tee *tee, struct stream *stream, const struct text *own_line) {
  if (stream->log >= 0 && stream->kept_bytes == 0) {
    report_lost(tee, stream);
    send_kept(stream, tee->now_ms);
  }
  if (own_line != NULL && stream->log >= 0 && stream->kept_bytes == 0) send_own_line(stream, own_line);
  give_up(stream);
  if (stream->lost_bytes == 0) return;
  /* A last line without newline is a line too. */
  if (stream->is_dropping && stream->ends_inside) stream->lost_lines++;
  struct text text;
  text_start(&text, "logwrite: ");
  text_number(&text, (i64)stream->lost_lines);
  text_add(&text, stream->lost_lines == 1 ? " line (" : " lines (");
  text_number(&text, (i64)stream->lost_bytes);
  text_add(&text, " bytes) of ");
  text_add_bytes(&text, stream->name, stream->name_bytes);
  text_add(&text, " could not be logged");
  text_print(&text, 2);
}

/* Nothing is left to copy: whatever still waits, a message to a stopped terminal say, is ended by signals as usual. */
static void let_signals_end_us(void) {
  u64 ending = SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGQUIT);
  sys_sigprocmask(SIG_UNBLOCK, &ending, NULL);
}

/* Whether everything was written to our own output. Otherwise says so. */
static bool report_output(const struct stream *stream, const char *name) {
  struct text text;
  if (stream->output_error == 0) return true;
  text_start(&text, "logwrite: standard ");
  text_add(&text, name);
  text_add(&text, ": ");
  text_add(&text, error_text(stream->output_error));
  text_print(&text, 2);
  return false;
}

/* The command could not be started. */
__attribute__((noreturn)) static void end_without_command(struct tee *tee, const char *command, int error) {
  struct text failure, line;
  command_failure(&failure, command, error);
  text_start(&line, OWN_LINE_PREFIX);
  text_add(&line, failure.at);
  let_signals_end_us();
  text_print(&failure, 2);
  finish(tee, &tee->streams[1], &line);
  sys_exit((int)failure.status);
}

/* How a command that failed has ended. */
static void describe_failure(struct text *line, const struct tee *tee, const char *command) {
  u64 tenths = (tee->ended_ms - tee->begun_ms) / 100;
  int signal = tee->wait_status & 0x7f;
  text_start(line, OWN_LINE_PREFIX "logwrite: ");
  text_add(line, last_component(command));
  if (signal == 0) {
    text_add(line, " exited with status ");
    text_number(line, exit_status(tee->wait_status));
  } else {
    text_add(line, " was ended by ");
    text_signal(line, signal);
  }
  text_add(line, " after ");
  text_number(line, (i64)(tenths / 10));
  text_add(line, ".");
  text_number(line, (i64)(tenths % 10));
  text_add(line, " s");
}

/* ---- start ---- */

/* Passes one end of a new socketpair to memlogd. 0 or -errno. */
static int pass_stream(struct stream *stream, int log_socket) {
  int ends[2];
  int result = sys_socketpair(SOCK_STREAM | SOCK_CLOEXEC, ends);
  if (result < 0) return result;
  result = send_descriptors(log_socket, stream->name, stream->name_bytes, &ends[0], 1, 0);
  sys_close(ends[0]);
  if (result < 0) sys_close(ends[1]);
  else stream->log = ends[1];
  return result;
}

/* Passes both streams to memlogd. 0 or -errno. */
static int connect_log(struct tee *tee, const char *path) {
  /* A memlogd that hangs must not keep the command from running. */
  int result = 0, fd = log_client_connect(path, HAND_OVER_MS);
  if (fd < 0) return fd;
  for (u32 n = 0; n < 2 && result == 0; n++) result = pass_stream(&tee->streams[n], fd);
  sys_close(fd);
  return result;
}

static void report_unreachable(const char *path, int error, bool is_best_effort) {
  struct text text;
  log_client_failure(&text, "logwrite", path, error);
  if (is_best_effort) text_add(&text, "; the command runs unlogged");
  text_print(&text, 2);
}

/* The command line: the command itself, and where to log it. */
struct order {
  char *const *command;
  const char *socket, *name;
  u64 wait_ms;
  bool is_best_effort;
};

static void read_order(const struct process *process, char *const *args, struct config *config, struct order *order) {
  order->command = args;
  order->socket = LOG_SOCKET_PATH;
  order->name = NULL;
  order->wait_ms = TEE_WAIT_MS;
  order->is_best_effort = false;
  if (args[0] == NULL || args[0][0] == '-') {
    int status = 1;
    if (!run_config(process, ROLE_LOGWRITE_CONFIG, args, config, &status)) sys_exit(status);
    for (u64 skip = config_number(config, "skip", 0); skip > 0 && *order->command != NULL; skip--) order->command++;
    const char *socket = config_value(config, "socket");
    if (socket != NULL) order->socket = socket;
    order->name = config_value(config, "name");
    order->wait_ms = config_number(config, "wait-ms", TEE_WAIT_MS);
    order->is_best_effort = config_number(config, "best-effort", 0) == 1;
  }
  if (order->command[0] == NULL) sys_exit(2);
  if (order->name == NULL) order->name = last_component(order->command[0]);
}

static u64 tee_signals(void) {
  return SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGUSR1) |
         SIGNAL_BIT(SIGUSR2) | SIGNAL_BIT(SIGCHLD);
}

static void stream_reset(struct stream *stream, int to, const char *name, const char *suffix) {
  stream->from = stream->log = -1;
  output_open(&stream->to, to);
  stream->sent_whole_line = true;
  stream->name_bytes = source_name(stream->name, name, suffix);
}

__attribute__((noreturn)) void tee(const struct process *process, char *const *args) {
  struct tee *tee = sys_memory(sizeof *tee);
  struct order order;
  if (tee == NULL) sys_exit(1);
  hold_standard_descriptors(O_RDWR);
  read_order(process, args, &tee->config, &order);
  tee->wait_ms = order.wait_ms;
  stream_reset(&tee->streams[0], 1, order.name, ".stdout");
  stream_reset(&tee->streams[1], 2, order.name, ".stderr");
  int error = connect_log(tee, order.socket);
  if (error < 0) {
    report_unreachable(order.socket, error, order.is_best_effort);
    if (!order.is_best_effort) sys_exit(1);
    exec_command(process, order.command);
  }
  u64 signals = tee_signals();
  sys_sigprocmask(SIG_BLOCK, &signals, NULL);
  tee->signal_fd = sys_signalfd(signals);
  tee->begun_ms = clock_ms();
  error = run_command(&tee->run, process, order.command);
  if (error < 0) end_without_command(tee, order.command[0], error);
  tee->streams[0].from = tee->run.output[0];
  tee->streams[1].from = tee->run.output[1];
  sys_set_signal(SIGPIPE, SIG_IGN);
  copy_until_done(tee);
  let_signals_end_us();
  struct text failure;
  int status = tee->ended_by != 0 ? 128 + (int)tee->ended_by : exit_status(tee->wait_status);
  if (tee->wait_status != 0) describe_failure(&failure, tee, order.command[0]);
  finish(tee, &tee->streams[0], NULL);
  finish(tee, &tee->streams[1], tee->wait_status != 0 ? &failure : NULL);
  bool is_output = report_output(&tee->streams[0], "output"), is_error = report_output(&tee->streams[1], "error");
  sys_exit(status == 0 && !(is_output && is_error) ? 1 : status);
}
