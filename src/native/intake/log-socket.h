/* The log socket: each datagram is a source's name and brings descriptors. docs/PROTOCOL.md, section 1. */
#pragma once

#include "inputs/sources.h"
#include "intake/takeover.h"

/* A datagram whose descriptors are being adopted. */
struct log_socket {
  u32 name_bytes, next, count;
  int fds[DESCRIPTORS_PER_DATAGRAM_MAX];
  char name[SOURCE_NAME_BYTES_MAX + 1];
};

/* Adopts the descriptors that are left of a datagram: a worker was abandoned while it adopted another one. */
void log_socket_adopt(struct log_socket *socket, struct sources *sources);
/*
 * Reads some datagrams and adopts their descriptors; if they may wait, none while slots are about to become free. Returns
 * a request to take over, whose descriptors the caller owns.
 */
struct takeover_request log_socket_read(struct log_socket *socket, int fd, struct sources *sources, bool may_wait);
