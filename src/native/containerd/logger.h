/* memlogd-containerd: the program behind containerd's `--log-uri binary:///usr/bin/memlogd-containerd`. */
#pragma once

#include "start/config.h"

/*
 * Passes a container's output to memlogd and stays until it has ended. containerd's contract (its core/runtime/v2/README.md,
 * "Logging", and cmd/containerd-shim-runc-v2/process/io.go): descriptors 3 and 4 are the reading ends of the container's
 * stdout and stderr, the container starts when 5 is closed, CONTAINER_NAMESPACE and CONTAINER_ID are in the environment,
 * and SIGTERM comes when the task is deleted.
 */
__attribute__((noreturn)) void containerd_logger(const struct process *process, char *const *args);
