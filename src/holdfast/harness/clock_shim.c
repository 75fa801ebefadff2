/* A machine's clock that can be set: loaded with LD_PRELOAD, it adds what a file says to the wall's time.
 *
 * Only processes that have called holdfast_clock_follow() are moved. The file holds one signed 64-bit
 * number of nanoseconds. Monotonic clocks are left alone, as they are when a real clock is set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL

static volatile int64_t *offset;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void find(void) {
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

int holdfast_clock_follow(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return -1;
    offset = page;
    return 0;
}

int clock_gettime(clockid_t which, struct timespec *when) {
    if (!real_clock_gettime)
        find();
    int result = real_clock_gettime(which, when);
    if (result == 0 && offset && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)when->tv_sec * NS + when->tv_nsec + *offset;
        when->tv_sec = ns / NS;
        when->tv_nsec = ns % NS;
    }
    return result;
}

int gettimeofday(struct timeval *restrict when, void *restrict zone) {
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    if (result == 0 && when) {
        when->tv_sec = now.tv_sec;
        when->tv_usec = now.tv_nsec / 1000;
    }
    return result;
}

time_t time(time_t *when) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (when)
        *when = now.tv_sec;
    return now.tv_sec;
}
