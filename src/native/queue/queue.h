/*
 * The frame queue: a memory file that the intake maps and writes, and the engine reads. Layout in
 * docs/PROTOCOL.md, section 4. Positions only grow:
 *
 *      acknowledged           written
 *           v                    v
 *   --------[====================]---------------------------> position (u64)
 *     free    frames that the      free
 *             engine may not have stored
 */
#pragma once

#include "constants.h"
#include "system/sys.h"

_Static_assert(QUEUE_FRAMES_OFFSET == QUEUE_HEADER_BYTES + SOURCES_MAX * QUEUE_SOURCE_SLOT_BYTES,
               "the frame area begins where the source table ends");
_Static_assert(QUEUE_SOURCE_SLOT_BYTES >= 16 + SOURCE_NAME_BYTES_MAX, "a slot holds the longest name");

/* Never used for data, so that OPEN and END of every source always find room: 32 bytes each, and some padding. */
#define QUEUE_RESERVED_BYTES (SOURCES_MAX * 2 * QUEUE_FRAME_HEADER_BYTES + 4096)

struct queue {
  u8 *map;
  u64 head;         /* written up to here */
  u64 tail;         /* acknowledged up to here */
  u64 touched;      /* bytes of the area, from its beginning, that may have pages */
  u64 announced;    /* the engine has been notified of frames up to here */
  bool keeps_pages; /* the kernel may refuse pages later: all are taken at the start and kept */
  int fd;           /* ours, writable */
  int readable_fd;  /* the engine's, read-only */
};

struct frame {
  u32 kind, slot, id, detail, payload_bytes;
};

/* When bytes were read, by both clocks. */
struct stamp {
  struct timespec real, mono;
};

/* Makes the memory file. 0 or -errno. */
int queue_open(struct queue *queue);
/* Maps the memory file of another process, given as `queue->fd`. False if it is not a sealed queue of our layout. */
bool queue_adopt(struct queue *queue, u64 head, u64 tail);
/* Whether a frame fits and leaves `keep` bytes free. */
bool queue_has_room(const struct queue *queue, u32 payload_bytes, u32 keep);
/* How many reads of QUEUE_READ_BYTES_MAX fit without touching the reserve. */
u32 queue_fitting_reads(const struct queue *queue);
static inline bool queue_is_full(const struct queue *queue) { return queue_fitting_reads(queue) == 0; }
/* Where to write the next frame's payload. The caller has checked that there is room. May write a PAD. */
u8 *queue_payload(struct queue *queue, u32 payload_bytes);
/* Completes the frame whose payload is where queue_payload said, with the current time. */
void queue_commit(struct queue *queue, const struct frame *frame);
/* The same with an earlier stamp, for frames that were read at once. */
void queue_commit_at(struct queue *queue, const struct frame *frame, const struct stamp *stamp);
struct stamp queue_stamp(void);
/* Writes a frame without payload. */
void queue_put(struct queue *queue, const struct frame *frame);
/* The engine has stored everything up to `position`. False if it can't have: below the tail, or never announced. */
bool queue_acknowledge(struct queue *queue, u64 position);
/* Whether the queue is empty and holds memory that queue_rewind would free. */
bool queue_wants_rewind(const struct queue *queue);
/*
 * Returns to the beginning of the area, if the head is far from it, and frees the pages. The PAD that this writes must
 * be acknowledged before all room is available again.
 */
void queue_rewind(struct queue *queue);
void queue_write_slot(struct queue *queue, u32 slot, u32 id, u32 kind, u32 token, const char *name, u32 name_bytes);
/* The name in a slot of the source table. */
const char *queue_slot_name(const struct queue *queue, u32 slot, u32 *bytes);
void queue_clear_slot(struct queue *queue, u32 slot);
