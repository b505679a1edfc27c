/* Bytes and messages without a C library. */
#include "system/text.h"

#ifndef MEMLOGD_HOSTED
/* The compiler inserts calls of these. The empty assembly keeps it from doing so in their own loops. */
#if defined(__x86_64__)
void *memcpy(void *to, const void *from, size_t bytes) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}
#else
void *memcpy(void *to, const void *from, size_t bytes) {
  struct piece {
    u64 a, b;
  } __attribute__((packed, may_alias));
  u8 *target = to;
  const u8 *source = from;
  for (; bytes >= sizeof(struct piece); bytes -= sizeof(struct piece)) {
    *(struct piece *)target = *(const struct piece *)source;
    target += sizeof(struct piece), source += sizeof(struct piece);
    __asm__ volatile("" ::: "memory");
  }
  for (; bytes > 0; bytes--) {
    *target++ = *source++;
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
#endif
void *memset(void *to, int value, size_t bytes) {
  u8 *target = to;
  for (; bytes > 0; bytes--) {
    *target++ = (u8)value;
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
#endif

void copy_bytes(void *to, const void *from, size_t bytes) { __builtin_memcpy(to, from, bytes); }
void zero_bytes(void *to, size_t bytes) { __builtin_memset(to, 0, bytes); }

size_t string_bytes(const char *string) {
  size_t bytes = 0;
  while (string[bytes] != 0) bytes++;
  return bytes;
}

bool strings_equal(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

bool string_begins(const char *string, const char *beginning) {
  while (*beginning != 0)
    if (*string++ != *beginning++) return false;
  return true;
}

bool equal_bytes(const char *a, const char *b, size_t bytes) {
  while (bytes > 0 && *a == *b) a++, b++, bytes--;
  return bytes == 0;
}

const char *last_component(const char *path) {
  const char *last = path;
  for (; *path != 0; path++)
    if (*path == '/' && path[1] != 0) last = path + 1;
  return last;
}

bool parse_number(const char *string, u64 max, u64 *number) {
  u64 value = 0;
  if (*string == 0) return false;
  for (; *string != 0; string++) {
    if (*string < '0' || *string > '9') return false;
    value = value * 10 + (u64)(*string - '0');
    if (value > max) return false;
  }
  *number = value;
  return true;
}

void text_start(struct text *text, const char *first) {
  text->bytes = 0;
  text->status = 1;
  text->at[0] = 0;
  text_add(text, first);
}

void text_add_bytes(struct text *text, const char *more, size_t bytes) {
  size_t room = TEXT_BYTES_MAX - text->bytes;
  if (bytes > room) bytes = room;
  copy_bytes(text->at + text->bytes, more, bytes);
  text->bytes += (u32)bytes;
  text->at[text->bytes] = 0;
}

void text_add(struct text *text, const char *more) { text_add_bytes(text, more, string_bytes(more)); }

void text_number(struct text *text, i64 number) {
  char digits[24];
  int at = sizeof digits;
  u64 rest = number < 0 ? 0 - (u64)number : (u64)number;
  do digits[--at] = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (number < 0) digits[--at] = '-';
  text_add_bytes(text, digits + at, sizeof digits - (size_t)at);
}

void text_descriptor_path(struct text *text, int fd) {
  text_start(text, "/proc/self/fd/");
  text_number(text, fd);
}

void text_print(struct text *text, int fd) {
  if (text->bytes == TEXT_BYTES_MAX) text->bytes--;
  text->at[text->bytes++] = '\n';
  sys_write(fd, text->at, text->bytes);
}

void text_signal(struct text *text, int signal) {
  static const char names[][8] = {"HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",  "FPE",
                                  "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM", "STKFLT",
                                  "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",  "XCPU",
                                  "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS"};
  if (signal < 1 || signal > (int)(sizeof names / sizeof *names)) {
    text_add(text, "signal ");
    text_number(text, signal);
    return;
  }
  text_add(text, "SIG");
  text_add(text, names[signal - 1]);
}

const char *error_text(int error) {
  switch (error < 0 ? -error : error) {
    case EPERM: return "not permitted";
    case ENOENT: return "not found";
    case EIO: return "input/output error";
    case ENXIO: return "no such device";
    case E2BIG: return "the arguments are too long";
    case ENOEXEC: return "not in an executable format";
    case EBADF: return "not an open descriptor";
    case EAGAIN: return "it accepts nothing now";
    case ENOMEM: return "out of memory";
    case EACCES: return "permission denied";
    case EEXIST: return "exists already";
    case ENOTDIR: return "a part of the path is not a directory";
    case EISDIR: return "is a directory";
    case EINVAL: return "not valid";
    case ENFILE:
    case EMFILE: return "too many open files";
    case ETXTBSY: return "is being written";
    case ENOSPC: return "no space left";
    case EROFS: return "read-only file system";
    case EPIPE: return "the other side is gone";
    case ENAMETOOLONG: return "the name is too long";
    case ELOOP: return "too many symbolic links";
    case ENOTSOCK: return "not a socket";
    case EPROTOTYPE: return "a socket of another type";
    case EADDRINUSE: return "the address is in use";
    case EADDRNOTAVAIL: return "the address is not one of this machine's";
    case ECONNRESET: return "the other side is gone";
    case ENOBUFS: return "out of memory";
    case ETIMEDOUT: return "no answer in time";
    case ECONNREFUSED: return "connection refused: nobody listens";
    default: return "failed";
  }
}
