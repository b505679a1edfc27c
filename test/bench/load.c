/*
 * The load generator and stopwatch of the benchmarks; everything that is timed is timed here, in one clock.
 *
 *   load pass LOG QUERY SOURCES LINES PER_WRITE BYTES   passes a pipe for each source to memlogd's log socket; two
 * numbers:
 *                                                       seconds until all is written, and until memlogd has stored it
 *   load cat SOURCES LINES PER_WRITE BYTES              the same writers into the one pipe of a `cat >/dev/null`:
 * seconds until it ends
 *   load files LOG FILE COUNT                           passes FILE, opened anew each time, as COUNT sources
 *   load hold LOG SOURCES BYTES                         passes pipes with BYTES bytes and no newline, and holds them
 *                                                       until it is killed
 *   load datagrams PATH SOURCES LINES BYTES             a syslog datagram for each line: seconds until all are sent
 *   load print SOURCE LINES BYTES                       writes `2017-04-15T15:37:37Z SOURCE LINE` to standard output
 *   load follow QUERY                                   follows by upstream's protocol as fast as it can, until it is
 * killed
 *   load time COMMAND...                                runs the command: seconds from fork to its end
 *   load latency LOG LINES GAP_US COMMAND...            runs the command (a follower) on a terminal of its own and
 * writes a line every
 *                                                       GAP_US microseconds: for each, the microseconds until it is on
 * the terminal
 *
 * SOURCES processes write LINES lines each, PER_WRITE lines a write, BYTES bytes a line with its newline. Lines are
 * numbered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { number_bytes = 10, line_bytes_min = 16, write_bytes_max = 1 << 20, sources_max = 1024, poll_us = 200, wait_ms = 5000 };

struct load {
    long sources, lines, per_write, line_bytes;
};

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int connect_to(const char *path, int type) {
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die(path);
    return fd;
}

static void pass(const char *path, const char *name, int fd) {
    int log = connect_to(path, SOCK_DGRAM);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    struct iovec name_bytes = {.iov_base = (void *)name, .iov_len = strlen(name)};
    struct msghdr message = {
        .msg_iov = &name_bytes, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    if (sendmsg(log, &message, 0) < 0) die("sendmsg");
    close(log);
}

/* Sequence number of the next entry: lines stored so far, and one. */
static long next_sequence(const char *query) {
    static const char request[] = "\0{\"stats\":true}\n";
    char reply[4096];
    size_t bytes = 0;
    int fd = connect_to(query, SOCK_STREAM);
    if (write(fd, request, sizeof request - 1) < 0) die("query");
    while (bytes < sizeof reply - 1) {
        ssize_t got = read(fd, reply + bytes, sizeof reply - 1 - bytes);
        if (got <= 0) break;
        bytes += (size_t)got;
        if (memchr(reply, '\n', bytes) != NULL) break;
    }
    close(fd);
    reply[bytes] = 0;
    const char *next = strstr(reply, "\"next\":");
    if (next == NULL) die("no header");
    return atol(next + 7);
}

static void write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno != EINTR) die("write");
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
}

static void put_number(char *at, long number) {
    for (int digit = number_bytes - 1; digit >= 0; digit--, number /= 10) at[digit] = (char)('0' + number % 10);
}

static void write_lines(int fd, const struct load *load) {
    static char block[write_bytes_max];
    long line_bytes = load->line_bytes;
    for (long at = 0; at < load->per_write; at++) {
        memset(block + at * line_bytes, 'x', (size_t)line_bytes - 1);
        block[at * line_bytes + line_bytes - 1] = '\n';
    }
    for (long done = 0; done < load->lines; done += load->per_write) {
        long count = load->lines - done < load->per_write ? load->lines - done : load->per_write;
        for (long at = 0; at < count; at++) put_number(block + at * line_bytes, done + at);
        write_all(fd, block, (size_t)(count * line_bytes));
    }
}

static void write_datagrams(int fd, const struct load *load) {
    static char text[write_bytes_max];
    memset(text, 'x', (size_t)load->line_bytes);
    memcpy(text, "<13>Apr 15 15:37:37 load: ", 26);
    for (long done = 0; done < load->lines; done++) {
        put_number(text + 26, done);
        if (send(fd, text, (size_t)load->line_bytes, 0) < 0) die("send");
    }
}

/* Forks a writer for each source that begins when `go` is closed; `fds[source]` is its descriptor, and closed here. */
static void fork_writers(const struct load *load, int *fds, const int go[2], void (*run)(int, const struct load *), pid_t *pids) {
    for (long source = 0; source < load->sources; source++) {
        pids[source] = fork();
        if (pids[source] < 0) die("fork");
        if (pids[source] > 0) continue;
        char byte;
        for (long other = 0; other < load->sources; other++)
            if (fds[other] != fds[source]) close(fds[other]);
        close(go[1]);
        if (read(go[0], &byte, 1) != 0) die("start");
        run(fds[source], load);
        _exit(0);
    }
    for (long source = 0; source < load->sources; source++) close(fds[source]);
    close(go[0]);
}

/* Only our own: a shell's process substitution may be our child too, and waits for a descriptor that we hold. */
static void wait_for(const pid_t *pids, long count) {
    for (long at = 0; at < count; at++) {
        int status;
        if (waitpid(pids[at], &status, 0) < 0 || status != 0) die("a child failed");
    }
}

static double start_writers(const struct load *load, int *fds, void (*run)(int, const struct load *), pid_t *pids) {
    int go[2];
    if (pipe(go) < 0) die("pipe");
    fork_writers(load, fds, go, run, pids);
    double start = now();
    close(go[1]);
    return start;
}

static int run_pass(const char *log, const char *query, const struct load *load) {
    int fds[sources_max];
    pid_t pids[sources_max];
    long wanted = next_sequence(query) + load->sources * load->lines;
    for (long source = 0; source < load->sources; source++) {
        char name[32];
        int ends[2];
        snprintf(name, sizeof name, "load-%ld.stdout", source);
        if (pipe2(ends, O_CLOEXEC) < 0) die("pipe");
        pass(log, name, ends[0]);
        close(ends[0]);
        fds[source] = ends[1];
    }
    double start = start_writers(load, fds, write_lines, pids);
    wait_for(pids, load->sources);
    double written = now() - start;
    while (next_sequence(query) < wanted) usleep(poll_us);
    printf("%.6f %.6f\n", written, now() - start);
    return 0;
}

static int run_files(const char *log, const char *file, long count) {
    for (long at = 0; at < count; at++) {
        char name[32];
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0) die(file);
        snprintf(name, sizeof name, "file-%ld", at);
        pass(log, name, fd);
        close(fd);
    }
    return 0;
}

static int run_hold(const char *log, long sources, long bytes) {
    char *text = malloc((size_t)bytes);
    if (text == NULL) die("malloc");
    memset(text, 'u', (size_t)bytes);
    for (long source = 0; source < sources; source++) {
        char name[32];
        int ends[2];
        snprintf(name, sizeof name, "held-%ld", source);
        if (pipe2(ends, O_CLOEXEC) < 0) die("pipe");
        pass(log, name, ends[0]);
        close(ends[0]);
        write_all(ends[1], text, (size_t)bytes);
    }
    puts("held");
    fflush(stdout);
    pause();
    return 0;
}

static int run_cat(const struct load *load) {
    int ends[2], fds[sources_max];
    pid_t pids[sources_max], cat;
    if (pipe2(ends, O_CLOEXEC) < 0) die("pipe");
    for (long source = 0; source < load->sources; source++) fds[source] = ends[1];
    if ((cat = fork()) == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(ends[0], 0);
        dup2(null, 1);
        execlp("cat", "cat", NULL);
        _exit(127);
    }
    close(ends[0]);
    double start = start_writers(load, fds, write_lines, pids);
    wait_for(pids, load->sources);
    wait_for(&cat, 1);
    printf("%.6f\n", now() - start);
    return 0;
}

static int run_datagrams(const char *path, const struct load *load) {
    int fds[sources_max];
    pid_t pids[sources_max];
    for (long source = 0; source < load->sources; source++) fds[source] = connect_to(path, SOCK_DGRAM);
    double start = start_writers(load, fds, write_datagrams, pids);
    wait_for(pids, load->sources);
    printf("%.6f\n", now() - start);
    return 0;
}

static int run_print(const char *source, long lines, long line_bytes) {
    char *line = malloc((size_t)line_bytes + 1);
    if (line == NULL) die("malloc");
    memset(line, 'x', (size_t)line_bytes);
    line[line_bytes - 1] = 0;
    for (long at = 0; at < lines; at++) {
        put_number(line, at);
        if (printf("2017-04-15T15:37:37Z %s %s\n", source, line) < 0) die("print");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static int run_follow(const char *query) {
    static char lines[65536];
    int fd = connect_to(query, SOCK_STREAM);
    if (write(fd, "\1", 1) != 1) die(query);
    while (read(fd, lines, sizeof lines) > 0) continue;
    return 0;
}

static int run_time(char **command) {
    double start = now();
    pid_t pid = fork();
    if (pid == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    int status;
    if (waitpid(pid, &status, 0) < 0) die("wait");
    printf("%.6f\n", now() - start);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Reads the terminal until `text` was on it; false after `ms` milliseconds of silence. */
static int await_text(int terminal, const char *text, int ms) {
    static char seen[65536];
    size_t bytes = 0;
    struct pollfd wait = {.fd = terminal, .events = POLLIN};
    while (poll(&wait, 1, ms) > 0) {
        ssize_t got = read(terminal, seen + bytes, sizeof seen - 1 - bytes);
        if (got <= 0) return 0;
        bytes += (size_t)got;
        seen[bytes] = 0;
        if (strstr(seen, text) != NULL) return 1;
        if (bytes > sizeof seen / 2) bytes = 0;
    }
    return 0;
}

static int run_latency(const char *log, long lines, long gap_us, char **command) {
    int ends[2], terminal, status;
    if (pipe2(ends, O_CLOEXEC) < 0) die("pipe");
    pass(log, "latency", ends[0]);
    close(ends[0]);
    pid_t follower = forkpty(&terminal, NULL, NULL, NULL);
    if (follower < 0) die("forkpty");
    if (follower == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    double begun = now();
    for (long at = -1; at < lines; at++) {
        char line[64];
        snprintf(line, sizeof line, "probe %ld end\n", at);
        double start = now();
        write_all(ends[1], line, strlen(line));
        line[strlen(line) - 1] = 0;
        /* The first line is repeated until the follower is there. */
        if (!await_text(terminal, line, at < 0 ? 100 : wait_ms)) {
            if (at >= 0 || now() - begun > (double)wait_ms / 1000) die("no answer");
            at--;
            continue;
        }
        if (at >= 0) printf("%.1f\n", (now() - start) * 1e6);
        usleep((useconds_t)gap_us);
    }
    kill(follower, SIGTERM);
    waitpid(follower, &status, 0);
    return 0;
}

static struct load load_of(char **numbers, int count) {
    struct load load = {atol(numbers[0]), atol(numbers[1]), count > 3 ? atol(numbers[2]) : 1, atol(numbers[count - 1])};
    int is_fit = load.sources >= 1 && load.sources <= sources_max && load.lines >= 1 && load.per_write >= 1 &&
                 load.line_bytes >= line_bytes_min && load.per_write * load.line_bytes <= write_bytes_max;
    if (is_fit) return load;
    fprintf(stderr, "load: a number is out of range\n");
    exit(2);
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    if (strcmp(what, "follow") == 0 && count == 3) return run_follow(words[2]);
    if (strcmp(what, "pass") == 0 && count == 8) {
        struct load load = load_of(words + 4, 4);
        return run_pass(words[2], words[3], &load);
    }
    if (strcmp(what, "files") == 0 && count == 5) return run_files(words[2], words[3], atol(words[4]));
    if (strcmp(what, "hold") == 0 && count == 5) return run_hold(words[2], atol(words[3]), atol(words[4]));
    if (strcmp(what, "cat") == 0 && count == 6) {
        struct load load = load_of(words + 2, 4);
        return run_cat(&load);
    }
    if (strcmp(what, "datagrams") == 0 && count == 6) {
        struct load load = load_of(words + 3, 3);
        return run_datagrams(words[2], &load);
    }
    if (strcmp(what, "print") == 0 && count == 5) return run_print(words[2], atol(words[3]), atol(words[4]));
    if (strcmp(what, "time") == 0 && count > 2) return run_time(words + 2);
    if (strcmp(what, "latency") == 0 && count > 5) return run_latency(words[2], atol(words[3]), atol(words[4]), words + 5);
    fprintf(stderr, "usage: see the beginning of load.c\n");
    return 2;
}
