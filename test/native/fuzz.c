/*
 * The intake against random senders and a random engine, in one process. Arguments: seed, operations, and `damage` to
 * damage the queue, or `threads` to let some operations on descriptors block until the guard abandons their thread. The seed decides every operation. After each one the intake runs one turn and its invariants are
 * checked. A model knows what was written to every source and compares it with what comes out of the queue: no byte
 * lost, repeated or out of order, every datagram counted, no descriptor left open. This file stands in for
 * engine-process.c, so nothing is forked or killed.
 */
#include "intake/intake.c"

#include "system/unix-socket.h"

#define MODELS_MAX 48
#define NAME_TEXT_MAX 700

struct model {
  bool is_used, is_opened, has_ended, may_be_lost, was_closed_early, is_datagram;
  int writer;
  u32 key, id;
  u64 written, received;
};

struct fuzz {
  struct intake intake;
  struct process process;
  struct model models[MODELS_MAX];
  int log, syslog, engine; /* our ends */
  u64 random, seen;        /* seen: queue position up to which the engine has stored frames */
  u64 boundaries[64];      /* some positions between frames, to acknowledge */
  u32 boundary_count, next_key;
  u64 datagrams_sent, datagrams_seen, datagrams_lost, frames, engine_deaths, eofs, refused;
  bool is_short_of_descriptors, is_holding;
  u64 operations, done, abandoned;
  u32 descriptors;      /* open at the beginning */
  bool damages, blocks; /* what the third argument asks for */
  u32 blocking;         /* the next operation that the guard watches blocks */
};

/* Far longer than the guard waits, and of different lengths. */
#define BLOCKED_MS 400
#define BLOCKED_MORE_MS 300
/* One in so many operations makes a call block. */
#define OPERATIONS_PER_BLOCK 4000

static struct fuzz *the_fuzz;

static bool can_block(long number) {
  return number == NR_read || number == NR_pread64 || number == NR_recvfrom || number == NR_recvmmsg ||
         number == NR_close || number == NR_statx;
}

/* A call of a watched operation blocks before it is made, or after that: then its result is late. */
long shim_syscall(long number, long a, long b, long c, long d, long e, long f) {
  struct fuzz *fuzz = the_fuzz;
  bool is_inside = fuzz != NULL && __atomic_load_n(&fuzz->intake.guard.turn, __ATOMIC_ACQUIRE) % 2 == 1;
  bool is_worker = is_inside && fuzz->intake.guard.worker->tid == (u32)kernel_call(NR_gettid, 0, 0, 0, 0, 0, 0);
  if (!is_worker || !can_block(number) || __atomic_exchange_n(&fuzz->blocking, 0, __ATOMIC_ACQ_REL) == 0)
    return kernel_call(number, a, b, c, d, e, f);
  struct timespec time = {0, (BLOCKED_MS + (i64)(fuzz->random % BLOCKED_MORE_MS)) * 1000000};
  bool is_late = fuzz->random % 2 == 0;
  long result = is_late ? kernel_call(number, a, b, c, d, e, f) : 0;
  kernel_call(NR_ppoll, 0, 0, (long)&time, 0, 8, 0);
  return is_late ? result : kernel_call(number, a, b, c, d, e, f);
}

/* ---- chance ---- */

static u64 draw(struct fuzz *fuzz) {
  fuzz->random ^= fuzz->random >> 12;
  fuzz->random ^= fuzz->random << 25;
  fuzz->random ^= fuzz->random >> 27;
  return fuzz->random * 0x2545f4914f6cdd1dull >> 16;
}
static u32 below(struct fuzz *fuzz, u32 limit) { return (u32)(draw(fuzz) % limit); }

__attribute__((noreturn)) static void die(const char *what, u64 a, u64 b) {
  struct text text;
  text_start(&text, "fuzz: ");
  text_add(&text, what);
  text_add(&text, " ");
  text_number(&text, (i64)a);
  text_add(&text, " ");
  text_number(&text, (i64)b);
  text_print(&text, 2);
  sys_exit(1);
}
#define MUST(condition, a, b) ((condition) ? (void)0 : die(#condition, (u64)(a), (u64)(b)))

/* ---- engine-process.c, without a process ---- */

void engine_reset(struct engine *engine) { engine->control = -1; }
void engine_start_if_due(struct engine *engine, struct holdings *holdings, u64 now_ms) {
  (void)engine, (void)holdings, (void)now_ms;
}
void engine_check_stall(struct engine *engine, struct events *events, u64 now_ms) {
  (void)engine, (void)events, (void)now_ms;
}
bool engine_reap(struct engine *engine, int *status) {
  (void)engine, (void)status;
  return false;
}
void engine_ended(struct engine *engine, u64 now_ms) { (void)engine, (void)now_ms; }
bool engine_end_now(struct engine *engine, u64 now_ms) {
  (void)engine, (void)now_ms;
  return false;
}
i64 engine_due_ms(const struct engine *engine, u64 now_ms) {
  (void)engine, (void)now_ms;
  return -1;
}
void engine_kill(struct engine *engine) {
  if (engine->control >= 0) sys_close(engine->control);
  engine->control = -1;
  engine->is_synced = engine->is_notified = false;
}
void engine_disconnect(struct engine *engine) { engine_kill(engine); }

/* ---- takeover.c: another test's subject ---- */

bool takeover_is_allowed(const struct takeover_request *request, const struct listeners *listeners) {
  (void)request, (void)listeners;
  return false;
}
bool takeover_send(struct holdings *holdings, int peer) {
  (void)holdings, (void)peer;
  return false;
}
void front(int count, char **args, char **environment, const char *path) {
  (void)count, (void)args, (void)environment, (void)path;
}

static void send_to_intake(struct fuzz *fuzz, u32 type, u32 argument, u64 value) {
  u8 message[16];
  put_u32(message, type);
  put_u32(message + 4, argument);
  put_u64(message + 8, value);
  sys_send(fuzz->engine, message, sizeof message);
}

/* A new engine: it begins where the last one had stored, as the ring file would say. */
static void connect_engine(struct fuzz *fuzz) {
  struct engine *engine = &fuzz->intake.engine;
  int ends[2];
  if (engine->control >= 0) return;
  if (fuzz->engine >= 0) sys_close(fuzz->engine);
  fuzz->engine = -1;
  if (sys_socketpair(SOCK_STREAM | SOCK_CLOEXEC, ends) < 0) return;
  engine->control = ends[0];
  fuzz->engine = ends[1];
  engine->bytes = 0;
  engine->is_synced = engine->is_notified = engine->is_stopping = false;
  fuzz->engine_deaths++;
  send_to_intake(fuzz, CONTROL_ACK, 0, fuzz->seen);
}

/* ---- what comes out ---- */

static u8 byte_at(const struct model *model, u64 offset) { return (u8)(offset * 31 + model->key * 7 + (offset >> 8)); }

static struct model *model_of_id(struct fuzz *fuzz, u32 id) {
  for (u32 n = 0; n < MODELS_MAX; n++)
    if (fuzz->models[n].is_used && fuzz->models[n].is_opened && fuzz->models[n].id == id) return &fuzz->models[n];
  return NULL;
}

static void see_open(struct fuzz *fuzz, u32 slot, u32 id) {
  const u8 *at = fuzz->intake.holdings.queue.map + QUEUE_HEADER_BYTES + slot * QUEUE_SOURCE_SLOT_BYTES;
  MUST(get_u32(at) == id, get_u32(at), id);
  u32 bytes = at[6] | (u32)at[7] << 8;
  MUST(bytes <= SOURCE_NAME_BYTES_MAX, bytes, 0);
  if (bytes < 5 || at[16] != 'k') return;
  u32 key = get_u32(at + 17);
  for (u32 n = 0; n < MODELS_MAX; n++) {
    struct model *model = &fuzz->models[n];
    if (!model->is_used || model->key != key) continue;
    MUST(!model->is_opened, key, id);
    model->is_opened = true;
    model->id = id;
  }
}

static void see_frame(struct fuzz *fuzz, const u8 *at) {
  u32 bytes = get_u32(at), kind = at[4] | (u32)at[5] << 8, slot = at[6] | (u32)at[7] << 8, id = get_u32(at + 8);
  struct model *model = model_of_id(fuzz, id);
  MUST(bytes <= QUEUE_PAYLOAD_BYTES_MAX || kind == FRAME_KIND_PAD, bytes, kind);
  MUST(get_u32(at + 20) < 1000000000 && get_u32(at + 28) < 1000000000, 0, 0);
  if (kind == FRAME_KIND_OPEN && id == 0) MUST(bytes == 4 && get_u32(at + 32) != 0, bytes, get_u32(at + 32));
  if (kind == FRAME_KIND_OPEN && id != 0) see_open(fuzz, slot, id);
  if (kind == FRAME_KIND_DATA && model != NULL) {
    MUST(!model->has_ended && bytes > 0 && bytes <= QUEUE_READ_BYTES_MAX, bytes, model->key);
    for (u32 n = 0; n < bytes; n++, model->received++)
      MUST(at[32 + n] == byte_at(model, model->received), model->key, model->received);
  }
  if (kind == FRAME_KIND_END && model != NULL) {
    MUST(model->writer < 0 || model->was_closed_early, model->key, model->received);
    MUST(model->received == model->written || model->was_closed_early, model->received, model->written);
    model->has_ended = true;
    fuzz->eofs++;
    if (model->writer >= 0) sys_close(model->writer);
    model->is_used = false;
  }
  if (kind == FRAME_KIND_DATAGRAM) fuzz->datagrams_seen++;
  if (kind == FRAME_KIND_EVENT && get_u32(at + 12) == EVENT_DATAGRAMS_LOST) fuzz->datagrams_lost += get_u32(at + 32);
  if (kind == FRAME_KIND_EVENT && get_u32(at + 12) == EVENT_DESCRIPTOR_REFUSED) fuzz->refused += get_u32(at + 32);
  MUST(kind <= FRAME_KIND_EVENT, kind, 0);
}

/* Looks at up to `count` frames below what was announced. */
static void see_frames(struct fuzz *fuzz, u64 end, u32 count) {
  struct queue *queue = &fuzz->intake.holdings.queue;
  for (; count > 0 && fuzz->seen < end; count--) {
    u64 rest = QUEUE_BYTES_DEFAULT - fuzz->seen % QUEUE_BYTES_DEFAULT;
    if (rest < QUEUE_FRAME_HEADER_BYTES) {
      fuzz->seen += rest;
      continue;
    }
    const u8 *at = queue->map + QUEUE_FRAMES_OFFSET + fuzz->seen % QUEUE_BYTES_DEFAULT;
    u64 step = (QUEUE_FRAME_HEADER_BYTES + (u64)get_u32(at) + 7) & ~7ull;
    MUST(step <= rest && fuzz->seen + step <= queue->head, step, rest);
    see_frame(fuzz, at);
    fuzz->frames++;
    fuzz->seen += step;
    fuzz->boundaries[fuzz->boundary_count++ % 64] = fuzz->seen;
  }
}

/* ---- what goes in ---- */

/* Datagrams that were lost and have not been reported yet. */
static u32 lost_datagrams(struct fuzz *fuzz) {
  const struct event *slots = fuzz->intake.holdings.events.slots + EVENT_CODES;
  u32 count = 0;
  for (u32 kind = 0; kind < EVENT_LOSS_KINDS; kind++) count += slots[kind].count;
  return count;
}

/* One turn of the intake's loop, with the fuzzer's clock. */
static void run_turn(struct fuzz *fuzz) {
  struct intake *intake = &fuzz->intake;
  struct holdings *holdings = &intake->holdings;
  struct pollfd fds[ON_COUNT];
  intake->now_us = intake->now_ms * 1000;
  note_fullness(intake);
  events_flush(&holdings->events, &holdings->queue, intake->now_ms, false);
  rewind_when_quiet(intake);
  control_notify(&intake->engine, &holdings->queue, intake->now_ms);
  check_invariants(holdings, &intake->engine);
  choose(intake, fds);
  sys_poll(fds, ON_COUNT, 0);
  u64 full_since_ms = intake->watch.full_since_ms;
  u32 lost = lost_datagrams(fuzz);
  handle(intake, fds);
  /* However the queue became full: senders have had their time. What a blocked thread dropped may be counted later. */
  bool had_time = fuzz->blocks || (full_since_ms != 0 && intake->now_ms >= full_since_ms + DATAGRAM_WAIT_MS);
  MUST(had_time || lost_datagrams(fuzz) == lost, lost_datagrams(fuzz), lost);
}

/* Opens a source that the model follows. */
static void open_source(struct fuzz *fuzz) {
  u8 name[NAME_TEXT_MAX];
  int ends[2];
  u32 n = below(fuzz, MODELS_MAX), kind = below(fuzz, 3);
  struct model *model = &fuzz->models[n];
  if (model->is_used) return;
  int result = kind == 0 ? sys_pipe2(ends, O_CLOEXEC)
                         : sys_socketpair((kind == 1 ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, ends);
  if (result < 0) return;
  zero_bytes(model, sizeof *model);
  model->is_used = true;
  model->key = fuzz->next_key++;
  model->writer = ends[1];
  model->is_datagram = kind == 2;
  model->may_be_lost = fuzz->is_short_of_descriptors || fuzz->intake.holdings.sources.free.count < 4 || fuzz->blocks;
  sys_fcntl(ends[1], F_SETFL, O_NONBLOCK);
  u32 bytes = 5 + below(fuzz, below(fuzz, 4) == 0 ? NAME_TEXT_MAX - 5 : 30);
  for (u32 at = 0; at < bytes; at++) name[at] = (u8)draw(fuzz);
  name[0] = 'k';
  put_u32(name + 1, model->key);
  send_descriptors(fuzz->log, name, bytes, &ends[0], 1, MSG_DONTWAIT);
  sys_close(ends[0]);
  run_turn(fuzz); /* so that this datagram is not lost to a full socket */
}

/* A datagram with whatever: no descriptor, many, of every kind that may be refused or end at once. */
static void send_nonsense(struct fuzz *fuzz) {
  u8 name[NAME_TEXT_MAX];
  int fds[253], made[8], ends[2];
  u32 count = below(fuzz, 8) == 0 ? 253 : below(fuzz, 6), kinds = 0;
  for (u32 at = 0; at < sizeof name; at++) name[at] = (u8)draw(fuzz);
  name[0] = 'x';
  made[kinds++] = sys_open("/", O_RDONLY | O_CLOEXEC);
  made[kinds++] = sys_open("/dev/null", O_RDWR | O_CLOEXEC);
  made[kinds++] = sys_epoll_create();
  made[kinds++] = sys_memfd_create("x", MFD_CLOEXEC);
  if (sys_pipe2(ends, O_CLOEXEC) == 0) made[kinds++] = ends[0], made[kinds++] = ends[1];
  /* Only one end: a source that holds its own writer would never end. */
  if (sys_socketpair(SOCK_STREAM | SOCK_CLOEXEC, ends) == 0) made[kinds++] = ends[0], sys_close(ends[1]);
  if (made[3] >= 0) sys_write(made[3], name, below(fuzz, sizeof name)), sys_lseek(made[3], below(fuzz, 100), 0);
  for (u32 n = 0; n < count; n++) fds[n] = made[below(fuzz, kinds)];
  for (u32 n = 0; n < count; n++) count = fds[n] < 0 ? 0 : count;
  send_descriptors(fuzz->log, name, below(fuzz, sizeof name), fds, count, MSG_DONTWAIT);
  for (u32 n = 0; n < kinds; n++) sys_close(made[n]);
}

static void write_source(struct fuzz *fuzz) {
  struct model *model = &fuzz->models[below(fuzz, MODELS_MAX)];
  u8 bytes[6000];
  if (!model->is_used || model->writer < 0) return;
  u32 count = 1 + below(fuzz, below(fuzz, 3) == 0 ? sizeof bytes : 100);
  for (u32 n = 0; n < count; n++) bytes[n] = byte_at(model, model->written + n);
  long put = sys_write(model->writer, bytes, count);
  if (put > 0) model->written += (u64)put;
  else MUST(put == -EAGAIN || model->was_closed_early || model->may_be_lost, 0 - put, model->key);
}

static void close_source(struct fuzz *fuzz) {
  struct model *model = &fuzz->models[below(fuzz, MODELS_MAX)];
  if (!model->is_used || model->writer < 0) return;
  sys_close(model->writer);
  model->writer = -1;
  if (model->may_be_lost && !model->is_opened) model->is_used = false;
}

static void send_syslog(struct fuzz *fuzz) {
  u8 bytes[3000];
  int fds[3] = {fuzz->log, fuzz->log, fuzz->log};
  u32 count = below(fuzz, 8) == 0 ? below(fuzz, sizeof bytes) : below(fuzz, 80);
  for (u32 n = 0; n < count; n++) bytes[n] = (u8)draw(fuzz);
  struct iovec part = {bytes, count};
  struct msghdr message = {NULL, 0, &part, 1, NULL, 0, 0};
  if (below(fuzz, 50) == 0) {
    run_turn(fuzz);
    send_descriptors(fuzz->syslog, bytes, count, fds, 3, MSG_DONTWAIT);
    fuzz->datagrams_sent++;
    return;
  }
  if (sys_sendmsg(fuzz->syslog, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) fuzz->datagrams_sent++;
}

static void engine_message(struct fuzz *fuzz) {
  u8 bytes[5000];
  if (fuzz->engine < 0) return;
  switch (below(fuzz, 12)) {
    case 0: {
      struct model *model = &fuzz->models[below(fuzz, MODELS_MAX)];
      if (model->is_used && model->is_opened) model->was_closed_early = true;
      u32 id = model->is_used && model->is_opened ? model->id : 0xfffffff0u + below(fuzz, 16);
      return send_to_intake(fuzz, CONTROL_CLOSE, id, draw(fuzz));
    }
    case 1: return send_to_intake(fuzz, below(fuzz, 2) ? CONTROL_READY : CONTROL_SYNC, below(fuzz, 1000), draw(fuzz));
    case 2: { /* a well-formed OPEN of a path that does not exist or is not a FIFO */
      u32 count = 6 + below(fuzz, 200);
      for (u32 n = 0; n < count; n++) bytes[n] = (u8)('a' + below(fuzz, 20));
      bytes[4] = '/';
      bytes[5 + below(fuzz, count - 5)] = 0;
      send_to_intake(fuzz, CONTROL_OPEN, below(fuzz, 3) == 0 ? below(fuzz, 9) : SOURCE_KIND_DOCKER, count);
      sys_send(fuzz->engine, bytes, count);
      return;
    }
    case 3: /* nonsense: this engine will be killed */
      for (u32 n = 0; n < sizeof bytes; n++) bytes[n] = (u8)draw(fuzz) & (below(fuzz, 2) ? 7 : 255);
      sys_send(fuzz->engine, bytes, 1 + below(fuzz, sizeof bytes));
      return;
    case 4:
      return send_to_intake(fuzz, CONTROL_ACK, 0,
                            below(fuzz, 2) ? draw(fuzz) | 1ull << 40
                                           : fuzz->intake.holdings.queue.announced + QUEUE_BYTES_DEFAULT);
    case 5: /* dies */
      sys_close(fuzz->engine);
      fuzz->engine = -1;
      return;
    default: /* one message in two pieces */
      put_u32(bytes, CONTROL_READY);
      zero_bytes(bytes + 4, 12);
      sys_send(fuzz->engine, bytes, 7);
      run_turn(fuzz);
      if (fuzz->engine >= 0) sys_send(fuzz->engine, bytes + 7, 9);
  }
}

static void engine_works(struct fuzz *fuzz) {
  u8 drain[4096];
  struct intake *intake = &fuzz->intake;
  connect_engine(fuzz);
  if (fuzz->engine < 0) return;
  sys_recv(fuzz->engine, drain, sizeof drain, 0);
  see_frames(fuzz, intake->holdings.queue.announced, 1 + below(fuzz, 200));
  /* Everything that was seen is stored; the ACK may lag behind. */
  u64 position = below(fuzz, 4) == 0 && fuzz->boundary_count > 64 ? fuzz->boundaries[below(fuzz, 64)] : fuzz->seen;
  if (position >= intake->holdings.queue.tail) send_to_intake(fuzz, CONTROL_ACK, 0, position);
}

static void shortage(struct fuzz *fuzz, bool on) {
  struct rlimit64 limit = {on ? 20 + below(fuzz, 100) : 1000, 1000};
  fuzz->is_short_of_descriptors = on;
  sys_prlimit(RLIMIT_NOFILE, &limit, NULL);
}

static void operate(struct fuzz *fuzz) {
  u32 what = below(fuzz, 1000);
  fuzz->intake.now_ms += below(fuzz, 10);
  if (fuzz->blocks && below(fuzz, OPERATIONS_PER_BLOCK) == 0) __atomic_store_n(&fuzz->blocking, 1, __ATOMIC_RELEASE);
  if (what < 60) open_source(fuzz);
  else if (what < 80) send_nonsense(fuzz);
  else if (what < 500) write_source(fuzz);
  else if (what < 540) close_source(fuzz);
  else if (what < 700) send_syslog(fuzz);
  else if (what < 720) engine_message(fuzz);
  else if (what < 722) shortage(fuzz, true);
  else if (what < 732) shortage(fuzz, false);
  else if (what < 733) fuzz->intake.now_ms += 5000;
  else if (what < 734) fuzz->is_holding = below(fuzz, 3) != 0;
  else if (what < 900 && !fuzz->is_holding) engine_works(fuzz);
  run_turn(fuzz);
}

/* ---- beginning and end ---- */

static u32 count_descriptors(void) {
  u32 count = 0;
  for (int fd = 0; fd < 1000; fd++) count += sys_fcntl(fd, F_GETFD, 0) >= 0;
  return count;
}

static bool queue_damage(struct fuzz *fuzz) {
  u8 *at = fuzz->intake.holdings.queue.map + QUEUE_FRAMES_OFFSET + fuzz->seen % QUEUE_BYTES_DEFAULT;
  bool is_data = fuzz->seen < fuzz->intake.holdings.queue.head && at[4] == FRAME_KIND_DATA &&
                 model_of_id(fuzz, get_u32(at + 8)) != NULL;
  if (is_data) at[QUEUE_FRAME_HEADER_BYTES] ^= 1;
  return is_data;
}

static void settle(struct fuzz *fuzz) {
  shortage(fuzz, false);
  for (u32 n = 0; n < MODELS_MAX; n++) {
    struct model *model = &fuzz->models[n];
    if (model->is_used && model->writer >= 0) sys_close(model->writer);
    model->writer = -1;
  }
  for (u32 n = 0; n < 3000; n++) {
    fuzz->intake.now_ms += 20;
    run_turn(fuzz);
    engine_works(fuzz);
  }
  for (u32 n = 0; n < MODELS_MAX; n++) {
    struct model *model = &fuzz->models[n];
    MUST(!model->is_used || model->may_be_lost, model->key, model->received);
  }
  MUST(fuzz->datagrams_sent == fuzz->datagrams_seen + fuzz->datagrams_lost, fuzz->datagrams_sent,
       fuzz->datagrams_seen + fuzz->datagrams_lost);
  /* Own slot: the syslog socket's. */
  MUST(fuzz->intake.holdings.sources.free.count + 1 == SOURCES_MAX, fuzz->intake.holdings.sources.free.count,
       SOURCES_MAX);
}

static void report(const struct fuzz *fuzz) {
  struct text text;
  text_start(&text, "frames ");
  text_number(&text, (i64)fuzz->frames);
  text_add(&text, ", datagrams ");
  text_number(&text, (i64)fuzz->datagrams_seen);
  text_add(&text, " and lost ");
  text_number(&text, (i64)fuzz->datagrams_lost);
  text_add(&text, ", ends ");
  text_number(&text, (i64)fuzz->eofs);
  text_add(&text, ", refused ");
  text_number(&text, (i64)fuzz->refused);
  text_add(&text, ", engines ");
  text_number(&text, (i64)fuzz->engine_deaths);
  if (fuzz->blocks) {
    text_add(&text, ", abandoned ");
    text_number(&text, (i64)fuzz->abandoned);
  }
  text_print(&text, 1);
}

/* All operations; after one that was abandoned, those that are left. */
static void fuzz_loop(void *context, const struct operation *abandoned, struct worker *worker) {
  struct fuzz *fuzz = context;
  if (abandoned != NULL) {
    note_abandoned(&fuzz->intake, abandoned, worker);
    fuzz->abandoned++;
  }
  while (fuzz->done < fuzz->operations) {
    fuzz->done++;
    operate(fuzz);
    /* The harness itself is checked: one damaged byte in a frame that the engine has not seen must be found. */
    if (fuzz->damages && fuzz->done > fuzz->operations / 2 && queue_damage(fuzz)) fuzz->damages = false;
  }
  __atomic_store_n(&fuzz->blocking, 0, __ATOMIC_RELEASE);
  while (guard_has_abandoned(&fuzz->intake.guard)) {
    sys_poll(NULL, 0, 1);
    note_reports(&fuzz->intake.guard);
    run_turn(fuzz);
    engine_works(fuzz);
  }
  settle(fuzz);
  MUST(count_descriptors() == fuzz->descriptors, count_descriptors(), fuzz->descriptors);
  report(fuzz);
  sys_exit(0);
}

int main(int count, char **args) {
  u64 seed = 1;
  struct fuzz *fuzz = sys_memory(sizeof *fuzz);
  struct intake *intake = &fuzz->intake;
  int ends[2];
  fuzz->operations = 100000;
  if (count > 1) parse_number(args[1], ~0ull >> 8, &seed);
  if (count > 2) parse_number(args[2], ~0ull >> 8, &fuzz->operations);
  fuzz->damages = count > 3 && strings_equal(args[3], "damage");
  fuzz->blocks = count > 3 && strings_equal(args[3], "threads");
  fuzz->random = seed * 0x9e3779b97f4a7c15ull + 1;
  fuzz->engine = -1;
  intake->engine.launch.process = &fuzz->process;
  listeners_reset(&intake->holdings.listeners);
  shortage(fuzz, false);
  MUST(intake_prepare(intake) && intake_start(intake), 0, 0);
  intake->holdings.sources.descriptors_max = 1000;
  struct listeners *listeners = &intake->holdings.listeners;
  sys_socketpair(SOCK_DGRAM | SOCK_CLOEXEC, ends);
  listeners->log = ends[0], fuzz->log = ends[1];
  sys_socketpair(SOCK_DGRAM | SOCK_CLOEXEC, ends);
  listeners->syslog = ends[0], fuzz->syslog = ends[1];
  sys_set_socket_number(ends[0], SO_PASSCRED, 1);
  syslog_start(&intake->holdings.syslog, listeners, &intake->holdings.sources);
  connect_engine(fuzz);
  fuzz->descriptors = count_descriptors();
  the_fuzz = fuzz;
  if (fuzz->blocks) guard_run(&intake->guard, fuzz_loop, fuzz);
  fuzz_loop(fuzz, NULL, NULL);
  return 0;
}
