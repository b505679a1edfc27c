/* Going into the background, and what a process of ours needs to stand on. */
#pragma once

#include "config.h"
#include "text.h"

/* Makes sure that descriptors 0, 1 and 2 are open, so that nothing of ours ever gets their numbers. */
void hold_standard_descriptors(void);
/* Closes what the caller left open, except up to two descriptors (-1: none). */
void close_inherited(int keep, int keep_too);
/*
 * Forks. In the parent: waits for the child's word, says it, exits. Returns in the child, with the descriptor for
 * daemonize_done; *error_number tells of a failure.
 */
int daemonize_fork(void);
/* Lets go of the terminal and of the caller's folder. */
void daemonize_done(int answer);
/* The child failed: the parent says why and exits with the error's status. */
__attribute__((noreturn)) void daemonize_failed(int answer, struct text *error);
