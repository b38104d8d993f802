/* A disk that fails, for the tests (LD_PRELOAD). It stands between a process and its file system:
 *   DISK_LOG=FILE       writes down what was synced: "S inode size" for files, "E inode name" for what a synced
 *                       folder held; a test then takes away all that was not, as a power cut may;
 *   DISK_FULL_AFTER=N   has room for N bytes and then says ENOSPC;
 *   DISK_READ_ONLY=1    lets nothing be opened for writing (EROFS). */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_llong room = -1;
static int note_fd = -1, read_only;

__attribute__((constructor)) static void start(void) {
    const char *full = getenv("DISK_FULL_AFTER"), *log = getenv("DISK_LOG");
    if (full) room = atoll(full);
    read_only = getenv("DISK_READ_ONLY") != NULL;
    if (log) note_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(const char *line) {
    if (note_fd >= 0 && REAL(write)(note_fd, line, strlen(line)) < 0) abort();
}

static void synced(int fd, const struct stat *before) {
    char line[512];
    if (note_fd < 0) return;
    if (S_ISREG(before->st_mode)) {
        snprintf(line, sizeof line, "S %llu %lld\n", (unsigned long long)before->st_ino,
                 (long long)before->st_size);
        note(line);
    } else if (S_ISDIR(before->st_mode)) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            snprintf(line, sizeof line, "E %llu %s\n", (unsigned long long)e->d_ino, e->d_name);
            note(line);
        }
        if (dir) closedir(dir);
    }
}

int fsync(int fd) {
    struct stat before;
    int known = fstat(fd, &before) == 0, result = REAL(fsync)(fd);
    if (known && result == 0) synced(fd, &before);
    return result;
}

int fdatasync(int fd) {
    struct stat before;
    int known = fstat(fd, &before) == 0, result = REAL(fdatasync)(fd);
    if (known && result == 0) synced(fd, &before);
    return result;
}

static int full(int fd, size_t count) {
    struct stat st;
    if (room < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return 0;
    if (atomic_fetch_sub(&room, (long long)count) >= (long long)count) return 0;
    room = 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *data, size_t count) {
    return full(fd, count) ? -1 : REAL(write)(fd, data, count);
}
ssize_t pwrite(int fd, const void *data, size_t count, off_t at) {
    return full(fd, count) ? -1 : REAL(pwrite)(fd, data, count, at);
}
ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at) {
    return full(fd, count) ? -1 : REAL(pwrite64)(fd, data, count, at);
}

static int refused(int flags) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (!read_only || !writes) return 0;
    errno = EROFS;
    return 1;
}

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...) {                    \
        va_list list;                                               \
        va_start(list, flags);                                      \
        mode_t mode = va_arg(list, mode_t);                         \
        va_end(list);                                               \
        int device = strncmp(path, "/dev/", 5) == 0;                \
        if (!device && refused(flags)) return -1;                   \
        return REAL(name)(path, flags, mode);                       \
    }
OPEN(open)
OPEN(open64)
