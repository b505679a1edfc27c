/*
 * The intake: everything that only the kernel can wait for comes in here, gets its time and goes into the queue.
 * One process, one thread, one state structure, nothing allocated after start.
 */
#pragma once

#include "config.h"
#include "listen.h"
#include "queue.h"

/* Descriptors that the intake itself needs beside the sources. */
#define OWN_DESCRIPTORS_MAX 64
/* Where the limit of descriptors is so low, sources get at least these. */
#define SOURCE_DESCRIPTORS_MIN 16
/* Sources read in one turn of the loop, before everything else gets its turn again. */
#define READS_PER_TURN 64
/*
 * Sources that write a line at a time would have each line read by itself, at ten times its cost. So a turn that found
 * little, soon after another one, is followed by a pause in which lines gather; a machine that is not busy never pauses.
 */
#define PAUSE_US 300
#define SOON_US 1000
#define LITTLE_BYTES 4096
/* Datagrams, records and connections taken from one descriptor in one turn. */
#define DATAGRAMS_PER_TURN 256
/* Datagrams dropped in one turn while the queue is full. */
#define DROPS_PER_TURN 1024
/* A source that the engine closes is read on up to so many bytes: the largest pipe that users may make. */
#define CLOSE_BYTES_MAX (1024 * 1024)
/* Text of an event: a path or a name; the rest is left out. */
#define EVENT_TEXT_BYTES_MAX 512
#define EVENT_EVERY_MS 1000
/* Datagrams lost are counted per kind of source, the other events per code. */
#define EVENT_CODES 16
#define EVENT_SLOTS (EVENT_CODES + 8)

enum source_state { SOURCE_FREE, SOURCE_OPEN, SOURCE_CLOSING, SOURCE_ENDED };
/* How bytes are got out of a descriptor. */
enum source_way { WAY_READ, WAY_RECEIVE, WAY_FILE, WAY_NONE };

struct source {
  u32 id;
  u16 kind;
  u8 state, way;
  u8 is_datagram, is_busy;
  int fd;
  u64 at;           /* WAY_FILE: offset; SOURCE_CLOSING: bytes read since then */
  u64 end_position; /* SOURCE_ENDED: queue position behind the END frame */
};

struct event {
  u32 count, argument, text_bytes;
  u64 sent_ms;
  bool was_sent;
  char text[EVENT_TEXT_BYTES_MAX];
};

struct engine {
  int pid;              /* 0: none runs */
  int control;          /* our end of the control stream, -1: none */
  bool is_synced;       /* it has told where it begins */
  bool is_rung;         /* a DOORBELL is out, the ACK is not back */
  bool is_stopping;     /* it was told to stop */
  u32 exits;            /* engines that ended so far */
  u32 wait_ms;          /* before the next start */
  u64 start_at_ms;      /* when to start it, if none runs */
  u64 progress_ms;      /* when it was started, or rung, or acknowledged something */
  u32 bytes;            /* in the buffer */
  u8 buffer[2 * (CONTROL_MESSAGE_BYTES + 4 + CONTROL_OPEN_BYTES_MAX)];
};

struct intake {
  const struct process *process;
  const char *engine_options;
  const char *kmsg_path; /* NULL: none */
  struct listeners listeners;
  struct queue queue;
  struct engine engine;
  int ring_fd, signal_fd, epoll_fd, null_fd;
  u64 mask;               /* signals blocked before ours */
  bool is_daemon;
  u64 now_us, now_ms;     /* of this turn */
  u64 read_us;            /* when sources were last read */
  u64 pause_until_us;     /* no sources are read before */
  u64 full_since_ms;      /* 0: there is room */
  u64 accept_after_ms;    /* no descriptors were left: accept again then */
  u64 written_head;       /* the queue's head when last looked at */
  u64 written_ms;         /* when it last moved */
  u64 stop_at_ms;         /* 0: not stopping; else the engine is killed then */
  bool stop_wanted;
  u32 next_id;
  u32 connections;        /* open sources of kind SyslogTcp */
  u32 udp_dropped;        /* datagrams that the kernel had no room for, so far */
  i64 descriptors_max;    /* sources may have numbers below it: the rest is ours */
  u32 syslog_slot, udp_slot, kmsg_slot;
  bool streams_first;     /* sources have the first turn, not datagrams */
  u32 taken_from;         /* pid of the memlogd that this one took over from, 0: none */
  bool has_syslog, has_udp; /* their slots are in use */
  char taken_names[PATHS][UNIX_PATH_BYTES_MAX + 1];
  /* Slots in the order in which they were freed; and those that wait for their END to be acknowledged. */
  u32 free_first, free_count, ended_first, ended_count, busy_count, busy_next;
  u16 free_slots[SOURCES_MAX], ended_slots[SOURCES_MAX], busy_slots[SOURCES_MAX];
  struct event events[EVENT_SLOTS];
  struct source sources[SOURCES_MAX];
};

/* As many descriptors as sources may need; then what the intake needs of its own. False if the kernel refuses. */
bool intake_prepare(struct intake *intake);
/* Makes everything that the loop needs: whatever can fail fails here, before anybody is told that memlogd is ready. */
bool intake_start(struct intake *intake);
/* Goes on with what was bound and never returns. */
__attribute__((noreturn)) void intake_run(struct intake *intake);

/* ---- events.c ---- */
void event_count(struct intake *intake, u32 code, u32 count, u32 argument, const char *text, size_t text_bytes);
/* Writes what is due; returns in how many milliseconds the next is, or -1. */
i64 events_flush(struct intake *intake);

/* ---- sources.c ---- */
void sources_start(struct intake *intake);
/* Makes a source without a frame of its own reading: datagrams and records. False if no slot is free. */
bool source_claim(struct intake *intake, u32 kind, const char *name, u32 name_bytes, u32 *slot);
/* Adopts the descriptor, whatever it is: from now on it is the intake's, or closed. */
bool source_adopt(struct intake *intake, int fd, u32 kind, u32 token, const char *name, u32 name_bytes);
/* Puts a source that another memlogd had into the same slot. False if it can't be watched. */
bool source_take(struct intake *intake, u32 slot, const struct source *from);
/* Called when all of them are in place: the other slots are free. */
void sources_taken(struct intake *intake);
void source_end(struct intake *intake, u32 slot, int error);
void source_close_when_read(struct intake *intake, u32 id);
/* Reads every source that is ready once. */
void sources_read(struct intake *intake);
void sources_read_busy(struct intake *intake);
void sources_acknowledged(struct intake *intake);
static inline bool intake_is_full(const struct intake *intake) {
  return queue_fitting_reads(&intake->queue) == 0;
}

/* ---- log-socket.c, syslog.c, kmsg.c ---- */
void log_socket_read(struct intake *intake);
void syslog_start(struct intake *intake);
void syslog_read(struct intake *intake, int fd, u32 slot, u32 kind);
void syslog_drop(struct intake *intake, int fd, u32 kind);
void syslog_accept(struct intake *intake);
void kmsg_start(struct intake *intake, const char *path);
void kmsg_read(struct intake *intake);

/* ---- engine-process.c, control.c ---- */
void engine_start_if_due(struct intake *intake);
void engine_check_stall(struct intake *intake);
void engine_reap(struct intake *intake);
void engine_kill(struct intake *intake);
/* Kills it and waits for its end; the next one is due at once. False if it does not end. */
bool engine_end_now(struct intake *intake);
/* It closed its end of the control stream: it is about to be gone. */
void engine_ends(struct intake *intake);
/* In how many milliseconds the engine needs looking after, or -1. */
i64 engine_due_ms(const struct intake *intake);
void control_read(struct intake *intake);
/* False, and the engine is killed, if it does not take the message. */
bool control_send(struct intake *intake, u32 type, u32 argument, u64 value);
void control_ring(struct intake *intake);
void control_stop(struct intake *intake);

/* ---- peer.c ---- */
/* Tells the engine who is at the other end of its descriptor. */
bool peer_tell(struct intake *intake, u32 descriptor, u64 token);

/* ---- invariants.c ---- */
void intake_check(const struct intake *intake);
