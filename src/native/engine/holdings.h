/* What a memlogd holds for others and hands over to the next one: sockets, sources, readers, the queue and the ring. */
#pragma once

#include "queue/events.h"
#include "inputs/listen.h"
#include "engine/peer.h"
#include "queue/queue.h"
#include "inputs/sources.h"
#include "inputs/syslog.h"

struct holdings {
  struct listeners listeners;
  struct queue queue;
  int ring_fd;
  struct sources sources;
  struct events events;
  struct kept_readers readers;
  struct syslog syslog;
  u32 kmsg_slot;
  u32 taken_from; /* pid of the memlogd that these came from, 0 if they are new */
};
