/* Which program this process is to be, by its name; and how memlogd starts. */
#include "front.h"

#include "daemonize.h"
#include "intake.h"
#include "takeover.h"
#include "tee.h"

struct memlogd {
  struct config config;
  struct intake intake;
};

static int given_descriptor(const struct config *config, const char *key) {
  u64 number = 0;
  const char *value = config_value(config, key);
  return value != NULL && parse_number(value, 0x7fffffff, &number) ? (int)number : -1;
}

/* Nothing of it is ours before the running memlogd has gone: what fails before leaves everything to it. */
static bool start(struct intake *intake, struct text *error) {
  if (intake_start(intake)) return true;
  text_start(error, "memlogd: could not be started: no memory or no descriptors are left");
  return false;
}

static bool listen_and_start(struct intake *intake, const struct config *config, struct text *error) {
  if (!listeners_open(&intake->listeners, config, error)) return false;
  if (start(intake, error)) return true;
  listeners_unlink(&intake->listeners);
  return false;
}

static bool take_over(struct intake *intake, const struct config *config, struct text *error) {
  int peer = -1;
  const char *path = config_value(config, "log-path");
  if (path == NULL || !intake_prepare(intake)) {
    text_start(error, "memlogd: takeover: no path of a log socket, or no memory");
    return false;
  }
  return takeover_receive(intake, path, &peer, error) && listeners_add(&intake->listeners, config, error) && start(intake, error) &&
         takeover_finish(peer, error);
}

__attribute__((noreturn)) static void memlogd(struct process *process, char *const *args) {
  struct memlogd *memlogd = sys_memory(sizeof *memlogd);
  struct text error;
  int status = 1;
  if (memlogd == NULL) sys_exit(1);
  hold_standard_descriptors();
  bool is_ready = ready_config(args, &memlogd->config);
  if (!is_ready && !run_config(process, ROLE_MEMLOGD_CONFIG, args, &memlogd->config, &status)) sys_exit(status);
  const struct config *config = &memlogd->config;
  close_inherited(given_descriptor(config, "log-fd"), given_descriptor(config, "query-fd"));
  struct intake *intake = &memlogd->intake;
  intake->process = process;
  intake->engine_options = config_value(config, "engine");
  if (intake->engine_options == NULL) intake->engine_options = "{}";
  intake->kmsg_path = config_value(config, "kmsg-path");
  intake->is_daemon = config_number(config, "daemonize", 0) == 1;
  int answer = intake->is_daemon ? daemonize_fork() : -1;
  bool is_takeover = config_number(config, "takeover", 0) == 1;
  if (!(is_takeover ? take_over(intake, config, &error) : listen_and_start(intake, config, &error))) {
    if (intake->is_daemon) daemonize_failed(answer, &error);
    text_say(&error, 2);
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
  text_say(&text, 1);
  sys_exit(0);
}

enum applet { APPLET_NONE, APPLET_MEMLOGD, APPLET_LOGWRITE, APPLET_VERSION, APPLET_OTHER };

static enum applet applet_of(const char *name) {
  if (strings_equal(name, "memlogd")) return APPLET_MEMLOGD;
  if (strings_equal(name, "logwrite")) return APPLET_LOGWRITE;
  if (strings_equal(name, ROLE_NATIVE_VERSION)) return APPLET_VERSION;
  bool is_other = strings_equal(name, "logread") || strings_equal(name, ROLE_ENGINE) || strings_equal(name, ROLE_MEMLOGD_CONFIG) ||
                  strings_equal(name, ROLE_LOGWRITE_CONFIG);
  return is_other ? APPLET_OTHER : APPLET_NONE;
}

void front(int count, char **args, char **environment, const char *path) {
  if (count < 1) return;
  char **own = args + 1;
  enum applet applet = applet_of(last_component(args[0]));
  if (applet == APPLET_NONE && count > 1) applet = applet_of(*own++);
  if (applet == APPLET_NONE || applet == APPLET_OTHER) return;
  struct process process = {args, count, environment, path, 0, 0, 0};
  sys_sigprocmask(SIG_BLOCK, NULL, &process.mask);
  /* Whoever started us may have ignored it; then no child could be waited for. */
  process.sigchld = sys_set_signal(SIGCHLD, SIG_DFL);
  process.sigpipe = sys_set_signal(SIGPIPE, SIG_DFL);
  if (applet == APPLET_VERSION) version();
  if (applet == APPLET_MEMLOGD) memlogd(&process, own);
  tee(&process, own);
}
