/* The engine's process before JavaScript starts; see confine.h. */
#include "engine/confine.h"

#include "system/text.h"

/* capability.h of the kernel: version 3 has two halves of 32 bits for each set. */
#define CAPABILITY_VERSION 0x20080522
#define CAP_KILL 5
#define CAP_SETGID 6
#define CAP_SETUID 7

struct capability_header {
  u32 version;
  int pid;
};
struct capability_half {
  u32 effective, permitted, inheritable;
};

/* Whether this process may change its user, and the intake, which has the same rights, may still kill it then. */
static bool may_change_user(void) {
  const u32 needed = 1u << CAP_KILL | 1u << CAP_SETGID | 1u << CAP_SETUID;
  struct capability_header header = {CAPABILITY_VERSION, 0};
  struct capability_half halves[2] = {{0, 0, 0}, {0, 0, 0}};
  if (CALL2(capget, P(&header), P(halves)) < 0) return false;
  return (halves[0].effective & needed) == needed;
}

/* "UID:GID". False if it is anything else. */
static bool parse_user(const char *user, u64 *uid, u64 *gid) {
  struct text first;
  size_t end = 0;
  while (user[end] != 0 && user[end] != ':') end++;
  if (user[end] == 0) return false;
  text_start(&first, "");
  text_add_bytes(&first, user, end);
  return parse_number(first.at, ENGINE_ID_MAX, uid) && parse_number(user + end + 1, ENGINE_ID_MAX, gid);
}

/* Afterwards the process can't be traced or read by others of that user: the kernel has it as not dumpable. */
static void change_user(const char *user) {
  u64 uid = 0, gid = 0;
  if (sys_geteuid() != 0 || !may_change_user() || !parse_user(user, &uid, &gid)) return;
  /* Processes and threads are counted for each user: others of this one must not use up what the engine needs. */
  const struct rlimit64 unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  sys_prlimit(RLIMIT_NPROC, &unlimited, NULL);
  CALL2(setgroups, 0, 0);
  CALL3(setresgid, gid, gid, gid);
  CALL3(setresuid, uid, uid, uid);
}

static void drop_capabilities(void) {
  struct capability_header header = {CAPABILITY_VERSION, 0};
  struct capability_half none[2] = {{0, 0, 0}, {0, 0, 0}};
  CALL2(capset, P(&header), P(none));
}

void confine_engine(const char *user) {
  const struct rlimit64 none = {0, 0};
  sys_prlimit(RLIMIT_CORE, &none, NULL);
  if (user != NULL) change_user(user);
  drop_capabilities();
  /* After the change of user, which clears it. */
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  sys_prctl(PR_SET_NO_NEW_PRIVS, 1);
  filter_system_calls();
}
