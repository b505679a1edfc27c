/* Bytes and messages without a C library. */
#pragma once

#include "system/sys.h"

#define TEXT_BYTES_MAX 1023

/* A message that is being put together. What does not fit is left out. */
struct text {
  u32 bytes;
  u32 status; /* of an error: the program's exit status, 1 unless set otherwise */
  char at[TEXT_BYTES_MAX + 1];
};

void text_start(struct text *text, const char *first);
void text_add(struct text *text, const char *more);
void text_add_bytes(struct text *text, const char *more, size_t bytes);
void text_number(struct text *text, i64 number);
/* The path under which /proc has a descriptor of this process: what it refers to can be opened again there. */
void text_descriptor_path(struct text *text, int fd);
/* Adds a newline and writes everything to `fd`. */
void text_print(struct text *text, int fd);
/* A signal's name, such as SIGSEGV; its number where it has none of its own. */
void text_signal(struct text *text, int signal);
/* What an errno means, in words. */
const char *error_text(int error);

size_t string_bytes(const char *string);
bool strings_equal(const char *a, const char *b);
bool string_begins(const char *string, const char *beginning);
bool equal_bytes(const char *a, const char *b, size_t bytes);
/* The part after the last slash. */
const char *last_component(const char *path);
/* Parses a decimal number. False if it is not one, or above max. */
bool parse_number(const char *string, u64 max, u64 *number);

void copy_bytes(void *to, const void *from, size_t bytes);
void zero_bytes(void *to, size_t bytes);

static inline void put_u16(u8 *at, u32 value) {
  at[0] = (u8)value;
  at[1] = (u8)(value >> 8);
}
static inline void put_u32(u8 *at, u32 value) {
  put_u16(at, value & 0xffff);
  put_u16(at + 2, value >> 16);
}
static inline void put_u64(u8 *at, u64 value) {
  put_u32(at, (u32)value);
  put_u32(at + 4, (u32)(value >> 32));
}
static inline u32 get_u32(const u8 *at) { return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24; }
static inline u16 get_u16(const u8 *at) { return (u16)(at[0] | at[1] << 8); }
static inline u64 get_u64(const u8 *at) { return get_u32(at) | (u64)get_u32(at + 4) << 32; }
