/*
 * What the kernel's interface looks like on 64-bit Linux: types, structures, flags. They are written here because
 * the native half is built without a C library, and the library's headers differ from the kernel's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef MEMLOGD_HOSTED
/* Every function is in the same blob: its address is never looked up in a table that a loader would have to fill. */
#pragma GCC visibility push(hidden)
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#define U32_MAX 0xffffffffu
typedef int32_t i32;
typedef int64_t i64;

#if defined(__x86_64__)
#include "system/syscall-x86_64.h"
#elif defined(__aarch64__)
#include "system/syscall-aarch64.h"
#else
#error "only x86_64 and aarch64 are known"
#endif

/* ---- errno ---- */
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EEXIST 17
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define ENFILE 23
#define EMFILE 24
#define ETXTBSY 26
#define ENOSPC 28
#define EROFS 30
#define EPIPE 32
#define ENAMETOOLONG 36
#define ENOSYS 38
#define ELOOP 40
#define ENOTSOCK 88
#define EPROTOTYPE 91
#define EADDRINUSE 98
#define EADDRNOTAVAIL 99
#define ECONNRESET 104
#define ENOBUFS 105
#define ETIMEDOUT 110
#define ECONNREFUSED 111

/* ---- files ---- */
#define AT_FDCWD -100
#define X_OK 1
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EMPTY_PATH 0x1000
#define AT_STATX_DONT_SYNC 0x4000
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_ACCMODE 3
#define O_CREAT 0100
#define O_NOCTTY 0400
#define O_TRUNC 01000
#define O_NONBLOCK 04000
#define O_CLOEXEC 02000000
#define O_PATH 010000000
#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_DUPFD_CLOEXEC 1030
#define F_GETPIPE_SZ 1032
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#define FD_CLOEXEC 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#define SEEK_CUR 1
#define MFD_CLOEXEC 1
#define MFD_ALLOW_SEALING 2
#define FALLOC_FL_KEEP_SIZE 1
#define FALLOC_FL_PUNCH_HOLE 2
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFCHR 0020000
#define S_IFIFO 0010000

/* statx, because struct stat differs between CPUs and this does not. */
#define STATX_BASIC_STATS 0x7ff
struct statx_time {
  i64 seconds;
  u32 nanos;
  u32 reserved;
};
struct statx {
  u32 mask, blksize;
  u64 attributes;
  u32 nlink, uid, gid;
  u16 mode, spare0;
  u64 ino, size, blocks, attributes_mask;
  struct statx_time atime, btime, ctime, mtime;
  u32 rdev_major, rdev_minor, dev_major, dev_minor;
  u64 spare[14];
};
_Static_assert(sizeof(struct statx) == 256, "struct statx is the kernel's");

/* ---- poll ---- */
#define POLLIN 1
#define POLLOUT 4
#define POLLHUP 16
#define POLLRDHUP 0x2000
struct pollfd {
  int fd;
  short events, revents;
};
#define IN_MOVED_TO 0x80u
#define IN_CREATE 0x100u
#define IN_Q_OVERFLOW 0x4000u
#define IN_CLOEXEC 02000000
#define IN_NONBLOCK 04000
struct inotify_event {
  int watch;
  u32 mask, cookie;
  u32 name_bytes; /* of the name that follows, with its NULs */
};
_Static_assert(sizeof(struct inotify_event) == 16, "struct inotify_event is the kernel's");
#define EFD_CLOEXEC 02000000
#define EFD_NONBLOCK 04000
#define EPOLL_CLOEXEC 02000000
#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLLIN 1u
struct epoll_event {
  u32 events;
  u64 data;
}
#if defined(__x86_64__)
__attribute__((packed))
#endif
;
struct timespec {
  i64 seconds, nanos;
};
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1

/* ---- sockets ---- */
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_KEEPALIVE 9
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SO_ACCEPTCONN 30
#define SO_RCVBUFFORCE 33
#define SO_DOMAIN 39
#define SO_RXQ_OVFL 40
#define SO_MEMINFO 55
/* linux/sock_diag.h: SO_MEMINFO's numbers. */
#define SK_MEMINFO_DROPS 8
#define SK_MEMINFO_VARS 9
#define SO_PASSRIGHTS 83
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define MSG_PEEK 2
#define MSG_CTRUNC 8
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define UNIX_PATH_BYTES_MAX 107
struct sockaddr_un {
  u16 family;
  char path[UNIX_PATH_BYTES_MAX + 1];
};
struct sockaddr_in {
  u16 family, port;
  u8 address[4];
  u8 zero[8];
};
struct sockaddr_in6 {
  u16 family, port;
  u32 flow;
  u8 address[16];
  u32 scope;
};
_Static_assert(sizeof(struct sockaddr_in) == 16 && sizeof(struct sockaddr_in6) == 28,
               "socket addresses are the kernel's");
struct iovec {
  void *base;
  size_t bytes;
};
struct msghdr {
  void *name;
  int name_bytes;
  struct iovec *iov;
  size_t iov_count;
  void *control;
  size_t control_bytes;
  u32 flags;
};
/* One message of recvmmsg(2). */
struct mmsghdr {
  struct msghdr message;
  u32 bytes;
};
struct cmsghdr {
  size_t bytes;
  int level, type;
};
#define CMSG_ALIGN(n) (((n) + 7) & ~(size_t)7)
#define CMSG_SPACE(n) (sizeof(struct cmsghdr) + CMSG_ALIGN(n))
#define CMSG_LEN(n) (sizeof(struct cmsghdr) + (n))
struct ucred {
  u32 pid, uid, gid;
};
struct timeval {
  i64 seconds, micros;
};

/* ---- processes and signals ---- */
#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGTERM 15
#define SIGCHLD 17
#define SIGSYS 31
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define SIG_DFL 0
#define SIG_IGN 1
#define SI_KERNEL 0x80
#define WNOHANG 1
#define PR_SET_PDEATHSIG 1
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_SET_SECCOMP 22
#define PR_SET_NO_NEW_PRIVS 38
#define PR_SET_VMA 0x53564d41
#define CLONE_VM 0x100
#define CLONE_FS 0x200
#define CLONE_FILES 0x400
#define CLONE_SIGHAND 0x800
#define CLONE_THREAD 0x10000
#define CLONE_SYSVSEM 0x40000
#define CLONE_CHILD_CLEARTID 0x200000
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
#define RLIMIT_CORE 4
#define RLIMIT_NPROC 6
#define RLIMIT_NOFILE 7
#define RLIMIT_AS 9
#define RLIM_INFINITY (~0ull)
#define SECCOMP_SET_MODE_FILTER 1
#define SECCOMP_MODE_FILTER 2
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW 4
#define SECCOMP_RET_KILL_PROCESS 0x80000000
#define SECCOMP_RET_ERRNO 0x00050000
#define SECCOMP_RET_ALLOW 0x7fff0000
#define TIOCGPTN 0x80045430
#define TCGETS 0x5401
#define TIOCGWINSZ 0x5413
#define SIOCOUTQ 0x5411
#define FIONREAD 0x541b
#define FIONBIO 0x5421
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define SIGNAL_BIT(n) (1ull << ((n)-1))
struct kernel_sigaction {
  u64 handler, flags, restorer, mask;
};
struct signalfd_siginfo {
  u32 signo;
  int error, code;
  u32 pid, uid;
  u8 rest[108];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "struct signalfd_siginfo is the kernel's");
struct rlimit64 {
  u64 soft, hard;
};
#define AT_NULL 0
#define AT_RANDOM 25
#define AT_EXECFN 31
