/* Which program this process is to be, by its name, and how memlogd starts; see front.h. */
#include "front.h"

#include "containerd/logger.h"
#include "engine/confine.h"
#include "start/daemonize.h"
#include "intake/intake.h"
#include "logwrite/tee.h"

struct memlogd {
  struct config config;
  struct intake intake;
};

static int config_descriptor(const struct config *config, const char *key) {
  u64 number = 0;
  const char *value = config_value(config, key);
  return value != NULL && parse_number(value, 0x7fffffff, &number) ? (int)number : -1;
}

static bool fail(struct text *error, const char *message) {
  text_start(error, message);
  return false;
}

static bool start(struct intake *intake, struct text *error) {
  if (intake_start(intake)) return true;
  return fail(error, "memlogd: could not be started: no memory or no descriptors are left");
}

static bool listen_and_start(struct intake *intake, const struct config *config, struct text *error) {
  struct listeners *listeners = &intake->holdings.listeners;
  if (!listeners_open(listeners, config, error)) return false;
  if (start(intake, error)) return true;
  listeners_unlink(listeners);
  return false;
}

/* Until the running memlogd has exited, it still owns everything: an earlier failure changes nothing. */
static bool take_over(struct intake *intake, const struct config *config, struct text *error) {
  struct predecessor from;
  const char *path = config_value(config, "log-path"), *query = config_value(config, "query-path");
  if (path == NULL || query == NULL) return fail(error, "memlogd: takeover: no paths of the sockets");
  struct holdings *holdings = &intake->holdings;
  bool is_done = takeover_receive(holdings, path, query, &from, error) &&
                 listeners_add(&holdings->listeners, config, error) && start(intake, error) &&
                 takeover_finish(&from, error);
  if (!is_done) listeners_unlink_new(&holdings->listeners);
  return is_done;
}

static bool listen_or_take_over(struct intake *intake, const struct config *config, struct text *error) {
  if (!intake_prepare(intake)) return fail(error, "memlogd: could not be started: no descriptors are left");
  bool is_takeover = config_number(config, "takeover", 0) == 1;
  return is_takeover ? take_over(intake, config, error) : listen_and_start(intake, config, error);
}

/* Below this, Node ends without saying why. */
#define DESCRIPTORS_MIN 48

static bool has_descriptors(struct text *error) {
  struct rlimit64 limit = {0, 0}, wanted = {DESCRIPTORS_MIN, DESCRIPTORS_MIN};
  sys_prlimit(RLIMIT_NOFILE, NULL, &limit);
  if (limit.hard >= DESCRIPTORS_MIN || sys_prlimit(RLIMIT_NOFILE, &wanted, NULL) == 0) return true;
  fail(error, "memlogd: the limit of open files (ulimit -Hn) is ");
  text_number(error, (i64)limit.hard);
  text_add(error, ", wanted at least ");
  text_number(error, DESCRIPTORS_MIN);
  return false;
}

/* Whether an engine can be started later, from another directory. Without /proc, only by the path we were started by. */
static bool can_execute_again(const struct process *process, struct text *error) {
  if (sys_is_executable("/proc/self/exe")) return true;
  const char *path = process->path;
  if (path != NULL && path[0] == '/' && sys_is_executable(path)) return true;
  return fail(error, "memlogd: could not be started: without /proc it must be started by an absolute path");
}

/* How much address space there may be, in KiB; 0: it is not limited. */
static u64 address_space_kib(void) {
  struct rlimit64 limit = {RLIM_INFINITY, RLIM_INFINITY};
  sys_prlimit(RLIMIT_AS, NULL, &limit);
  return limit.soft == RLIM_INFINITY ? 0 : limit.soft / 1024;
}

/* Exits if the command line is wrong, or if JavaScript can't run: then no engine ever could. */
static void read_command_line(const struct process *process, char *const *args, struct config *config) {
  int status = 1;
  u64 limit_kib = address_space_kib();
  /* JavaScript reserves gigabytes. Only a try shows whether the limit is enough, so no config that was made before serves. */
  if (limit_kib == 0 && ready_config(args, config)) return;
  if (run_config(process, ROLE_MEMLOGD_CONFIG, args, config, &status)) return;
  if (limit_kib != 0 && status > 128) {
    struct text error;
    text_start(&error, "memlogd: JavaScript can't run within ");
    text_number(&error, (i64)limit_kib);
    text_add(&error, " KiB of address space (ulimit -v)");
    text_print(&error, 2);
  }
  sys_exit(status);
}

__attribute__((noreturn)) static void memlogd(const struct process *process, char *const *args) {
  struct memlogd *memlogd = sys_memory(sizeof *memlogd);
  struct text error;
  if (memlogd == NULL) sys_exit(1);
  hold_standard_descriptors(O_RDWR);
  if (!has_descriptors(&error) || !can_execute_again(process, &error)) {
    text_print(&error, 2);
    sys_exit(1);
  }
  struct config *config = &memlogd->config;
  read_command_line(process, args, config);
  close_inherited(config_descriptor(config, "log-fd"), config_descriptor(config, "query-fd"));
  struct intake *intake = &memlogd->intake;
  const char *options = config_value(config, "engine");
  intake->engine.launch.process = process;
  intake->engine.launch.options = options != NULL ? options : "{}";
  intake->engine.launch.user = config_value(config, "engine-user");
  intake->kmsg_path = config_value(config, "kmsg-path");
  intake->holdings.syslog.user_rate.bytes_max = config_number(config, "syslog-user-bytes", 0);
  intake->holdings.syslog.user_rate.message_bytes = (u32)config_number(config, "syslog-message-bytes", 0);
  intake->docker_state_path = config_value(config, "docker-state");
  const char *takeover = config_value(config, "takeover");
  intake->hands_over = takeover == NULL || !strings_equal(takeover, "never");
  intake->is_daemon = config_number(config, "daemonize", 0) == 1;
  int answer = intake->is_daemon ? daemonize_fork() : -1;
  if (!listen_or_take_over(intake, config, &error)) {
    if (intake->is_daemon) daemonize_failed(answer, &error);
    text_print(&error, 2);
    sys_exit((int)error.status);
  }
  if (intake->is_daemon) daemonize_done(answer);
  intake_run(intake);
}

__attribute__((noreturn)) static void version(void) {
  struct text text;
  text_start(&text, "memlogd native ");
  text_number(&text, NATIVE_VERSION);
  text_add(&text, " " CPU_NAME);
  text_print(&text, 1);
  sys_exit(0);
}

enum applet {
  APPLET_NONE,
  APPLET_MEMLOGD,
  APPLET_LOGWRITE,
  APPLET_CONTAINERD,
  APPLET_LOGREAD,
  APPLET_VERSION,
  APPLET_ENGINE,
  APPLET_OTHER,
};

static enum applet applet_of(const char *name) {
  if (strings_equal(name, "memlogd")) return APPLET_MEMLOGD;
  if (strings_equal(name, "logwrite")) return APPLET_LOGWRITE;
  if (strings_equal(name, "memlogd-containerd")) return APPLET_CONTAINERD;
  if (strings_equal(name, ROLE_NATIVE_VERSION)) return APPLET_VERSION;
  if (strings_equal(name, ROLE_ENGINE)) return APPLET_ENGINE;
  if (strings_equal(name, "logread")) return APPLET_LOGREAD;
  bool is_other = strings_equal(name, ROLE_MEMLOGD_CONFIG) || strings_equal(name, ROLE_LOGWRITE_CONFIG) ||
                  strings_equal(name, ROLE_CONTAINERD_CONFIG);
  return is_other ? APPLET_OTHER : APPLET_NONE;
}

/* The signals of a terminal that our caller ignores (nohup, a shell's background), as IGNORED_SIGNALS wants them. */
static void ignored_signals(struct text *text) {
  static const struct {
    int number;
    char name[sizeof "SIGQUIT "]; /* no pointer: the blob has no relocations */
  } signals[] = {{SIGHUP, "SIGHUP "}, {SIGINT, "SIGINT "}, {SIGQUIT, "SIGQUIT "}};
  for (u32 n = 0; n < sizeof signals / sizeof signals[0]; n++)
    if (sys_is_ignored(signals[n].number)) text_add(text, signals[n].name);
}

/*
 * Node revives signals that are ignored when it starts, before any JavaScript could see them. So the executable starts
 * itself once more, with a variable that names them. Returns if there are none, or if that fails.
 */
static void note_ignored_signals(const struct process *process) {
  struct text note;
  u32 variables = 0;
  text_start(&note, IGNORED_SIGNALS "=");
  size_t name_bytes = note.bytes;
  ignored_signals(&note);
  if (note.bytes == name_bytes) return;
  for (; process->environment[variables] != NULL; variables++)
    if (string_begins(process->environment[variables], IGNORED_SIGNALS "=")) return;
  char **environment = sys_memory((variables + 2) * sizeof(char *));
  if (environment == NULL) return;
  copy_bytes(environment, process->environment, variables * sizeof(char *));
  environment[variables] = note.at;
  become_again(process, environment);
}

void front(int count, char **args, char **environment, const char *path) {
  if (count < 1) return;
  char **own = args + 1;
  enum applet applet = applet_of(last_component(args[0]));
  if (applet == APPLET_NONE && count > 1) applet = applet_of(*own++);
  /* Its options, then its user. */
  if (applet == APPLET_ENGINE) confine_engine(own[0] != NULL ? own[1] : NULL);
  struct process process = {args, count, environment, path, 0, 0, 0};
  if (applet == APPLET_LOGREAD) {
    /* Node would write to /dev/null, and nobody would notice. */
    hold_standard_descriptors(O_RDONLY);
    note_ignored_signals(&process);
  }
  if (applet == APPLET_NONE || applet == APPLET_LOGREAD || applet == APPLET_ENGINE || applet == APPLET_OTHER) return;
  sys_sigprocmask(SIG_BLOCK, NULL, &process.mask);
  /* Our caller may have ignored SIGCHLD; then no child could be waited for. */
  process.sigchld = sys_set_signal(SIGCHLD, SIG_DFL);
  process.sigpipe = sys_set_signal(SIGPIPE, SIG_DFL);
  if (applet == APPLET_VERSION) version();
  if (applet == APPLET_MEMLOGD) memlogd(&process, own);
  if (applet == APPLET_CONTAINERD) containerd_logger(&process, own);
  tee(&process, own);
}
