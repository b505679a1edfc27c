/* Detaching from the caller: descriptors, and going into the background. */
#pragma once

#include "start/config.h"
#include "system/text.h"

/* A file that is empty for ever, to stand where /dev/null would. The descriptor, or -errno. */
int open_empty_file(void);
/*
 * Makes sure that descriptors 0, 1 and 2 are open, so that no descriptor of ours gets one of these numbers. What is
 * written to a standard output that was closed vanishes (`output_mode` O_RDWR), or fails (O_RDONLY).
 */
void hold_standard_descriptors(int output_mode);
/* Closes the descriptors that the caller left open, except 0, 1, 2 and these two (-1: none). */
void close_inherited(int keep, int keep_too);
/*
 * Forks. The parent waits for the child's report, prints it and exits. Returns in the child, with the descriptor for
 * daemonize_done or daemonize_failed.
 */
int daemonize_fork(void);
/* Leaves the terminal and the working directory, and reports success to the parent. */
void daemonize_done(int answer);
/* Reports the error to the parent, and exits with the error's status. */
__attribute__((noreturn)) void daemonize_failed(int answer, struct text *error);
