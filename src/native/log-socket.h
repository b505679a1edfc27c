/* The log socket: each datagram is a source's name and brings descriptors. docs/PROTOCOL.md, section 1. */
#pragma once

#include "sources.h"

/*
 * Reads some datagrams and adopts their descriptors. Returns the descriptor of a memlogd that asks to take over, which
 * the caller then owns, or -1.
 */
int log_socket_read(int fd, struct sources *sources);
