/* Connections of syslog over TCP: nobody may have all of them. */
#pragma once

#include "inputs/sources.h"

/* Who is counted as one: an IPv4 address, or the 64 bits of an IPv6 address that name a network. `address` is a sockaddr. */
u64 network_of(const u8 *address);
/* The source is a connection from now on. */
void connection_begin(struct sources *sources, struct source *source);
/* How many open connections are of this network. */
u32 connections_of_network(const struct sources *sources, u64 network);
/*
 * Ends a connection to make room: of the network that has most, the one from which nothing has come for longest, a second
 * at least, and of which everything has been read. False if there is none.
 */
bool connections_end_silent(struct sources *sources, u64 now_ms);
