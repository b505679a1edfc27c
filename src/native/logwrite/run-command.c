/* Starts a command; see run-command.h. */
#include "logwrite/run-command.h"

#include "system/text.h"

#define STATUS_NOT_FOUND 127
#define STATUS_NOT_EXECUTABLE 126
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_BYTES_MAX 4096
#define SCRIPT_ARGS_MAX 1024

static const char *search_path(char **environment) {
  for (; *environment != NULL; environment++)
    if (string_begins(*environment, "PATH=")) return *environment + 5;
  return DEFAULT_PATH;
}

/* A script without `#!` is the shell's. */
static int exec_script(const char *path, char *const *command, char **environment) {
  char *args[SCRIPT_ARGS_MAX + 3];
  u32 count = 0;
  args[count++] = (char *)"sh";
  args[count++] = (char *)path;
  for (command++; *command != NULL; command++) {
    if (count > SCRIPT_ARGS_MAX) return -E2BIG;
    args[count++] = *command;
  }
  args[count] = NULL;
  sys_execve("/bin/sh", args, environment);
  return -ENOEXEC;
}

static int exec_file(const char *path, char *const *command, char **environment) {
  int error = sys_execve(path, command, environment);
  return error == -ENOEXEC ? exec_script(path, command, environment) : error;
}

/* Tries every directory of PATH. Returns -errno: "not found" only if no directory has a file of that name. */
static int exec_searched(char *const *command, char **environment) {
  const char *name = command[0];
  int worst = -ENOENT;
  for (const char *c = name; *c != 0; c++)
    if (*c == '/') return exec_file(name, command, environment);
  if (*name == 0) return -ENOENT;
  size_t name_bytes = string_bytes(name);
  for (const char *at = search_path(environment);; at++) {
    char path[PATH_BYTES_MAX];
    size_t bytes = 0;
    while (at[bytes] != 0 && at[bytes] != ':') bytes++;
    if (bytes + name_bytes + 3 <= sizeof path) {
      size_t end = bytes;
      copy_bytes(path, at, bytes);
      if (bytes == 0) path[end++] = '.';
      path[end++] = '/';
      copy_bytes(path + end, name, name_bytes + 1);
      int error = exec_file(path, command, environment);
      if (error != -ENOENT && error != -ENOTDIR) worst = error;
      if (error != -ENOENT && error != -ENOTDIR && error != -EACCES) return error;
    }
    at += bytes;
    if (*at == 0) return worst;
  }
}

/* The command starts with the signal mask and dispositions that our caller had. */
static int exec_as_called(const struct process *process, char *const *command) {
  sys_set_signal(SIGCHLD, process->sigchld == SIG_IGN ? SIG_IGN : SIG_DFL);
  sys_set_signal(SIGPIPE, process->sigpipe == SIG_IGN ? SIG_IGN : SIG_DFL);
  sys_sigprocmask(SIG_SETMASK, &process->mask, NULL);
  return exec_searched(command, process->environment);
}

void command_failure(struct text *text, const char *name, int error) {
  bool is_missing = error == -ENOENT || error == -ENOTDIR;
  text_start(text, "logwrite: ");
  text_add(text, name);
  text_add(text, ": ");
  text_add(text, is_missing ? "not found" : error_text(error));
  text->status = is_missing ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

__attribute__((noreturn)) void exec_command(const struct process *process, char *const *command) {
  struct text text;
  command_failure(&text, command[0], exec_as_called(process, command));
  text_print(&text, 2);
  sys_exit((int)text.status);
}

__attribute__((noreturn)) static void child(const struct process *process, char *const *command, int out, int err,
                                            int answer) {
  sys_dup3(out, 1, 0);
  sys_dup3(err, 2, 0);
  int error = exec_as_called(process, command);
  UNINTERRUPTED(sys_write(answer, &error, sizeof error));
  sys_exit(STATUS_NOT_EXECUTABLE);
}

int run_command(struct run *run, const struct process *process, char *const *command) {
  int out[2], err[2], answer[2], error = 0;
  int result = sys_pipe2(out, O_CLOEXEC);
  if (result == 0) result = sys_pipe2(err, O_CLOEXEC);
  if (result == 0) result = sys_pipe2(answer, O_CLOEXEC);
  if (result < 0) return result;
  run->pid = sys_fork();
  if (run->pid < 0) return run->pid;
  if (run->pid == 0) child(process, command, out[1], err[1], answer[1]);
  sys_close(out[1]);
  sys_close(err[1]);
  sys_close(answer[1]);
  long got = UNINTERRUPTED(sys_read(answer[0], &error, sizeof error));
  sys_close(answer[0]);
  if (got == sizeof error) {
    UNINTERRUPTED(sys_wait(run->pid, &result, 0));
    return error;
  }
  sys_fcntl(out[0], F_SETFL, O_NONBLOCK);
  sys_fcntl(err[0], F_SETFL, O_NONBLOCK);
  run->output[0] = out[0];
  run->output[1] = err[0];
  return 0;
}
