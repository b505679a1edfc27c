/*
 * The filter for the engine's system calls (seccomp(2)): what is not listed here fails with ENOSYS, as on a kernel that
 * does not know the call. C libraries, V8 and libuv have other ways for that case, and an engine of a Node that nobody
 * has seen yet loses a feature instead of its life.
 */
#include "engine/confine.h"

/* linux/bpf_common.h */
#define BPF_LOAD_WORD 0x20
#define BPF_AND 0x54
#define BPF_JUMP_EQUAL 0x15
#define BPF_JUMP_NOT_LESS 0x35
#define BPF_RETURN 0x06
/* struct seccomp_data: the call's number, the CPU, the instruction's address, six arguments of 64 bits. */
#define DATA_NUMBER 0
#define DATA_CPU 4
#define DATA_ARGUMENT(n) (16 + 8 * (n))

#if defined(__x86_64__)
#define CPU_ID 0xc000003e
/* Numbers from here on are x32's: the same calls with another layout. */
#define OTHER_ABI_FROM 0x40000000
#else
#define CPU_ID 0xc00000b7
#endif

#define CLONE_NEW_ANYTHING 0x7e020000
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC)

/* A call that may be made if `argument & mask` is `value`; the kernel looks at these 32 bits alone as well. */
struct rule {
  u16 number;
  u8 argument;
  u32 mask, value;
};

/* Allowed whatever the arguments are. The most frequent ones come first: older kernels look at them one by one. */
static const u16 allowed[] = {
    NR_epoll_pwait,
    NR_read,
    NR_write,
    NR_pread64,
    NR_pwrite64,
    NR_futex,
    NR_clock_gettime,
    NR_madvise,
    NR_mprotect,
    /* Descriptors. None is made but by accept, pipe2, eventfd2, epoll_create1, and open for reading. */
    NR_accept,
    NR_accept4,
    NR_close,
    NR_close_range,
    NR_dup,
    NR_dup3,
    NR_epoll_create1,
    NR_epoll_ctl,
    NR_eventfd2,
    NR_fstat,
    NR_ftruncate,
    NR_getpeername,
    NR_getsockname,
    NR_getsockopt,
    NR_listen,
    NR_lseek,
    NR_pipe2,
    NR_ppoll,
    NR_preadv,
    NR_pwritev,
    NR_readv,
    NR_shutdown,
    NR_writev,
    /* Files, to look at. */
    NR_faccessat,
    NR_faccessat2,
    NR_getcwd,
    NR_newfstatat,
    NR_readlinkat,
    NR_statx,
    /* Memory. V8 compiles to machine code. */
    NR_brk,
    NR_membarrier,
    NR_mmap,
    NR_mremap,
    NR_munmap,
    NR_pkey_alloc,
    NR_pkey_free,
    NR_pkey_mprotect,
    /* This process. */
    NR_capget,
    NR_exit,
    NR_exit_group,
    NR_getcpu,
    NR_getegid,
    NR_geteuid,
    NR_getgid,
    NR_getpid,
    NR_getppid,
    NR_getpriority,
    NR_getrandom,
    NR_getrusage,
    NR_gettid,
    NR_getuid,
    NR_restart_syscall,
    NR_rseq,
    NR_rt_sigaction,
    NR_rt_sigprocmask,
    NR_rt_sigreturn,
    NR_sched_getaffinity,
    NR_sched_getparam,
    NR_sched_getscheduler,
    NR_sched_yield,
    NR_set_robust_list,
    NR_set_tid_address,
    NR_sigaltstack,
    NR_sysinfo,
    NR_times,
    NR_uname,
    /* Time. */
    NR_clock_getres,
    NR_clock_nanosleep,
    NR_gettimeofday,
    NR_nanosleep,
#if defined(__x86_64__)
    NR_access,
    NR_arch_prctl,
    NR_dup2,
    NR_epoll_wait,
    NR_lstat,
    NR_poll,
    NR_readlink,
    NR_stat,
    NR_time,
#endif
};

static const struct rule rules[] = {
    {NR_openat, 2, OPEN_CHANGES, O_RDONLY},
#if defined(__x86_64__)
    {NR_open, 1, OPEN_CHANGES, O_RDONLY},
#endif
    /* Threads, not processes. clone3 has its flags in memory; without it, C libraries use clone. */
    {NR_clone, 0, CLONE_VM | CLONE_THREAD | CLONE_NEW_ANYTHING, CLONE_VM | CLONE_THREAD},
    /* Its own limits alone. */
    {NR_prlimit64, 0, 0xffffffff, 0},
    /* Flags and copies of descriptors; not who gets signals for them. */
    {NR_fcntl, 1, 0xffffffff, F_DUPFD},
    {NR_fcntl, 1, 0xffffffff, F_GETFD},
    {NR_fcntl, 1, 0xffffffff, F_SETFD},
    {NR_fcntl, 1, 0xffffffff, F_GETFL},
    {NR_fcntl, 1, 0xffffffff, F_SETFL},
    {NR_fcntl, 1, 0xffffffff, F_DUPFD_CLOEXEC},
    {NR_ioctl, 1, 0xffffffff, TCGETS},
    {NR_ioctl, 1, 0xffffffff, TIOCGWINSZ},
    {NR_ioctl, 1, 0xffffffff, FIONREAD},
    {NR_ioctl, 1, 0xffffffff, FIONBIO},
    {NR_ioctl, 1, 0xffffffff, FIONCLEX},
    {NR_ioctl, 1, 0xffffffff, FIOCLEX},
    {NR_prctl, 0, 0xffffffff, PR_SET_NAME},
    {NR_prctl, 0, 0xffffffff, PR_GET_NAME},
    {NR_prctl, 0, 0xffffffff, PR_SET_VMA},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INSTRUCTIONS_PER_RULE 6
#define INSTRUCTIONS_MAX (8 + 2 * COUNT(allowed) + INSTRUCTIONS_PER_RULE * (COUNT(rules) + 1))

struct instruction {
  u16 code;
  u8 if_true, if_false;
  u32 value;
};
struct program {
  u16 count;
  struct instruction *at;
};

static void add(struct program *program, u16 code, u32 value, u8 if_true, u8 if_false) {
  program->at[program->count++] = (struct instruction){code, if_true, if_false, value};
}

static void add_return(struct program *program, u32 action) { add(program, BPF_RETURN, action, 0, 0); }

static void add_rule(struct program *program, const struct rule *rule) {
  add(program, BPF_JUMP_EQUAL, rule->number, 0, INSTRUCTIONS_PER_RULE - 1);
  add(program, BPF_LOAD_WORD, DATA_ARGUMENT(rule->argument), 0, 0);
  add(program, BPF_AND, rule->mask, 0, 0);
  add(program, BPF_JUMP_EQUAL, rule->value, 0, 1);
  add_return(program, SECCOMP_RET_ALLOW);
  add(program, BPF_LOAD_WORD, DATA_NUMBER, 0, 0);
}

/* Nobody makes calls of another CPU's or of x32's kind by accident. */
static void add_abi_check(struct program *program) {
  add(program, BPF_LOAD_WORD, DATA_CPU, 0, 0);
  add(program, BPF_JUMP_EQUAL, CPU_ID, 1, 0);
  add_return(program, SECCOMP_RET_KILL_PROCESS);
  add(program, BPF_LOAD_WORD, DATA_NUMBER, 0, 0);
#ifdef OTHER_ABI_FROM
  add(program, BPF_JUMP_NOT_LESS, OTHER_ABI_FROM, 0, 1);
  add_return(program, SECCOMP_RET_KILL_PROCESS);
#endif
}

int filter_system_calls(void) {
  struct instruction instructions[INSTRUCTIONS_MAX];
  struct program program = {0, instructions};
  /* Signals to itself, as abort(3) sends them. */
  const struct rule own_signals = {NR_tgkill, 0, 0xffffffff, (u32)sys_getpid()};
  add_abi_check(&program);
  for (u32 n = 0; n < COUNT(allowed); n++) {
    add(&program, BPF_JUMP_EQUAL, allowed[n], 0, 1);
    add_return(&program, SECCOMP_RET_ALLOW);
  }
  for (u32 n = 0; n < COUNT(rules); n++) add_rule(&program, &rules[n]);
  add_rule(&program, &own_signals);
  add_return(&program, SECCOMP_RET_ERRNO | ENOSYS);
  /* The engine runs no code of others: guarding its JIT against speculation would only slow it down. */
  int error = (int)CALL3(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, P(&program));
  if (error == 0) return 0;
  return (int)CALL5(prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, P(&program), 0, 0);
}

/* A kernel with filters looks at the program, and there is none. */
bool filters_are_known(void) { return CALL5(prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0) != -EINVAL; }
