/* The command line, parsed by a JavaScript role of this executable: docs/PROTOCOL.md, section 7. */
#pragma once

#include "constants.h"
#include "system/sys.h"

/* The process as the kernel started it. */
struct process {
  char **args; /* args[0] is the name */
  int count;   /* how many args */
  char **environment;
  const char *path; /* of the executable, for where /proc is missing */
  u64 mask;         /* signals that were blocked when we started */
  u64 sigchld;      /* disposition of SIGCHLD when we started */
  u64 sigpipe;      /* and of SIGPIPE */
};

/* `key=value` strings, each followed by NUL; an empty one ends the list. */
struct config {
  u32 bytes;
  char at[CONFIG_BYTES_MAX + 1];
};

/* The value of a variable, or NULL. */
const char *environment_value(char *const *environment, const char *name);
/* Becomes the JavaScript `role` with `args`. Returns only if that fails: -errno. */
int become_role(const struct process *process, const char *role, char *const *args);
/* Starts the same program with the same arguments once more, in another environment. Returns only if that fails. */
void become_again(const struct process *process, char *const *environment);
/* Runs the role and reads its config. False: `*status` is the exit status. */
bool run_config(const struct process *process, const char *role, char *const *args, struct config *config, int *status);
/* True if the build has already parsed the command line `args`; see src/build/ready-configs.ts. */
bool ready_config(char *const *args, struct config *config);
/* The value of `key`, or NULL. */
const char *config_value(const struct config *config, const char *key);
/* The value as a number, or `otherwise` if it is missing or not a number. */
u64 config_number(const struct config *config, const char *key, u64 otherwise);
/* The exit status for a wait status, as in a shell: 128 + n for a signal. */
int exit_status(int wait_status);
