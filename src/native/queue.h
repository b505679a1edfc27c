/*
 * The frame queue: a memory file that this process maps and writes, and the engine reads. Layout in
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
#include "sys.h"

_Static_assert(QUEUE_FRAMES_OFFSET == QUEUE_HEADER_BYTES + SOURCES_MAX * QUEUE_SOURCE_SLOT_BYTES, "the table ends where frames begin");
_Static_assert(QUEUE_SOURCE_SLOT_BYTES >= 16 + SOURCE_NAME_BYTES_MAX, "a slot holds the longest name");

/* Kept free of bulk data, so that OPEN and END of every source always find room: 32 bytes each, and some PADs. */
#define QUEUE_RESERVED_BYTES (SOURCES_MAX * 2 * QUEUE_FRAME_HEADER_BYTES + 4096)

struct queue {
  u8 *map;
  u64 head; /* written up to here */
  u64 tail; /* acknowledged up to here */
  u64 touched; /* bytes of the area, from its beginning, that may have pages */
  u64 announced; /* the engine was told of frames up to here */
  int fd;          /* ours, writable */
  int readable_fd; /* the engine's, read-only */
};

struct frame {
  u32 kind, slot, id, detail, payload_bytes;
};

/* Makes the memory file. 0 or -errno. */
int queue_open(struct queue *queue);
/* Takes up the memory file of another process, whose descriptor is in `queue->fd`. False if it is none. */
bool queue_take(struct queue *queue, u64 head, u64 tail);
/* Whether a frame fits and `keep` bytes stay free. */
bool queue_has_room(const struct queue *queue, u32 payload_bytes, u32 keep);
/* How many reads of the largest size surely fit beside what is kept free. */
u32 queue_fitting_reads(const struct queue *queue);
/* Where the next frame's payload goes; the caller has asked queue_has_room. May write a PAD. */
u8 *queue_payload(struct queue *queue, u32 payload_bytes);
/* Completes the frame whose payload was written where queue_payload said; stamps it with now. */
void queue_commit(struct queue *queue, const struct frame *frame);
/* A frame without payload. */
void queue_put(struct queue *queue, const struct frame *frame);
/* The engine says that it stored everything up to `position`. False if that can't be. */
bool queue_acknowledge(struct queue *queue, u64 position);
/* Whether the queue is empty, and holds memory that it could give back. */
bool queue_wants_rewind(const struct queue *queue);
/* Goes back to the area's beginning, if it is far from it, and returns the pages. A PAD must be acknowledged before all room is there again. */
void queue_rewind(struct queue *queue);
void queue_write_slot(struct queue *queue, u32 slot, u32 id, u32 kind, u32 token, const char *name, u32 name_bytes);
void queue_clear_slot(struct queue *queue, u32 slot);
