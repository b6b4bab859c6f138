/* Plays a network file system, to be loaded before the C library: that a file was not there is remembered until its folder
 * is listed or the process itself makes the file. Only for paths with /records/ or /done/ in them.
 *
 * With NETWORK_HOST, a file with the name of the machine: there are no locks, and the machine has that name. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 4096, LONGEST = 1024 };

static char missing[MOST][LONGEST];
static int count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Whether a path counts, and its absolute form. */
static int counts(const char *path, char *whole) {
    if (!path || !(strstr(path, "/records/") || strstr(path, "/done/")))
        return 0;
    if (path[0] == '/')
        return snprintf(whole, LONGEST, "%s", path) < LONGEST;
    char here[LONGEST];
    return getcwd(here, LONGEST) && snprintf(whole, LONGEST, "%s/%s", here, path) < LONGEST;
}

static int place(const char *path) {
    for (int at = 0; at < count; at++)
        if (!strcmp(missing[at], path))
            return at;
    return -1;
}

static int is_remembered(const char *path) {
    char whole[LONGEST];
    if (!counts(path, whole))
        return 0;
    pthread_mutex_lock(&lock);
    int found = place(whole) >= 0;
    pthread_mutex_unlock(&lock);
    return found;
}

static void remember(const char *path) {
    char whole[LONGEST];
    if (errno != ENOENT || !counts(path, whole))
        return;
    pthread_mutex_lock(&lock);
    if (place(whole) < 0 && count < MOST)
        strcpy(missing[count++], whole);
    pthread_mutex_unlock(&lock);
    errno = ENOENT;
}

/* Forgets a file. */
static void forget(const char *path) {
    char whole[LONGEST];
    if (!counts(path, whole))
        return;
    pthread_mutex_lock(&lock);
    int at = place(whole);
    if (at >= 0)
        memmove(missing[at], missing[--count], LONGEST);
    pthread_mutex_unlock(&lock);
}

/* Forgets what is in a folder. */
static void forget_in(const char *folder) {
    char file[LONGEST], whole[LONGEST];
    if (snprintf(file, LONGEST, "%s/", folder) >= LONGEST || !counts(file, whole))
        return;
    pthread_mutex_lock(&lock);
    for (int at = count - 1; at >= 0; at--)
        if (!strncmp(missing[at], whole, strlen(whole)))
            memmove(missing[at], missing[--count], LONGEST);
    pthread_mutex_unlock(&lock);
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if (getenv("NETWORK_HOST") && !strcmp(path, "/proc/sys/kernel/hostname"))
        path = getenv("NETWORK_HOST");
    if (flags & O_CREAT)
        return real(path, flags, mode);
    if (is_remembered(path)) {
        errno = ENOENT;
        return -1;
    }
    int found = real(path, flags, mode);
    if (found < 0)
        remember(path);
    return found;
}

#define OPEN(name)                                                                      \
    int name(const char *path, int flags, ...) {                                        \
        static int (*real)(const char *, int, ...);                                     \
        if (!real)                                                                      \
            real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);            \
        va_list rest;                                                                   \
        va_start(rest, flags);                                                          \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, int) : 0;    \
        va_end(rest);                                                                   \
        return opened(real, path, flags, mode);                                         \
    }
OPEN(open)
OPEN(open64)

#define LOCK(name)                                                                                        \
    int name(int file, int command, ...) {                                                                \
        static int (*real)(int, int, ...);                                                                \
        if (!real)                                                                                        \
            real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, #name);                                       \
        va_list rest;                                                                                     \
        va_start(rest, command);                                                                          \
        void *argument = va_arg(rest, void *);                                                            \
        va_end(rest);                                                                                     \
        if (getenv("NETWORK_HOST") && (command == F_OFD_SETLK || command == F_OFD_GETLK)) {               \
            errno = ENOLCK;                                                                               \
            return -1;                                                                                    \
        }                                                                                                 \
        return real(file, command, argument);                                                             \
    }
LOCK(fcntl)
LOCK(fcntl64)

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *found) {
    static int (*real)(int, const char *, int, unsigned, struct statx *);
    if (!real)
        real = (int (*)(int, const char *, int, unsigned, struct statx *))dlsym(RTLD_NEXT, "statx");
    if (is_remembered(path)) {
        errno = ENOENT;
        return -1;
    }
    int result = real(folder, path, flags, mask, found);
    if (result < 0)
        remember(path);
    return result;
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real)
        real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    int result = real(from, to);
    if (!result)
        forget(to);
    return result;
}

DIR *opendir(const char *path) {
    static DIR *(*real)(const char *);
    if (!real)
        real = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
    forget_in(path);
    return real(path);
}
