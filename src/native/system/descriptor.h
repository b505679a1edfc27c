/* Descriptors of somebody else: what they refer to, and how they are used without waiting. */
#pragma once

#include "system/sys.h"

/*
 * S_IFSOCK or S_IFIFO, 0 for everything else. Never asks a file system, which may not answer: FUSE is another process.
 */
u32 descriptor_type(int fd);
/*
 * Opens a pipe, FIFO or device again, with O_NONBLOCK on a description that nobody else uses. `mode`: O_RDONLY,
 * O_WRONLY or O_RDWR. The descriptor, or -errno.
 */
int descriptor_reopen(int fd, int mode);
