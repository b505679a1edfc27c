/* The sockets that memlogd listens on; see listen.h. */
#include "inputs/listen.h"

#include "system/unix-socket.h"

/* Of two memlogds that start at once in a directory, one waits for the other. Only this file's owner can lock it. */
#define LOCK_NAME ".memlogd.lock"
#define LOCK_WAIT_MS 2000
#define LOCK_RETRY_MS 5
#define LISTEN_BACKLOG 512
/* Requested; what is granted depends on privileges and limits. */
#define RECEIVE_BUFFER_BYTES (8 * 1024 * 1024)

struct place {
  const char *path;
  int directory;
  int lock;
  const char *name;
  struct sockaddr_un address;
};

static bool fail(struct text *error, const char *subject, const char *what) {
  text_start(error, "memlogd: ");
  text_add(error, subject);
  text_add(error, ": ");
  text_add(error, what);
  return false;
}

/* No socket can ever be there: the command line is wrong. */
static bool fail_wrong(struct text *error, const char *subject, const char *what) {
  fail(error, subject, what);
  error->status = STATUS_USAGE;
  return false;
}

static bool fail_locked(struct text *error, const struct place *place, const char *why) {
  fail(error, place->path, "the directory's " LOCK_NAME " ");
  text_add(error, why);
  return false;
}

/* 1: the lock is ours. 0: try again; another start has it, or had it and has removed the file. Or -errno. */
static int try_lock(int fd) {
  struct statx found;
  int result = sys_flock(fd, LOCK_EX | LOCK_NB);
  if (result == -EAGAIN || result == -EINTR) return 0;
  if (result == 0) result = sys_statx(fd, "", AT_EMPTY_PATH, &found);
  return result < 0 ? result : found.nlink > 0;
}

/*
 * Locks the directory for starts of memlogd: only one may find a stale socket. Not the directory itself, which everybody
 * who may read it can lock. The file is removed by who has the lock.
 */
static bool place_lock(struct place *place, u64 until_ms, struct text *error) {
  struct statx found;
  for (;;) {
    int fd = sys_openat(place->directory, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd == -ELOOP || fd == -EISDIR || fd == -ENXIO) return fail_locked(error, place, "is not a file");
    if (fd < 0) return fail(error, place->path, error_text(fd));
    bool is_own = sys_statx(fd, "", AT_EMPTY_PATH, &found) == 0 && (found.mode & S_IFMT) == S_IFREG &&
                  (found.uid == sys_geteuid() || found.uid == 0);
    int result = is_own ? try_lock(fd) : -EPERM;
    place->lock = fd;
    if (result == 1) return true;
    sys_close(fd);
    place->lock = -1;
    if (!is_own) return fail_locked(error, place, "is not a file of memlogd's user");
    if (result < 0) return fail_locked(error, place, error_text(result));
    if (clock_ms() >= until_ms)
      return fail_locked(error, place, "is locked: another memlogd is starting, and does not end");
    sys_poll(NULL, 0, LOCK_RETRY_MS);
  }
}

static void place_unlock(struct place *place) {
  sys_unlinkat(place->directory, LOCK_NAME);
  sys_close(place->lock);
}

/* Opens the path's directory and locks it. False: nothing is open. */
static bool place_open(struct place *place, const char *path, u64 lock_until_ms, struct text *error) {
  size_t bytes = string_bytes(path);
  if (bytes == 0) return fail_wrong(error, "''", "a socket needs a path");
  if (unix_address(&place->address, path) < 0)
    return fail_wrong(error, path, "the path is longer than 107 bytes, the limit for a socket");
  place->path = path;
  place->name = path;
  for (size_t at = 0; at < bytes; at++)
    if (path[at] == '/') place->name = path + at + 1;
  if (*place->name == 0) return fail_wrong(error, path, "is a directory");
  struct text directory;
  text_start(&directory, place->name == path ? "." : "");
  text_add_bytes(&directory, path, (size_t)(place->name - path));
  place->directory = sys_open(directory.at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (place->directory == -ENOENT || place->directory == -ENOTDIR) {
    fail_wrong(error, path, "the directory ");
    text_add(error, directory.at);
    text_add(error, place->directory == -ENOENT ? " does not exist" : " is not a directory");
    return false;
  }
  if (place->directory < 0) return fail(error, path, error_text(place->directory));
  if (place_lock(place, lock_until_ms, error)) return true;
  sys_close(place->directory);
  return false;
}

/* The pid of the process that listens on a stream socket, 0 if it can't be found out. */
static u32 listener_pid(const char *path) {
  struct ucred peer = {0, 0, 0};
  int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return 0;
  if (unix_connect(fd, path) == 0) unix_peer(fd, &peer);
  sys_close(fd);
  return peer.pid;
}

static bool fail_alive(struct text *error, const struct place *place, const char *query_path) {
  fail(error, place->path, "another memlogd is listening");
  u32 pid = listener_pid(place->path);
  if (pid == 0 && query_path != NULL) pid = listener_pid(query_path);
  if (pid == 0) return false;
  text_add(error, " (pid ");
  text_number(error, pid);
  text_add(error, ")");
  return false;
}

/* Removes a stale socket; anything else at that path is an error. */
static bool place_clear(struct place *place, int type, const char *query_path, struct text *error) {
  struct statx found;
  int result = sys_statx(place->directory, place->name, AT_SYMLINK_NOFOLLOW, &found);
  if (result == -ENOENT) return true;
  if (result < 0) return fail(error, place->path, error_text(result));
  bool is_link = (found.mode & S_IFMT) == S_IFLNK;
  if (is_link && sys_statx(place->directory, place->name, 0, &found) == -ENOENT) found.mode = S_IFSOCK;
  if ((found.mode & S_IFMT) != S_IFSOCK)
    return fail_wrong(error, place->path, "exists and is not a socket: it is left alone");
  int fd = sys_socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return fail(error, place->path, error_text(fd));
  result = sys_connect(fd, &place->address, sizeof place->address);
  sys_close(fd);
  if (result == 0 || result == -EPROTOTYPE || result == -EAGAIN) return fail_alive(error, place, query_path);
  if (result != -ECONNREFUSED && result != -ENOENT) return fail(error, place->path, error_text(result));
  result = sys_unlinkat(place->directory, place->name);
  if (result < 0 && result != -ENOENT) return fail(error, place->path, error_text(result));
  return true;
}

/* Notes what was made, to remove it at the end. */
static void remember(struct bound_path *bound, const struct place *place) {
  struct statx made;
  zero_bytes(&made, sizeof made);
  sys_statx(place->directory, place->name, AT_SYMLINK_NOFOLLOW, &made);
  copy_bytes(bound->name, place->name, string_bytes(place->name) + 1);
  bound->ino = made.ino;
  bound->dev_major = made.dev_major;
  bound->dev_minor = made.dev_minor;
  bound->directory = place->directory;
  bound->is_new = true;
}

struct access {
  u32 mode;
  i64 gid;                /* -1: leave */
  bool wants_credentials; /* the kernel says who sent each datagram */
};

/* Changes the socket that we bound, whatever has been put in its path since: not a link, nor what it leads to. */
static int change_access(const struct place *place, const struct access *access) {
  struct statx found;
  struct text path;
  int fd = sys_openat(place->directory, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  int result = sys_statx(fd, "", AT_EMPTY_PATH, &found);
  if (result == 0 && (found.mode & S_IFMT) != S_IFSOCK) result = -ENOTSOCK;
  if (result == 0) result = sys_fchownat(fd, "", 0xffffffff, (u32)access->gid, AT_EMPTY_PATH);
  text_descriptor_path(&path, fd);
  if (result == 0) result = sys_fchmodat(AT_FDCWD, path.at, access->mode);
  sys_close(fd);
  return result;
}

/* Nobody may reach the socket before it has its permissions: owner only at bind, then the group, then the mode. */
static int bind_with_access(struct place *place, int fd, const struct access *access) {
  u32 mode = access->gid < 0 ? access->mode : access->mode & 0700;
  if (access->wants_credentials) sys_set_socket_number(fd, SO_PASSCRED, 1);
  int old = sys_umask((int)(~mode & 0777));
  int result = sys_bind(fd, &place->address, sizeof place->address);
  sys_umask(old);
  if (result < 0 || access->gid < 0) return result;
  result = change_access(place, access);
  if (result < 0) sys_unlinkat(place->directory, place->name);
  return result;
}

/* Binds a socket file and notes it as `which`. The descriptor, or -1 with the reason in `error`. */
static int bind_path(struct listeners *listeners, u32 which, const char *path, int type, const struct access *access,
                     const char *query_path, struct text *error) {
  struct bound_path *bound = &listeners->paths[which];
  struct place place;
  zero_bytes(&place, sizeof place);
  place.directory = -1;
  if (!place_open(&place, path, listeners->lock_until_ms, error)) return -1;
  int fd = -1;
  if (place_clear(&place, type, query_path, error)) {
    fd = sys_socket(AF_UNIX, type | SOCK_CLOEXEC);
    int result = fd < 0 ? fd : bind_with_access(&place, fd, access);
    if (result == 0 && type == SOCK_STREAM) result = sys_listen(fd, LISTEN_BACKLOG);
    if (result < 0) {
      fail(error, path, error_text(result));
      if (fd >= 0) sys_close(fd);
      fd = -1;
    } else {
      remember(bound, &place);
    }
  }
  place_unlock(&place);
  if (fd < 0) sys_close(place.directory);
  return fd;
}

/* A socket that the caller bound. The descriptor, or -1 with the reason in `error`. */
static int inherited_socket(const struct config *config, const char *key, int type, struct text *error) {
  const char *value = config_value(config, key);
  u64 number = 0;
  struct text subject;
  text_start(&subject, "-");
  text_add(&subject, type == SOCK_DGRAM ? "fd-log " : "fd-query ");
  text_add(&subject, value);
  if (!parse_number(value, 0x7fffffff, &number)) return fail(error, subject.at, "is not a descriptor's number"), -1;
  int fd = (int)number;
  int found = sys_socket_number(fd, SO_TYPE);
  if (found == -EBADF) return fail(error, subject.at, "no such descriptor is open"), -1;
  if (found != type || sys_socket_number(fd, SO_DOMAIN) != AF_UNIX) {
    return fail(error, subject.at,
                type == SOCK_DGRAM ? "is not a Unix datagram socket" : "is not a Unix stream socket"),
           -1;
  }
  int result = type == SOCK_STREAM && sys_socket_number(fd, SO_ACCEPTCONN) != 1 ? sys_listen(fd, LISTEN_BACKLOG) : 0;
  if (result < 0) return fail(error, subject.at, "is not bound, or connected"), -1;
  sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

/* A link to the query socket, for clients that know it by upstream's name. */
static bool make_link(struct listeners *listeners, const char *path, const char *target, struct text *error) {
  struct bound_path *bound = &listeners->paths[PATH_LINK];
  struct place place;
  zero_bytes(&place, sizeof place);
  if (!place_open(&place, path, listeners->lock_until_ms, error)) return false;
  size_t directory_bytes = (size_t)(place.name - path);
  const char *target_name = target + string_bytes(target);
  while (target_name > target && target_name[-1] != '/') target_name--;
  bool is_beside = (size_t)(target_name - target) == directory_bytes && equal_bytes(target, path, directory_bytes);
  struct statx found;
  int result = sys_statx(place.directory, place.name, AT_SYMLINK_NOFOLLOW, &found);
  bool is_link = result == 0 && (found.mode & S_IFMT) == S_IFLNK;
  bool done = is_link || place_clear(&place, SOCK_STREAM, NULL, error);
  if (done) {
    struct text name;
    text_start(&name, ".");
    text_add(&name, place.name);
    text_add(&name, ".");
    text_number(&name, sys_getpid());
    sys_unlinkat(place.directory, name.at);
    result = sys_symlinkat(is_beside ? target_name : target, place.directory, name.at);
    if (result == 0) result = sys_renameat(place.directory, name.at, place.name);
    done = result == 0 ? (remember(bound, &place), true) : fail(error, path, error_text(result));
  }
  place_unlock(&place);
  if (!done) sys_close(place.directory);
  return done;
}

static void widen_buffer(int fd) {
  if (sys_set_socket_number(fd, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES) < 0)
    sys_set_socket_number(fd, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
}

/* Decodes hex digits. Returns the number of bytes, 0 if they are invalid or more than max. */
static u32 parse_hex(const char *digits, u8 *to, u32 max) {
  u32 count = 0;
  for (; *digits != 0; digits++, count++) {
    u8 c = (u8)*digits | 0x20;
    u8 value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 255;
    if (value == 255 || count / 2 >= max) return 0;
    to[count / 2] = (u8)(count % 2 == 0 ? value << 4 : to[count / 2] | value);
  }
  return count % 2 == 0 ? count / 2 : 0;
}

/* Binds a network socket. The config role encodes the address. */
static int bind_address(const char *subject, const char *digits, int type, u32 *address_bytes, struct text *error) {
  u8 address[sizeof(struct sockaddr_in6)] __attribute__((aligned(8)));
  u32 bytes = parse_hex(digits, address, sizeof address);
  u32 family = address[0] | (u32)address[1] << 8;
  bool is_known = (bytes == sizeof(struct sockaddr_in) && family == AF_INET) ||
                  (bytes == sizeof(struct sockaddr_in6) && family == AF_INET6);
  if (!is_known) return fail(error, subject, "the address is not valid"), -1;
  /* accept must never wait: a connection may be closed before it is accepted. */
  int fd = sys_socket((int)family, type | SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return fail(error, subject, error_text(fd)), -1;
  if (type == SOCK_STREAM) sys_set_socket_number(fd, SO_REUSEADDR, 1);
  int result = sys_bind(fd, address, bytes);
  if (result == 0 && type == SOCK_STREAM) result = sys_listen(fd, LISTEN_BACKLOG);
  if (result < 0) {
    sys_close(fd);
    fail(error, subject, error_text(result));
    if (result == -EADDRNOTAVAIL) error->status = STATUS_USAGE;
    return -1;
  }
  if (type == SOCK_DGRAM) {
    widen_buffer(fd);
    /* The kernel drops what the buffer can't hold, and reports how many with the next datagram. */
    sys_set_socket_number(fd, SO_RXQ_OVFL, 1);
  }
  if (address_bytes != NULL) *address_bytes = bytes;
  return fd;
}

static bool open_main_sockets(struct listeners *listeners, const struct config *config, struct text *error) {
  const char *log = config_value(config, "log-path"), *query = config_value(config, "query-path");
  const char *link = config_value(config, "query-link");
  struct access access = {(u32)config_number(config, "socket-mode", SOCKET_MODE_DEFAULT) & 0777, -1, false};
  if (config_value(config, "socket-gid") != NULL) access.gid = (i64)config_number(config, "socket-gid", 0);
  if (log != NULL) listeners->log = bind_path(listeners, PATH_LOG, log, SOCK_DGRAM, &access, query, error);
  else if (config_value(config, "log-fd") != NULL)
    listeners->log = inherited_socket(config, "log-fd", SOCK_DGRAM, error);
  else return fail(error, "log-path", "is missing");
  if (listeners->log < 0) return false;
  if (query != NULL) listeners->query = bind_path(listeners, PATH_QUERY, query, SOCK_STREAM, &access, NULL, error);
  else if (config_value(config, "query-fd") != NULL)
    listeners->query = inherited_socket(config, "query-fd", SOCK_STREAM, error);
  else return fail(error, "query-path", "is missing");
  if (listeners->query < 0) return false;
  return link == NULL || query == NULL || make_link(listeners, link, query, error);
}

/* Docker looks for plugins in a directory that exists only after one was installed. */
static void make_parents(const char *path) {
  struct text parent;
  text_start(&parent, "");
  for (; *path != 0; path++) {
    if (*path == '/' && parent.bytes > 0) sys_mkdir(parent.at, 0755);
    text_add_bytes(&parent, path, 1);
  }
}

static bool open_inputs(struct listeners *listeners, const struct config *config, struct text *error) {
  const char *value;
  const struct access everybody = {0666, -1, true}, owner = {0600, -1, false};
  if ((value = config_value(config, "syslog-path")) != NULL && listeners->syslog < 0) {
    listeners->syslog = bind_path(listeners, PATH_SYSLOG, value, SOCK_DGRAM, &everybody, NULL, error);
    if (listeners->syslog < 0) return false;
    widen_buffer(listeners->syslog);
  }
  if ((value = config_value(config, "syslog-udp")) != NULL && listeners->udp < 0) {
    listeners->udp = bind_address("-syslog-udp", value, SOCK_DGRAM, &listeners->udp_address_bytes, error);
    if (listeners->udp < 0) return false;
  }
  if ((value = config_value(config, "syslog-tcp")) != NULL && listeners->tcp < 0) {
    listeners->tcp = bind_address("-syslog-tcp", value, SOCK_STREAM, NULL, error);
    if (listeners->tcp < 0) return false;
  }
  if ((value = config_value(config, "docker-path")) != NULL && listeners->docker < 0) {
    make_parents(value);
    listeners->docker = bind_path(listeners, PATH_DOCKER, value, SOCK_STREAM, &owner, NULL, error);
    if (listeners->docker < 0) return false;
  }
  return true;
}

void listeners_reset(struct listeners *listeners) {
  listeners->log = listeners->query = listeners->syslog = listeners->udp = -1;
  listeners->tcp = listeners->docker = listeners->kmsg = -1;
  for (u32 which = 0; which < PATHS; which++) listeners->paths[which].directory = -1;
}

static u64 lock_until_ms(void) { return clock_ms() + LOCK_WAIT_MS; }

bool listeners_open(struct listeners *listeners, const struct config *config, struct text *error) {
  listeners_reset(listeners);
  listeners->lock_until_ms = lock_until_ms();
  if (open_main_sockets(listeners, config, error) && open_inputs(listeners, config, error)) return true;
  listeners_unlink(listeners);
  return false;
}

bool listeners_add(struct listeners *listeners, const struct config *config, struct text *error) {
  listeners->lock_until_ms = lock_until_ms();
  return open_inputs(listeners, config, error);
}

void listeners_own(struct listeners *listeners) { sys_listen(listeners->query, LISTEN_BACKLOG); }

static void remove_file(struct bound_path *bound) {
  struct statx found;
  if (bound->directory < 0) return;
  bool is_ours = sys_statx(bound->directory, bound->name, AT_SYMLINK_NOFOLLOW, &found) == 0 &&
                 found.ino == bound->ino && found.dev_major == bound->dev_major && found.dev_minor == bound->dev_minor;
  if (is_ours) sys_unlinkat(bound->directory, bound->name);
  sys_close(bound->directory);
  bound->directory = -1;
}

void listeners_unlink_new(struct listeners *listeners) {
  for (u32 which = 0; which < PATHS; which++)
    if (listeners->paths[which].is_new) remove_file(&listeners->paths[which]);
}

void listeners_unlink(struct listeners *listeners) {
  for (u32 which = 0; which < PATHS; which++) remove_file(&listeners->paths[which]);
}
