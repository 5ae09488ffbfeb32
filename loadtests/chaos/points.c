// Preloaded into the gateway: counts, over all threads, the calls that leave something behind in a file or on a socket,
// and kills the process at the N-th of them, before it or when half of its octets are out. A tracer cannot do this: it
// counts each thread for itself, so that points of the quieter threads are never reached.
//
//   POINTS_BOARD  a file of 128 octets, shared with the harness: int64s: calls in all, files written, synced, changed, sent,
//                 the kind at which it died, the call at which it is to die (0 = none), whether half of it is done,
//                 microseconds each sync takes longer, the fault of writes to files (an errno, or -1: half of it is written),
//                 the first such write that has it (0 = none), how many have it, how many have had it. The last five may be
//                 changed at any time.
//   CLOCK_AHEAD   seconds the wall clock is ahead, which may be negative
//
// Standard output and error are not counted, nor are pipes and wake-ups: nobody finds them again.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ALL, WRITTEN, SYNCED, CHANGED, SENT, DIED, AT, HALF, DELAY, FAULT, FROM, MANY, STRUCK };
static _Atomic long *board;
static long ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POINTS_BOARD"), *clock = getenv("CLOCK_AHEAD");
    ahead = clock ? atol(clock) : 0;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(0, 128, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) board = at;
    close(fd);
}

static void die(int kind) {
    board[DIED] = kind;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

// Which kind a write to this descriptor is; 0 = it is not counted.
static int kind_of(int fd) {
    struct stat about;
    if (!board || fd <= 2 || fstat(fd, &about) != 0) return 0;
    return S_ISREG(about.st_mode) ? WRITTEN : S_ISSOCK(about.st_mode) ? SENT : 0;
}

// Counts a call; 1 = it is the one, and half of it is to be done first.
static int count(int kind) {
    if (!board || !kind) return 0;
    board[kind]++;
    if (++board[ALL] != board[AT]) return 0;
    if (!board[HALF]) die(kind);
    return 1;
}

// The fault this call is to have; 0 = none.
static long fault_of(int kind) {
    if (!board || kind != WRITTEN || !board[FROM]) return 0;
    long at = board[WRITTEN], from = board[FROM];
    if (at < from || at >= from + board[MANY]) return 0;
    board[STRUCK]++;
    return board[FAULT];
}

#define REAL(result, name, ...)                                          \
    static result (*real)(__VA_ARGS__);                                  \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define PUT(name, first, rest, half)                                     \
    { int kind = kind_of(fd);                                            \
      if (count(kind)) { (void)half; die(kind); }                        \
      long fault = fault_of(kind);                                       \
      if (fault < 0) return half;                                        \
      if (fault > 0) { errno = (int)fault; return -1; }                  \
      return first rest; }

ssize_t write(int fd, const void *octets, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t);
    PUT(write, real, (fd, octets, length), real(fd, octets, (length + 1) / 2))
}
ssize_t pwrite64(int fd, const void *octets, size_t length, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    PUT(pwrite64, real, (fd, octets, length, at), real(fd, octets, (length + 1) / 2, at))
}
ssize_t pwrite(int fd, const void *octets, size_t length, off_t at) { return pwrite64(fd, octets, length, at); }
ssize_t writev(int fd, const struct iovec *parts, int many) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    struct iovec some = many ? *parts : (struct iovec){0, 0};
    some.iov_len /= 2;
    PUT(writev, real, (fd, parts, many), real(fd, &some, 1))
}
ssize_t send(int fd, const void *octets, size_t length, int flags) {
    REAL(ssize_t, send, int, const void *, size_t, int);
    PUT(send, real, (fd, octets, length, flags), real(fd, octets, (length + 1) / 2, flags))
}
ssize_t sendto(int fd, const void *octets, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
    REAL(ssize_t, sendto, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    PUT(sendto, real, (fd, octets, length, flags, to, size), real(fd, octets, (length + 1) / 2, flags, to, size))
}
ssize_t sendmsg(int fd, const struct msghdr *what, int flags) {
    REAL(ssize_t, sendmsg, int, const struct msghdr *, int);
    PUT(sendmsg, real, (fd, what, flags), (ssize_t)0)
}

#define CHANGE(kind, call)                                               \
    { if (count(kind)) { call; die(kind); }                              \
      return call; }

static void drag(void) {
    if (board && board[DELAY] > 0) usleep(board[DELAY]);
}

int fsync(int fd) {
    REAL(int, fsync, int);
    drag();
    CHANGE(SYNCED, real(fd))
}
int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    drag();
    CHANGE(SYNCED, real(fd))
}
int ftruncate64(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    CHANGE(CHANGED, real(fd, length))
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int posix_fallocate64(int fd, off64_t at, off64_t length) {
    REAL(int, posix_fallocate64, int, off64_t, off64_t);
    CHANGE(CHANGED, real(fd, at, length))
}
int posix_fallocate(int fd, off_t at, off_t length) { return posix_fallocate64(fd, at, length); }
int unlink(const char *path) {
    REAL(int, unlink, const char *);
    CHANGE(CHANGED, real(path))
}
int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    CHANGE(CHANGED, real(from, to))
}
int clock_gettime(clockid_t which, struct timespec *at) {
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    int result = real(which, at);
    if (result == 0 && which == CLOCK_REALTIME) at->tv_sec += ahead;
    return result;
}
