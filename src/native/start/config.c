/* The command line, parsed by a JavaScript role of this executable; see config.h. */
#include "start/config.h"

#include "system/text.h"

/* Arguments that a role can be started with. */
#define ROLE_ARGS_MAX 4096

const char *environment_value(char *const *environment, const char *name) {
  size_t bytes = string_bytes(name);
  for (; *environment != NULL; environment++)
    if (string_begins(*environment, name) && (*environment)[bytes] == '=') return *environment + bytes + 1;
  return NULL;
}

/* Starts the executable anew. Returns only if that fails: -errno. */
static int execute_self(const struct process *process, char *const *args, char *const *environment) {
  int error = sys_execve("/proc/self/exe", args, environment);
  if (error == -ENOENT && process->path != NULL) error = sys_execve(process->path, args, environment);
  return error;
}

void become_again(const struct process *process, char *const *environment) {
  execute_self(process, process->args, environment);
}

int become_role(const struct process *process, const char *role, char *const *args) {
  char *all[ROLE_ARGS_MAX + 3];
  u32 count = 0;
  all[count++] = (char *)role;
#ifdef MEMLOGD_HOSTED
  const char *node = environment_value(process->environment, "MEMLOGD_NODE");
  const char *bundle = environment_value(process->environment, "MEMLOGD_BUNDLE");
  if (node == NULL || bundle == NULL) return -ENOENT;
  all[count++] = (char *)bundle;
#endif
  while (*args != NULL) {
    if (count > ROLE_ARGS_MAX) return -E2BIG;
    all[count++] = *args++;
  }
  all[count] = NULL;
#ifdef MEMLOGD_HOSTED
  return sys_execve(node, all, process->environment);
#else
  return execute_self(process, all, process->environment);
#endif
}

__attribute__((noreturn)) static void config_child(const struct process *process, const char *role, char *const *args,
                                                   int answer) {
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (answer == CONFIG_FD) sys_fcntl(answer, F_SETFD, 0);
  else sys_dup3(answer, CONFIG_FD, 0);
  int error = become_role(process, role, args);
  struct text text;
  text_start(&text, role);
  text_add(&text, ": could not be started: ");
  text_add(&text, error_text(error));
  text_print(&text, 2);
  sys_exit(1);
}

/* Reads the whole answer. False if it is not complete. A role that takes too long, or writes too much, is killed. */
static bool read_config(int fd, struct config *config, int child) {
  u64 limit = clock_ms() + CONFIG_MS;
  for (;;) {
    if (config->bytes > 0 && config->at[config->bytes - 1] == 0) {
      if (config->bytes == 1 || config->at[config->bytes - 2] == 0) return true;
    }
    u64 now = clock_ms();
    if (now >= limit || config->bytes == CONFIG_BYTES_MAX) return sys_kill(child, SIGKILL), false;
    struct pollfd wait = {fd, POLLIN, 0};
    if (sys_poll(&wait, 1, (i64)(limit - now)) <= 0) continue;
    long got = sys_read(fd, config->at + config->bytes, CONFIG_BYTES_MAX - config->bytes);
    if (got == 0) return false;
    if (got > 0) config->bytes += (u32)got;
  }
}

bool run_config(const struct process *process, const char *role, char *const *args, struct config *config,
                int *status) {
  int ends[2];
  if (sys_pipe2(ends, O_CLOEXEC) < 0) return *status = 1, false;
  int child = sys_fork();
  if (child < 0) return *status = 1, false;
  if (child == 0) config_child(process, role, args, ends[1]);
  sys_close(ends[1]);
  config->bytes = 0;
  bool complete = read_config(ends[0], config, child);
  int wait_status = 0;
  UNINTERRUPTED(sys_wait(child, &wait_status, 0));
  sys_close(ends[0]);
  *status = exit_status(wait_status);
  return complete && *status == 0;
}

#ifndef READY_CONFIGS
#define READY_CONFIGS "\0"
#endif

/* Compares the words of the command line at `at` with `args`. Returns what follows them. */
static const char *compare_words(const char *at, char *const *args, bool *is_same) {
  u32 words = (u8)*at++ - 1u;
  *is_same = true;
  for (u32 word = 0; word < words; word++, at += string_bytes(at) + 1)
    if (*is_same) *is_same = args[word] != NULL && strings_equal(args[word], at);
  *is_same = *is_same && args[words] == NULL;
  return at;
}

bool ready_config(char *const *args, struct config *config) {
  static const char ready[] = READY_CONFIGS;
  for (const char *at = ready; *at != 0;) {
    bool is_same = false;
    const char *answer = compare_words(at, args, &is_same);
    for (at = answer; *at != 0;) at += string_bytes(at) + 1;
    at++;
    if (!is_same) continue;
    config->bytes = (u32)(at - answer);
    copy_bytes(config->at, answer, config->bytes);
    return true;
  }
  return false;
}

const char *config_value(const struct config *config, const char *key) {
  size_t key_bytes = string_bytes(key);
  for (u32 at = 0; at < config->bytes && config->at[at] != 0;) {
    const char *pair = config->at + at;
    if (string_begins(pair, key) && pair[key_bytes] == '=') return pair + key_bytes + 1;
    at += (u32)string_bytes(pair) + 1;
  }
  return NULL;
}

u64 config_number(const struct config *config, const char *key, u64 otherwise) {
  const char *value = config_value(config, key);
  u64 number = 0;
  return value != NULL && parse_number(value, 0xffffffff, &number) ? number : otherwise;
}

int exit_status(int wait_status) {
  int number = wait_status & 0x7f;
  return number == 0 ? wait_status >> 8 & 0xff : 128 + number;
}
