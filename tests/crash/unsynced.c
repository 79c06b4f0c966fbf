/* Writes down, in their order, what a process does to the files of one directory: for a power cut in theory.
 *
 * Preloaded (LD_PRELOAD) before a process. UNSYNCED_DIR is the directory, UNSYNCED_TRACE the file that gets a record a
 * call that succeeded: kind (1 byte), length of the path (u32), length of the data (u32), offset (i64), path, data;
 * numbers in the machine's own order. Kinds: W write, T truncate, S sync, U unlink, R rename (data: the new path).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *watched;
static size_t watched_length;
static int trace = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("UNSYNCED_TRACE");
    watched = getenv("UNSYNCED_DIR");
    if (path == NULL || watched == NULL)
        return;
    watched_length = strlen(watched);
    trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_watched(const char *path)
{
    return trace >= 0 && strncmp(path, watched, watched_length) == 0 && path[watched_length] == '/';
}

static int path_of(int fd, char *path)
{
    char link[64];
    if (trace < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_watched(path);
}

static void record(char kind, const char *path, int64_t offset, const void *data, size_t length)
{
    uint32_t sizes[2] = {(uint32_t)strlen(path), (uint32_t)length};
    struct iovec parts[5] = {
        {&kind, 1}, {sizes, sizeof sizes}, {&offset, sizeof offset}, {(void *)path, sizes[0]}, {(void *)data, length}};
    ssize_t whole = (ssize_t)(1 + sizeof sizes + sizeof offset + sizes[0] + length);
    if (syscall(SYS_writev, trace, parts, 5) != whole)
        abort(); /* a trace with a hole proves nothing */
}

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

ssize_t write(int fd, const void *data, size_t length)
{
    char path[PATH_MAX];
    int seen = path_of(fd, path);
    ssize_t done = REAL(write, fd, data, length);
    if (seen && done > 0)
        record('W', path, lseek(fd, 0, SEEK_CUR) - done, data, (size_t)done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    char path[PATH_MAX];
    ssize_t done = REAL(pwrite, fd, data, length, offset);
    if (done > 0 && path_of(fd, path))
        record('W', path, offset, data, (size_t)done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    char path[PATH_MAX];
    ssize_t done = REAL(pwrite64, fd, data, length, offset);
    if (done > 0 && path_of(fd, path))
        record('W', path, offset, data, (size_t)done);
    return done;
}

int ftruncate(int fd, off_t length)
{
    char path[PATH_MAX];
    int result = REAL(ftruncate, fd, length);
    if (result == 0 && path_of(fd, path))
        record('T', path, length, "", 0);
    return result;
}

int ftruncate64(int fd, off64_t length)
{
    char path[PATH_MAX];
    int result = REAL(ftruncate64, fd, length);
    if (result == 0 && path_of(fd, path))
        record('T', path, length, "", 0);
    return result;
}

int fsync(int fd)
{
    char path[PATH_MAX];
    int result = REAL(fsync, fd);
    if (result == 0 && path_of(fd, path))
        record('S', path, 0, "", 0);
    return result;
}

int fdatasync(int fd)
{
    char path[PATH_MAX];
    int result = REAL(fdatasync, fd);
    if (result == 0 && path_of(fd, path))
        record('S', path, 0, "", 0);
    return result;
}

int unlink(const char *path)
{
    int result = REAL(unlink, path);
    if (result == 0 && is_watched(path))
        record('U', path, 0, "", 0);
    return result;
}

int rename(const char *from, const char *to)
{
    int result = REAL(rename, from, to);
    if (result == 0 && (is_watched(from) || is_watched(to)))
        record('R', from, 0, to, strlen(to));
    return result;
}
