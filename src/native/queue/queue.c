/* The frame queue; see queue.h. */
#include "queue/queue.h"

#include "system/text.h"

/* An idle queue returns to the beginning of its area from here on, so that few pages stay in use. */
#define QUEUE_REWIND_BYTES (512 * 1024)
/* The larger of the two usual page sizes: 4 KiB, and 64 KiB on some aarch64 kernels. */
#define PAGE_BYTES (64 * 1024)

_Static_assert(QUEUE_REWIND_BYTES < QUEUE_BYTES_DEFAULT, "a rewind starts inside the area");
_Static_assert(QUEUE_RESERVED_BYTES + 4 * QUEUE_PAYLOAD_BYTES_MAX < QUEUE_BYTES_DEFAULT,
               "data fits beside the reserve");

static u32 frame_bytes(u32 payload_bytes) { return (QUEUE_FRAME_HEADER_BYTES + payload_bytes + 7) & ~7u; }

/* Bytes that a frame needs at the head, including what is skipped at the end of the area. */
static u64 bytes_needed(const struct queue *queue, u32 payload_bytes) {
  u64 at = queue->head % QUEUE_BYTES_DEFAULT;
  u64 need = frame_bytes(payload_bytes);
  return at + need > QUEUE_BYTES_DEFAULT ? need + QUEUE_BYTES_DEFAULT - at : need;
}

static const u64 queue_file_bytes = (u64)QUEUE_FRAMES_OFFSET + QUEUE_BYTES_DEFAULT;

/* Whether the kernel counts memory strictly (vm.overcommit_memory, proc(5)): it may then refuse a page. */
static bool is_memory_strict(void) {
  char mode = 0;
  int fd = sys_open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  sys_read(fd, &mode, 1);
  sys_close(fd);
  return mode == '2';
}

/* Takes all pages where they could be refused later: writing to a page that is refused is a SIGBUS. */
static bool take_pages(struct queue *queue) {
  queue->keeps_pages = is_memory_strict();
  return !queue->keeps_pages || UNINTERRUPTED(sys_fallocate(queue->fd, 0, 0, queue_file_bytes)) == 0;
}

static bool map_queue(struct queue *queue) {
  struct text path;
  if (!take_pages(queue)) return false;
  queue->map = sys_mmap(queue_file_bytes, MAP_SHARED | MAP_NORESERVE, queue->fd);
  if (queue->map == NULL) return false;
  text_descriptor_path(&path, queue->fd);
  queue->readable_fd = sys_open(path.at, O_RDONLY | O_CLOEXEC);
  if (queue->readable_fd < 0) queue->readable_fd = queue->fd;
  return true;
}

int queue_open(struct queue *queue) {
  queue->fd = sys_memfd_create("memlogd-queue", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (queue->fd < 0) return queue->fd;
  int error = sys_ftruncate(queue->fd, queue_file_bytes);
  if (error < 0) return error;
  /* Without the seal a faulty engine could shrink the file, and our next access to the map would be a SIGBUS. */
  sys_fcntl(queue->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  if (!map_queue(queue)) return -ENOMEM;
  put_u32(queue->map, QUEUE_MAGIC);
  put_u32(queue->map + 4, QUEUE_VERSION);
  put_u32(queue->map + 8, QUEUE_BYTES_DEFAULT);
  put_u32(queue->map + 12, SOURCES_MAX);
  put_u32(queue->map + 16, QUEUE_SOURCE_SLOT_BYTES);
  return 0;
}

bool queue_adopt(struct queue *queue, u64 head, u64 tail) {
  struct statx status;
  zero_bytes(&status, sizeof status);
  sys_statx(queue->fd, "", AT_EMPTY_PATH, &status);
  /* A file that can shrink while it is mapped could kill this process (SIGBUS). */
  bool is_sealed = sys_is_sealed(queue->fd);
  if (status.size != queue_file_bytes || !is_sealed || !map_queue(queue)) return false;
  queue->head = queue->announced = head;
  queue->tail = tail;
  queue->touched = QUEUE_BYTES_DEFAULT;
  return get_u32(queue->map) == QUEUE_MAGIC && get_u32(queue->map + 12) == SOURCES_MAX;
}

bool queue_has_room(const struct queue *queue, u32 payload_bytes, u32 keep) {
  return bytes_needed(queue, payload_bytes) + keep <= QUEUE_BYTES_DEFAULT - (queue->head - queue->tail);
}

u32 queue_fitting_reads(const struct queue *queue) {
  u64 room = QUEUE_BYTES_DEFAULT - (queue->head - queue->tail);
  /* The largest datagram, and what is skipped for it at the end of the area, fit wherever one read fits. */
  u64 kept = (u64)QUEUE_RESERVED_BYTES + 2 * frame_bytes(QUEUE_PAYLOAD_BYTES_MAX);
  return room <= kept ? 0 : (u32)((room - kept) / frame_bytes(QUEUE_READ_BYTES_MAX));
}

static u8 *frames_at(struct queue *queue, u64 position) {
  return queue->map + QUEUE_FRAMES_OFFSET + position % QUEUE_BYTES_DEFAULT;
}

struct stamp queue_stamp(void) {
  struct stamp stamp;
  sys_clock_gettime(CLOCK_REALTIME, &stamp.real);
  sys_clock_gettime(CLOCK_MONOTONIC, &stamp.mono);
  return stamp;
}

static void write_header(u8 *at, const struct frame *frame, const struct stamp *stamp) {
  put_u32(at, frame->payload_bytes);
  put_u16(at + 4, frame->kind);
  put_u16(at + 6, frame->slot);
  put_u32(at + 8, frame->id);
  put_u32(at + 12, frame->detail);
  put_u32(at + 16, (u32)stamp->real.seconds);
  put_u32(at + 20, (u32)stamp->real.nanos);
  put_u32(at + 24, (u32)stamp->mono.seconds);
  put_u32(at + 28, (u32)stamp->mono.nanos);
}

/* Pads the rest of the area, so that the next frame starts at its beginning. */
static void skip_rest(struct queue *queue) {
  u64 rest = QUEUE_BYTES_DEFAULT - queue->head % QUEUE_BYTES_DEFAULT;
  if (rest >= QUEUE_FRAME_HEADER_BYTES) {
    struct frame pad = {FRAME_KIND_PAD, 0, 0, 0, (u32)rest - QUEUE_FRAME_HEADER_BYTES};
    struct stamp stamp = queue_stamp();
    write_header(frames_at(queue, queue->head), &pad, &stamp);
  }
  queue->head += rest;
}

bool queue_wants_rewind(const struct queue *queue) {
  return !queue->keeps_pages && queue->head == queue->tail && queue->touched > QUEUE_REWIND_BYTES;
}

/* Frees the pages between two offsets of the area. */
static void free_pages(struct queue *queue, u64 from, u64 to) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (from < to) sys_fallocate(queue->fd, mode, QUEUE_FRAMES_OFFSET + from, to - from);
}

void queue_rewind(struct queue *queue) {
  u64 at = queue->head % QUEUE_BYTES_DEFAULT;
  if (at > QUEUE_REWIND_BYTES) {
    /* The page with the PAD's header must stay: the engine has not read it yet. */
    u64 page = at & ~(u64)(PAGE_BYTES - 1);
    skip_rest(queue);
    free_pages(queue, QUEUE_REWIND_BYTES, page);
    free_pages(queue, page + PAGE_BYTES, QUEUE_BYTES_DEFAULT);
  } else {
    free_pages(queue, QUEUE_REWIND_BYTES, QUEUE_BYTES_DEFAULT);
  }
  queue->touched = 0;
}

u8 *queue_payload(struct queue *queue, u32 payload_bytes) {
  if (queue->head % QUEUE_BYTES_DEFAULT + frame_bytes(payload_bytes) > QUEUE_BYTES_DEFAULT) skip_rest(queue);
  return frames_at(queue, queue->head) + QUEUE_FRAME_HEADER_BYTES;
}

void queue_commit(struct queue *queue, const struct frame *frame) {
  struct stamp stamp = queue_stamp();
  queue_commit_at(queue, frame, &stamp);
}

void queue_commit_at(struct queue *queue, const struct frame *frame, const struct stamp *stamp) {
  u8 *at = frames_at(queue, queue->head);
  u32 bytes = frame_bytes(frame->payload_bytes);
  zero_bytes(at + QUEUE_FRAME_HEADER_BYTES + frame->payload_bytes,
             bytes - QUEUE_FRAME_HEADER_BYTES - frame->payload_bytes);
  write_header(at, frame, stamp);
  /* The engine is notified by a system call, and the frame must be complete before it. */
  __atomic_thread_fence(__ATOMIC_RELEASE);
  u64 end = queue->head % QUEUE_BYTES_DEFAULT + bytes;
  if (end > queue->touched) queue->touched = end;
  queue->head += bytes;
}

void queue_put(struct queue *queue, const struct frame *frame) {
  queue_payload(queue, 0);
  queue_commit(queue, frame);
}

bool queue_acknowledge(struct queue *queue, u64 position) {
  if (position < queue->tail || position > queue->announced || position % 8 != 0) return false;
  queue->tail = position;
  put_u64(queue->map + 24, position);
  return true;
}

void queue_write_slot(struct queue *queue, u32 slot, u32 id, u32 kind, u32 token, const char *name, u32 name_bytes) {
  u8 *at = queue->map + QUEUE_HEADER_BYTES + (u64)slot * QUEUE_SOURCE_SLOT_BYTES;
  put_u16(at + 4, kind);
  put_u16(at + 6, name_bytes);
  put_u32(at + 8, token);
  put_u32(at + 12, 0);
  copy_bytes(at + 16, name, name_bytes);
  put_u32(at, id);
}

const char *queue_slot_name(const struct queue *queue, u32 slot, u32 *bytes) {
  const u8 *at = queue->map + QUEUE_HEADER_BYTES + (u64)slot * QUEUE_SOURCE_SLOT_BYTES;
  *bytes = get_u16(at + 6);
  return (const char *)at + 16;
}

void queue_clear_slot(struct queue *queue, u32 slot) {
  put_u32(queue->map + QUEUE_HEADER_BYTES + (u64)slot * QUEUE_SOURCE_SLOT_BYTES, 0);
}
