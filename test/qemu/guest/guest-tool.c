/*
 * What LinuxKit's `service` does with containers' streams, as a program for tests:
 *
 *   guest-tool fifo SOCKET NAME PATH       makes the FIFO, opens it read-only, passes that
 *   guest-tool pair SOCKET NAME CMD ARG... passes one end of a socketpair, runs CMD with the other as stdout
 *   guest-tool time CMD ARG...             runs CMD with output to the console's stderr, prints microseconds
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int pass(const char *socket_path, const char *name, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { 0 };
	struct iovec text = { .iov_base = (void *)name, .iov_len = strlen(name) };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &text, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, socket_path, sizeof address.sun_path - 1);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	if (socket_fd < 0 || sendmsg(socket_fd, &message, 0) < 0)
		return fail(socket_path);
	close(socket_fd);
	return 0;
}

static int pass_fifo(char **args)
{
	int fd;

	mkfifo(args[2], 0600);
	fd = open(args[2], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? fail(args[2]) : pass(args[0], args[1], fd);
}

static int pass_pair(char **args)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail("socketpair");
	if (pass(args[0], args[1], ends[0]) != 0)
		return 1;
	dup2(ends[1], 1);
	execvp(args[2], args + 2);
	return fail(args[2]);
}

static int run_timed(char **args)
{
	struct timespec from, to;
	int status = 1;
	pid_t child;

	clock_gettime(CLOCK_MONOTONIC, &from);
	child = fork();
	if (child == 0) {
		dup2(2, 1);
		execvp(args[0], args);
		_exit(127);
	}
	waitpid(child, &status, 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%lld status %d\n", (to.tv_sec - from.tv_sec) * 1000000LL + (to.tv_nsec - from.tv_nsec) / 1000,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "fifo") == 0)
		return pass_fifo(argv + 2);
	if (argc >= 5 && strcmp(argv[1], "pair") == 0)
		return pass_pair(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "time") == 0)
		return run_timed(argv + 2);
	fputs("usage: guest-tool fifo SOCKET NAME PATH | pair SOCKET NAME CMD ARG... | time CMD ARG...\n", stderr);
	return 2;
}
