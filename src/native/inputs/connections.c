/* Connections of syslog over TCP, and whose they are; see connections.h. */
#include "inputs/connections.h"

/* A connection makes room for others only after this: then its sender is hardly in the middle of a message. */
#define SILENT_MS 1000

u64 network_of(const u8 *address) {
  static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
  u32 family = get_u16(address);
  if (family == AF_INET) return (u64)0xffff << 32 | get_u32(address + 4);
  if (family != AF_INET6) return 0;
  const u8 *ipv6 = address + 8;
  bool is_ipv4 = equal_bytes((const char *)ipv6, (const char *)mapped, sizeof mapped);
  return is_ipv4 ? (u64)0xffff << 32 | get_u32(ipv6 + 12) : get_u64(ipv6);
}

/* Whose connection it is; 0 if it has ended already. */
static u64 network_of_peer(int fd) {
  u8 address[sizeof(struct sockaddr_in6)] __attribute__((aligned(8))) = {0};
  u32 bytes = sizeof address;
  return sys_getpeername(fd, address, &bytes) < 0 ? 0 : network_of(address);
}

void connection_begin(struct sources *sources, struct source *source) {
  sources->connections++;
  source->network = network_of_peer(source->fd);
  source->active_ms = clock_ms();
}

static bool is_open_connection(const struct source *source) {
  return source->kind == SOURCE_KIND_SYSLOG_TCP && source->state == SOURCE_OPEN;
}

u32 connections_of_network(const struct sources *sources, u64 network) {
  u32 count = 0;
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    const struct source *source = &sources->slots[slot];
    count += is_open_connection(source) && source->network == network;
  }
  return count;
}

/* The open connections' slots. How many. */
static u32 find_connections(const struct sources *sources, u16 slots[SYSLOG_CONNECTIONS_MAX]) {
  u32 count = 0;
  for (u32 slot = 0; slot < SOURCES_MAX && count < SYSLOG_CONNECTIONS_MAX; slot++)
    if (is_open_connection(&sources->slots[slot])) slots[count++] = (u16)slot;
  return count;
}

bool connections_end_silent(struct sources *sources, u64 now_ms) {
  u16 slots[SYSLOG_CONNECTIONS_MAX];
  u32 found = find_connections(sources, slots), chosen = SOURCES_MAX, most = 0, name_bytes = 0;
  for (u32 at = 0; at < found; at++) {
    const struct source *source = &sources->slots[slots[at]];
    if (source->is_alone || now_ms < source->active_ms + SILENT_MS || waiting_bytes(source->fd) > 0) continue;
    u32 count = 0;
    for (u32 other = 0; other < found; other++) count += sources->slots[slots[other]].network == source->network;
    bool is_better = count > most || (count == most && source->active_ms < sources->slots[chosen].active_ms);
    if (is_better) chosen = slots[at], most = count;
  }
  if (chosen == SOURCES_MAX) return false;
  const char *name = queue_slot_name(sources->queue, chosen, &name_bytes);
  event_count(sources->events, EVENT_CONNECTION_ENDED, 1, SOURCE_KIND_SYSLOG_TCP, name, name_bytes);
  source_end(sources, chosen, 0);
  return true;
}
