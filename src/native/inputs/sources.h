/* Sources: descriptors that the intake reads until their end, and their slots in the queue's source table. */
#pragma once

#include "queue/events.h"
#include "system/guard.h"
#include "queue/queue.h"
#include "system/text.h"

/* Where the limit of descriptors is low, sources get at least this many. */
#define SOURCE_DESCRIPTORS_MIN 16

enum source_state { SOURCE_FREE, SOURCE_OPEN, SOURCE_CLOSING, SOURCE_ENDED };
/* How a descriptor is read. WAY_NONE: it is not; the source only names what comes by another way. */
enum source_way { WAY_READ, WAY_RECEIVE, WAY_FILE, WAY_NONE };

struct source {
  u32 id;
  u16 kind;
  u8 state, way;
  u8 is_datagram, is_busy;
  u8 is_packet; /* a socket of messages: one read is one of them */
  u8 is_alone;  /* an abandoned worker reads it: its reads block */
  int fd;
  u64 offset;       /* WAY_FILE: where to read next; SOURCE_CLOSING: bytes read since CLOSE */
  u64 active_ms;    /* of datagrams and connections: when something came */
  u64 network;      /* of connections: whose it is; see connections.h */
  u64 end_position; /* SOURCE_ENDED: queue position after the END frame */
};

/* Slots in the order in which they were added. */
struct slot_queue {
  u32 first, count;
  u16 slots[SOURCES_MAX];
};

/* When sources are read next; see PAUSE_US and BUSY_RETRY_MS in sources.c. */
struct pacing {
  u64 read_us;        /* when sources were last read */
  u64 pause_until_us; /* none is read before */
  u64 busy_after_ms;  /* nor are busy ones before this */
};

struct sources {
  struct queue *queue;
  struct events *events;
  struct guard *guard;
  int epoll_fd;
  i64 descriptors_max; /* descriptors below it may be sources; the others are reserved for the intake */
  u32 next_id;
  u32 connections; /* open sources of kind SyslogTcp */
  struct pacing pacing;
  struct slot_queue free, ended; /* ended: until the END frame is acknowledged */
  u32 busy_count, busy_next;
  u16 busy_slots[SOURCES_MAX]; /* sources that epoll can't watch, or that are being closed */
  struct source slots[SOURCES_MAX];
};

/* What waits in sources, and will not be read. */
struct unread {
  u32 next_slot; /* the slots before it are counted */
  u32 sources;
  u64 bytes;
  struct text names; /* NAME BYTES, ... */
};

/* Whether no slot is free, but some are as soon as the engine has stored the ends of their sources. */
bool sources_await_slots(const struct sources *sources);
/* Every slot is free. */
void sources_start(struct sources *sources);
/* Opens a source without a descriptor, for datagrams and records. Truncates its name. False if no slot is free. */
bool source_open(struct sources *sources, u32 kind, const char *name, u32 name_bytes, u32 *slot);
/* Takes ownership of `fd`. It becomes a source (true), or it is closed and an event says why. */
bool source_adopt(struct sources *sources, int fd, u32 kind, u32 token, const char *name, u32 name_bytes);
/*
 * Writes the OPEN frame that reports a failure: without a source, with the errno. A queue without room gets none; the
 * engine's wait then times out.
 */
void source_report_unopened(struct sources *sources, u32 token, int error);
/* Puts the source of another memlogd into its slot. False if it can't be watched. */
bool source_restore(struct sources *sources, u32 slot, const struct source *from);
/* Every source of the other memlogd has been restored: the remaining slots are free. */
void sources_restored(struct sources *sources);
/* How many bytes wait to be read; of datagrams, those of the first one. */
u32 waiting_bytes(int fd);
/* Writes the END frame and closes the descriptor. `error` is an errno, 0 at end of file. */
void source_end(struct sources *sources, u32 slot, int error);
/* Reads what is there without waiting, then ends the source. Does nothing if there is none with this id. */
void source_close_when_read(struct sources *sources, u32 id);
/* Reads each source that epoll reports once. */
void sources_read(struct sources *sources, u64 now_us);
/* Reads some of the busy sources once. They get at most half of the room, since files always have more to read. */
void sources_read_busy(struct sources *sources, u64 now_ms);
/* Counts from `next_slot` on what waits in sources. That may block: the next worker calls it again. True if there is any. */
bool sources_count_unread(struct sources *sources, struct unread *unread);
/* The worker that was to read this source is abandoned: from now on it reads this source alone. */
void source_leave_alone(struct sources *sources, const struct operation *operation);
/* Handles what abandoned workers have read, as far as there is room. */
void sources_handle_reports(struct sources *sources, u64 now_ms);
/* Frees the slots of the sources whose END frame has been acknowledged. */
void sources_acknowledged(struct sources *sources);
