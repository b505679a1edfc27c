/* Runs a JavaScript role of this executable that parses the command line, and reads its answer. */
#pragma once

#include "constants.h"
#include "sys.h"

/* The process as the kernel started it. */
struct process {
  char **args;        /* args[0] is the name */
  int count;          /* how many args */
  char **environment;
  const char *path;   /* of the executable, where /proc is missing */
  u64 mask;           /* signals that were blocked when we started */
  u64 sigchld;        /* disposition of SIGCHLD when we started */
  u64 sigpipe;        /* and of SIGPIPE */
};

/* `key=value` strings, each ended by NUL, an empty one last. */
struct config {
  u32 bytes;
  char at[CONFIG_BYTES_MAX + 1];
};

/* Becomes the JavaScript `role`, with args. Returns only if that fails: -errno. */
int become_role(const struct process *process, const char *role, char *const *args);
/* True: the config is complete. False: *status is what to exit with. */
bool run_config(const struct process *process, const char *role, char *const *args, struct config *config, int *status);
/* True: `args` is a command line whose config the build has found out; src/build/ready-configs.ts. */
bool ready_config(char *const *args, struct config *config);
/* The value of `key`, or NULL. */
const char *config_value(const struct config *config, const char *key);
/* The value as a number, or `otherwise` if it is missing or not one. */
u64 config_number(const struct config *config, const char *key, u64 otherwise);
/* A wait status as a shell shows it: 128 + n for a signal. */
int exit_status(int wait_status);
