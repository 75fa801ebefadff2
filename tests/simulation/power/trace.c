/* Writes down what a process does to the files below TRACE_DIR, in its order, into TRACE_LOG.

   A record is: operation, length of the path, offset, length of the data (each 8 bytes), then both.
   W: bytes written; S: file synced; T: file cut to a size (in the offset); U: file removed; R: file renamed
   to the path in the data. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *below;

__attribute__((constructor)) static void begin(void) {
    below = getenv("TRACE_DIR");
    const char *path = getenv("TRACE_LOG");
    if (below && path) log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

static void put(const void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = syscall(SYS_write, log_fd, (const char *)data + done, size - done);
        if (n <= 0) abort();
        done += n;
    }
}

static void note(char op, const char *path, int64_t offset, const void *data, size_t size) {
    if (log_fd < 0 || strncmp(path, below, strlen(below))) return;
    int64_t head[4] = {op, (int64_t)strlen(path), offset, (int64_t)size};
    put(head, sizeof head);
    put(path, strlen(path));
    put(data, size);
}

static void note_fd(char op, int fd, int64_t offset, const void *data, size_t size) {
    char link[64], path[PATH_MAX + 1];
    if (log_fd < 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX);
    if (n <= 0) return;
    path[n] = 0;
    note(op, path, offset, data, size);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ORDERED(type, call) \
    pthread_mutex_lock(&turn); \
    type found = call; \
    pthread_mutex_unlock(&turn); \
    return found;

static ssize_t wrote(int fd, const void *data, size_t size, int64_t offset, ssize_t done) {
    if (done > 0) note_fd('W', fd, offset, data, done);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = REAL(write);
    if (log_fd < 0) return real(fd, data, size);
    int64_t at = lseek(fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) ? SEEK_END : SEEK_CUR);
    if (at < 0) return real(fd, data, size);
    ORDERED(ssize_t, wrote(fd, data, size, at, real(fd, data, size)))
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = REAL(pwrite);
    ORDERED(ssize_t, wrote(fd, data, size, at, real(fd, data, size, at)))
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = REAL(pwrite64);
    ORDERED(ssize_t, wrote(fd, data, size, at, real(fd, data, size, at)))
}

static int did(char op, int fd, int64_t offset, int failed) {
    if (!failed) note_fd(op, fd, offset, "", 0);
    return failed;
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = REAL(fsync);
    ORDERED(int, did('S', fd, 0, real(fd)))
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = REAL(fdatasync);
    ORDERED(int, did('S', fd, 0, real(fd)))
}

int ftruncate(int fd, off_t size) {
    static int (*real)(int, off_t);
    if (!real) real = REAL(ftruncate);
    ORDERED(int, did('T', fd, size, real(fd, size)))
}

int ftruncate64(int fd, off64_t size) {
    static int (*real)(int, off64_t);
    if (!real) real = REAL(ftruncate64);
    ORDERED(int, did('T', fd, size, real(fd, size)))
}

static int removed(const char *path, int failed) {
    if (!failed && path[0] == '/') note('U', path, 0, "", 0);
    return failed;
}

static int renamed(const char *path, const char *to, int failed) {
    if (!failed && path[0] == '/') note('R', path, 0, to, strlen(to));
    return failed;
}

int rename(const char *path, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = REAL(rename);
    ORDERED(int, renamed(path, to, real(path, to)))
}

int unlink(const char *path) {
    static int (*real)(const char *);
    if (!real) real = REAL(unlink);
    ORDERED(int, removed(path, real(path)))
}
