/* Loaded before the C library by tests: writes down what a process asks of the files below POWER_ROOT, in order,
   on the tape POWER_TAPE; and fails the fsync of every "*-wal" while the file POWER_FLAG exists.
   A record: u8 op, u32 path length, u64 offset, u64 data length, path, data (little endian). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
#define REAL(result, name, ...) ((result (*)(__VA_ARGS__)) dlsym(RTLD_NEXT, name))

static int tape(void) {
    static int fd = -2;
    if (fd == -2) {
        const char *path = getenv("POWER_TAPE");
        fd = path ? (int) syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    }
    return fd;
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        long done = syscall(SYS_write, tape(), at, size);
        if (done <= 0) abort(); /* a tape with a hole proves nothing */
        at += done, size -= (size_t) done;
    }
}

static int ours(const char *path) {
    const char *root = getenv("POWER_ROOT");
    size_t length = root ? strlen(root) : 0;
    return tape() >= 0 && root && strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

static void wrote_down(char op, const char *path, uint64_t offset, const void *data, uint64_t size) {
    uint32_t length = (uint32_t) strlen(path);
    put(&op, 1), put(&length, 4), put(&offset, 8), put(&size, 8), put(path, length);
    if (size) put(data, size);
}

static int named(int fd, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return ours(path);
}

/* Every act and its line on the tape are one: no other thread's comes between. */
#define ACT(body) do { int kept; pthread_mutex_lock(&one_at_a_time); body; kept = errno; \
    pthread_mutex_unlock(&one_at_a_time); errno = kept; } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    ssize_t done;
    if (fd == tape() || !named(fd, path)) return REAL(ssize_t, "write", int, const void *, size_t)(fd, data, size);
    ACT({
        off_t at = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
        done = REAL(ssize_t, "write", int, const void *, size_t)(fd, data, size);
        if (done > 0) wrote_down('w', path, (uint64_t) at, data, (uint64_t) done);
    });
    return done;
}

static ssize_t written_at(const char *name, int fd, const void *data, size_t size, off_t at) {
    char path[PATH_MAX];
    ssize_t done;
    if (!named(fd, path)) return REAL(ssize_t, name, int, const void *, size_t, off_t)(fd, data, size, at);
    ACT({
        done = REAL(ssize_t, name, int, const void *, size_t, off_t)(fd, data, size, at);
        if (done > 0) wrote_down('w', path, (uint64_t) at, data, (uint64_t) done);
    });
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return written_at("pwrite", fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return written_at("pwrite64", fd, data, size, at); }

static int cut(const char *name, int fd, off_t size) {
    char path[PATH_MAX];
    int result;
    if (!named(fd, path)) return REAL(int, name, int, off_t)(fd, size);
    ACT({
        result = REAL(int, name, int, off_t)(fd, size);
        if (result == 0) wrote_down('t', path, (uint64_t) size, 0, 0);
    });
    return result;
}
int ftruncate(int fd, off_t size) { return cut("ftruncate", fd, size); }
int ftruncate64(int fd, off_t size) { return cut("ftruncate64", fd, size); }

static int sick(const char *path) {
    const char *flag = getenv("POWER_FLAG");
    size_t length = strlen(path);
    if (!flag || length < 4 || strcmp(path + length - 4, "-wal") != 0) return 0;
    return syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) == 0;
}

static int synced(const char *name, int fd) {
    char path[PATH_MAX];
    int result;
    if (!named(fd, path)) {
        if (getenv("POWER_FLAG")) {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, path, PATH_MAX - 1);
            if (length > 0 && (path[length] = 0, sick(path))) return errno = EIO, -1;
        }
        return REAL(int, name, int)(fd);
    }
    ACT({
        result = REAL(int, name, int)(fd);
        if (result == 0) wrote_down('s', path, 0, 0, 0);
    });
    return result;
}
int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

int rename(const char *from, const char *to) {
    int result;
    if (!ours(from)) return REAL(int, "rename", const char *, const char *)(from, to);
    ACT({
        result = REAL(int, "rename", const char *, const char *)(from, to);
        if (result == 0) wrote_down('r', from, 0, to, strlen(to));
    });
    return result;
}

int unlink(const char *path) {
    int result;
    if (!ours(path)) return REAL(int, "unlink", const char *)(path);
    ACT({
        result = REAL(int, "unlink", const char *)(path);
        if (result == 0) wrote_down('u', path, 0, 0, 0);
    });
    return result;
}
