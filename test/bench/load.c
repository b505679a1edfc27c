/*
 * The load generator: writes lines of a given length to sources, as containers do.
 *
 *   load pass SOCKET SOURCES LINES PER_WRITE BYTES   passes a pipe for each source to memlogd's log socket
 *   load file FD SOURCES LINES PER_WRITE BYTES       all sources write to the one descriptor FD
 *
 * SOURCES processes write LINES lines each, PER_WRITE lines a write, BYTES bytes a line with its newline.
 * Prints the seconds from the first write to the last one's return. Lines are numbered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { number_bytes = 10, line_bytes_min = 16, write_bytes_max = 1 << 20 };

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pass(const char *path, const char *name, int fd) {
    int log = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (log < 0 || connect(log, (struct sockaddr *)&address, sizeof address) < 0) die(path);
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

static void write_lines(int fd, long lines, long per_write, long line_bytes) {
    static char block[write_bytes_max];
    for (long at = 0; at < per_write; at++) {
        memset(block + at * line_bytes, 'x', (size_t)line_bytes - 1);
        block[at * line_bytes + line_bytes - 1] = '\n';
    }
    for (long done = 0; done < lines; done += per_write) {
        long count = lines - done < per_write ? lines - done : per_write;
        for (long at = 0; at < count; at++) {
            long number = done + at;
            for (int digit = number_bytes - 1; digit >= 0; digit--, number /= 10)
                block[at * line_bytes + digit] = (char)('0' + number % 10);
        }
        write_all(fd, block, (size_t)(count * line_bytes));
    }
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: load pass SOCKET | file FD, then SOURCES LINES PER_WRITE BYTES\n");
        return 2;
    }
    long sources = atol(words[3]), lines = atol(words[4]), per_write = atol(words[5]), line_bytes = atol(words[6]);
    if (sources < 1 || lines < 1 || per_write < 1 || line_bytes < line_bytes_min || per_write * line_bytes > write_bytes_max) {
        fprintf(stderr, "load: a number is out of range\n");
        return 2;
    }
    int go[2];
    if (pipe(go) < 0) die("pipe");
    for (long source = 0; source < sources; source++) {
        int out[2] = {-1, atoi(words[2])};
        if (strcmp(words[1], "pass") == 0) {
            char name[32];
            snprintf(name, sizeof name, "load-%ld.stdout", source);
            if (pipe(out) < 0) die("pipe");
            pass(words[2], name, out[0]);
            close(out[0]);
        }
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) {
            char byte;
            close(go[1]);
            if (read(go[0], &byte, 1) != 0) die("start");
            write_lines(out[1], lines, per_write, line_bytes);
            return 0;
        }
        if (strcmp(words[1], "pass") == 0) close(out[1]);
    }
    close(go[0]);
    double start = now();
    close(go[1]);
    int status, failed = 0;
    while (wait(&status) > 0) failed |= status != 0;
    printf("%.6f\n", now() - start);
    return failed;
}
